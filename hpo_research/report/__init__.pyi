"""What the package has; see `hpo_research/__init__.pyi`."""

from .report import Published, publish, write

__all__ = ["Published", "publish", "write"]
