"""Numbers as NumPy and torch hold them: scalars, and arrays without dimensions."""

import numpy as np
from torch import Tensor


def plain(value: object) -> object:
    """Return what a scalar of NumPy or torch holds as Python's own; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray | Tensor) and value.ndim == 0:
        return value.item()
    return value
