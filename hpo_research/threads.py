"""Processors, and the threads of the numeric libraries: limited in our own calls, then restored."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def limited(threads: int = 1) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to this many threads inside the block.

    Small batched kernels are faster on one thread: with the default counts, two busy cores made
    the same Gaussian-process fits up to 40 times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        torch.set_num_threads(before)


def processors() -> int:
    """Return how many processors this process may use, or all of them where none can say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
