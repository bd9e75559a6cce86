"""Numbers as NumPy and torch hold them: scalars, and arrays without dimensions."""

import sys
from typing import Any

import numpy as np

from hpo_research import heavy


def is_tensor(value: object) -> bool:
    """Return whether it is a tensor of torch, which is not loaded to find out."""
    return "torch" in sys.modules and isinstance(value, heavy.torch.Tensor)


def plain(value: Any) -> Any:
    """Return what a scalar of NumPy or torch holds as Python's own; anything else as it is."""
    is_array = isinstance(value, np.generic | np.ndarray) or is_tensor(value)
    return value.item() if is_array and value.ndim == 0 else value
