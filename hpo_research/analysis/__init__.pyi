"""What is named through the package, to be loaded when it is used."""

from . import (
    arranging,
    baselines,
    best,
    choices,
    coco,
    export,
    files,
    frames,
    iohprofiler,
    merging,
    optuna_view,
    scores,
    shown,
)

__all__ = [
    "arranging",
    "baselines",
    "best",
    "choices",
    "coco",
    "export",
    "files",
    "frames",
    "iohprofiler",
    "merging",
    "optuna_view",
    "scores",
    "shown",
]
