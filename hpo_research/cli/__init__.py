"""The command line: `hpo`, a thin face of the package with no logic of its own."""

from hpo_research.cli.app import app, main

__all__ = ["app", "main"]
