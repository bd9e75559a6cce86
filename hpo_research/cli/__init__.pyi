"""What the package has; see `hpo_research/__init__.pyi`."""

from . import checkup, listings, recorder, rescue, running, stored
from .app import app, main

__all__ = ["app", "checkup", "listings", "main", "recorder", "rescue", "running", "stored"]
