"""What is named through the package, to be loaded when it is used."""

from . import best, choices, export, files, frames, optuna_view

__all__ = ["best", "choices", "export", "files", "frames", "optuna_view"]
