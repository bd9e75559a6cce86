"""What the package has."""

from . import names, parents, search
from .draft import Search
from .job import TuningJob
from .loading import load

__all__ = ["Search", "TuningJob", "load", "names", "parents", "search"]
