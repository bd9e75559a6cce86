"""What is named through the package, to be loaded when it is used."""

from . import export, files, frames

__all__ = ["export", "files", "frames"]
