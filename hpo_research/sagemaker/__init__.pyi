"""What the package has."""

from . import client, dry_run, names, parents, programs, search, standing, warm_start
from .client import LocalClient
from .draft import Search
from .frame import analytics
from .job import TuningJob
from .loading import load
from .running import tune
from .standing import Standing
from .warm_start import OverallBest, Parent, WarmStart, overall_best, warm

__all__ = [
    "LocalClient",
    "OverallBest",
    "Parent",
    "Search",
    "Standing",
    "TuningJob",
    "WarmStart",
    "analytics",
    "client",
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
