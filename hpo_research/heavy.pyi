"""The packages of `heavy.py`, as type checkers know them."""

import pandas
import torch

__all__ = ["PACKAGES", "pandas", "torch"]

PACKAGES: tuple[str, ...]
