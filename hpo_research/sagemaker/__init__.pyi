"""What the package has."""

from . import parents, search, standing, warm_start
from .draft import Search
from .job import TuningJob
from .loading import load
from .standing import Standing
from .warm_start import OverallBest, Parent, WarmStart, overall_best, warm

__all__ = [
    "OverallBest",
    "Parent",
    "Search",
    "Standing",
    "TuningJob",
    "WarmStart",
    "load",
    "overall_best",
    "parents",
    "search",
    "standing",
    "warm",
    "warm_start",
]
