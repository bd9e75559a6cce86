"""What the package has."""

from . import names, parents, search, standing
from .draft import Search
from .job import TuningJob
from .loading import load
from .standing import Standing

__all__ = ["Search", "Standing", "TuningJob", "load", "names", "parents", "search", "standing"]
