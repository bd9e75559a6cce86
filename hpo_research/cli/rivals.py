"""`hpo rivals`: the optimisers of other libraries, and `hpo rivals install NAME`."""

from pathlib import Path

from hpo_research.cli.console import add_row, plain_table, screen
from hpo_research.rivals import environments, registry


def show() -> None:
    """Print each rival with its version or the line that installs it."""
    table = plain_table("rival", "version", "what it is", "what is answered")
    for row in registry.rivals():
        found = f"{row.package} {row.version}" if row.version else f"missing: {row.install}"
        add_row(table, row.name, found, row.description, row.handled)
    screen().print(table)


def install(name: str, into: Path | None) -> None:
    """Make the environment of a rival."""
    environments.install(name, into)
