"""The packages of `heavy.py`, as type checkers know them."""

import jaxtyping
import pandas
import torch

__all__ = ["PACKAGES", "jaxtyping", "pandas", "torch"]

PACKAGES: tuple[str, ...]
