"""How the CPU's loops are compiled: where tensors would cost more to call than to compute.

Numbers of one run must not depend on others: the loops take one row after another, and numba may
not reorder sums. What they compute is also written in tensors, for a GPU, and tests hold one
against the other. The first ask on a machine compiles them all, which takes about ten seconds; it
is kept beside the source, or in the user's cache where that cannot be written.
"""

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

compiled = njit(cache=True, nogil=True, error_model="numpy")


def by_loops(*tensors: torch.Tensor) -> bool:
    """Return whether loops compute these: not what is on a GPU, nor what autograd derives."""
    return all(t.is_cpu and not t.requires_grad for t in tensors)
