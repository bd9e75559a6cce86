"""What the package has."""

from . import parents, search, standing
from .draft import Search
from .job import TuningJob
from .loading import load
from .standing import Standing

__all__ = ["Search", "Standing", "TuningJob", "load", "parents", "search", "standing"]
