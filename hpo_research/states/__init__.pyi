"""What the package has; see `hpo_research/__init__.pyi`."""

from .packed import Packed, copied, pack
from .state import State
from .unpacking import unpack

__all__ = ["Packed", "State", "copied", "pack", "unpack"]
