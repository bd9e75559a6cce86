"""What the package has."""

from . import dry_run, names, parents, programs, search, standing, warm_start
from .draft import Search
from .job import TuningJob
from .loading import load
from .running import tune
from .standing import Standing
from .warm_start import OverallBest, Parent, WarmStart, overall_best, warm

__all__ = [
    "OverallBest",
    "Parent",
    "Search",
    "Standing",
    "TuningJob",
    "WarmStart",
    "dry_run",
    "load",
    "names",
    "overall_best",
    "parents",
    "programs",
    "search",
    "standing",
    "tune",
    "warm",
    "warm_start",
]
