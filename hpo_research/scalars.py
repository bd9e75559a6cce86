"""Numbers as NumPy and torch hold them: scalars, and arrays without dimensions."""

from typing import Any

import numpy as np

from hpo_research import heavy


def plain(value: Any) -> Any:
    """Return what a scalar of NumPy or torch holds as Python's own; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray) or heavy.is_tensor(value):
        return value.item() if value.ndim == 0 else value
    return value
