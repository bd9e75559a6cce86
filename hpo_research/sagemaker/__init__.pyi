"""What the package has."""

from . import client, names, parents, search, standing
from .client import LocalClient
from .draft import Search
from .frame import analytics
from .job import TuningJob
from .loading import load
from .standing import Standing

__all__ = [
    "LocalClient",
    "Search",
    "Standing",
    "TuningJob",
    "analytics",
    "client",
    "load",
    "names",
    "parents",
    "search",
    "standing",
]
