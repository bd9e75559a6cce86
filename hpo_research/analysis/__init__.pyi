"""What is named through the package, to be loaded when it is used."""

from . import best, export, files, frames

__all__ = ["best", "export", "files", "frames"]
