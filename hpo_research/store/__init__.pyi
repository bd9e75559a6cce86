"""What the package has; see `hpo_research/__init__.pyi`."""

from .checkpoints import Checkpoints
from .rows import RunName
from .store import Store

__all__ = ["Checkpoints", "RunName", "Store"]
