"""What the package has; see `hpo_research/__init__.pyi`."""

from . import (
    best,
    cluster,
    dashboard,
    describe,
    doctor,
    export,
    jobs,
    listings,
    merge,
    report,
    rescue,
    rivals,
    run,
    status,
    stop,
)
from . import table as table
from . import tune as tune
from .app import app, main

__all__ = [
    "app",
    "best",
    "cluster",
    "dashboard",
    "describe",
    "doctor",
    "export",
    "jobs",
    "listings",
    "main",
    "merge",
    "report",
    "rescue",
    "rivals",
    "run",
    "status",
    "stop",
    "table",
    "tune",
]
