"""What is named through the package, to be loaded when it is used."""

from . import arranging, best, choices, export, files, frames, merging

__all__ = ["arranging", "best", "choices", "export", "files", "frames", "merging"]
