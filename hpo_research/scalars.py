"""Numbers as NumPy and torch hold them: scalars, and arrays without dimensions."""

import sys

import numpy as np

from hpo_research import heavy


def plain(value: object) -> object:
    """Return what a scalar of NumPy or torch holds as Python's own; anything else as it is."""
    is_one = isinstance(value, np.generic | np.ndarray) or (
        "torch" in sys.modules and isinstance(value, heavy.torch.Tensor)
    )
    return value.item() if is_one and value.ndim == 0 else value  # type: ignore[attr-defined]
