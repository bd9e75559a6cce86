"""Processors and threads: those of the numeric libraries are limited, those of users take turns."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

from threadpoolctl import ThreadpoolController

from hpo_research import heavy


class _Limit:
    """How many threads the libraries of this process may use, and the blocks that want it so.

    The first block to begin keeps what the user had set, and the last to end restores it, so that
    blocks of several threads may overlap; until then the one that began last holds. torch is not
    loaded for it: if it is loaded inside a block, it is limited as soon as it is there.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._blocks: dict[object, int] = {}
        self._before: dict[str, int] = {}  # of each library, what the user had set
        self._torch: int | None = None
        self._on_load = _OnLoad(self._limit_torch)

    def enter(self, threads: int) -> object:
        """Begin a block, and return what it is left with."""
        block = object()
        with self._lock:
            self._blocks[block] = threads
            if "torch" not in sys.modules and self._on_load not in sys.meta_path:
                sys.meta_path.insert(0, self._on_load)
            self._hold(threads)
        return block

    def leave(self, block: object) -> None:
        """End a block."""
        with self._lock:
            del self._blocks[block]
            if self._blocks:
                self._hold(next(reversed(self._blocks.values())))
                return
            for library in ThreadpoolController().lib_controllers:
                if library.filepath in self._before:
                    library.set_num_threads(self._before[library.filepath])
            self._before = {}
            if self._on_load in sys.meta_path:
                sys.meta_path.remove(self._on_load)
            if self._torch is not None:
                heavy.torch.set_num_threads(self._torch)
                self._torch = None

    def _hold(self, threads: int) -> None:
        self._limit_torch()  # first: its own count is that of a library below
        for library in ThreadpoolController().lib_controllers:
            self._before.setdefault(library.filepath, library.num_threads)
            library.set_num_threads(threads)

    def _limit_torch(self) -> None:
        with self._lock:
            if self._blocks and "torch" in sys.modules:
                if self._torch is None:
                    self._torch = heavy.torch.get_num_threads()
                heavy.torch.set_num_threads(next(reversed(self._blocks.values())))


class _OnLoad(MetaPathFinder):
    """Calls a function as soon as torch has been loaded, by whomever."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find torch as it would be found without this."""
        if name != "torch" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def loaded(module: ModuleType) -> None:
                load(module)
                self._then()

            spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


_limit = _Limit()


@contextmanager
def limited(threads: int = 1) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to this many threads inside the block.

    Small batched kernels are faster on one thread: with the default counts, two busy cores made
    the same Gaussian-process fits up to 40 times slower. What a block of another thread needs holds
    for this one too, until that has ended.
    """
    block = _limit.enter(threads)
    try:
        yield
    finally:
        _limit.leave(block)


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
