"""What the package has."""

from . import dry_run, names, parents, programs, search, standing
from .draft import Search
from .job import TuningJob
from .loading import load
from .running import tune
from .standing import Standing

__all__ = [
    "Search",
    "Standing",
    "TuningJob",
    "dry_run",
    "load",
    "names",
    "parents",
    "programs",
    "search",
    "standing",
    "tune",
]
