"""What is named through the package, to be loaded when it is used."""

from . import baselines, best, choices, coco, export, files, frames, scores

__all__ = ["baselines", "best", "choices", "coco", "export", "files", "frames", "scores"]
