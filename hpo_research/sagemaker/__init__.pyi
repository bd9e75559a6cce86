"""What the package has."""

from . import parents, search
from .job import TuningJob
from .loading import load

__all__ = ["TuningJob", "load", "parents", "search"]
