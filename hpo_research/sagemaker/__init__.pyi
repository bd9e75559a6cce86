"""What the package has."""

from . import client, dry_run, names, parents, programs, search, standing
from .client import LocalClient
from .draft import Search
from .frame import analytics
from .job import TuningJob
from .loading import load
from .running import tune
from .standing import Standing

__all__ = [
    "LocalClient",
    "Search",
    "Standing",
    "TuningJob",
    "analytics",
    "client",
    "dry_run",
    "load",
    "names",
    "parents",
    "programs",
    "search",
    "standing",
    "tune",
]
