"""What the package has; see `hpo_research/__init__.pyi`."""

from . import best, describe, doctor, export, listings, report, rescue, run, status, stop, table
from .app import app, main

__all__ = [
    "app",
    "best",
    "describe",
    "doctor",
    "export",
    "listings",
    "main",
    "report",
    "rescue",
    "run",
    "status",
    "stop",
    "table",
]
