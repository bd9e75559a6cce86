"""What is named through the package, to be loaded when it is used."""

from . import best, choices, coco, export, files, frames

__all__ = ["best", "choices", "coco", "export", "files", "frames"]
