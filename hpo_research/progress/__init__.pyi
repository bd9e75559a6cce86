"""What the package has; see `hpo_research/__init__.pyi`."""

from . import display
from .remaining import Clock, duration
from .showing import Showing, Watch, asked_for, shown
from .standing import Progress, RunProgress, progress

__all__ = [
    "Clock",
    "Progress",
    "RunProgress",
    "Showing",
    "Watch",
    "asked_for",
    "display",
    "duration",
    "progress",
    "shown",
]
