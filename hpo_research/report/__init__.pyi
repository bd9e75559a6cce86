"""What the package has; see `hpo_research/__init__.pyi`."""

from .options import Options, kept
from .report import Published, publish, redraw, write

__all__ = ["Options", "Published", "kept", "publish", "redraw", "write"]
