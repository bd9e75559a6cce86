"""Processors and threads: those of the numeric libraries are limited, those of users take turns."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

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


class Turns:
    """Threads of one process take turns, each inside `one()`; blocks may be nested.

    A forked child has a copy that somebody may have held at the fork, for ever: it takes no turn,
    and `is_here` tells it so.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._lock = RLock()

    @property
    def is_here(self) -> bool:
        """Whether this is the process that the turns are taken in."""
        return os.getpid() == self.process

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for this thread's turn."""
        if not self.is_here:
            yield
            return
        with self._lock:
            yield
