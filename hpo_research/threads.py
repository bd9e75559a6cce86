"""Processors and threads: those of the numeric libraries are limited, those of users take turns."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import Lock, RLock, local
from types import ModuleType
from typing import Any

from threadpoolctl import ThreadpoolController

from hpo_research import heavy

_IS_LINUX = sys.platform == "linux"
_POINTER = ctypes.c_void_p


class _Object(ctypes.Structure):
    """What the dynamic linker says of a loaded library: `struct dl_phdr_info` of <link.h>."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_void_p),
        ("headers", ctypes.c_void_p),
        ("header_count", ctypes.c_uint16),
        ("loads", ctypes.c_ulonglong),
        ("unloads", ctypes.c_ulonglong),
    )


class _Linker:
    """How often a library was loaded or unloaded in this process, as the dynamic linker counts.

    However a library comes: by an import, by ctypes, or by another library.
    """

    def __init__(self) -> None:
        # PyDLL, since the linker holds a lock while it calls back: a thread that gave up the GIL
        # there would wait for one that holds the GIL and waits for the linker.
        self._iterate = getattr(ctypes.PyDLL(None), "dl_iterate_phdr", None) if _IS_LINUX else None
        self._said: tuple[int, int] | None = None
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Object), ctypes.c_size_t, _POINTER)
        self._hear = kind(self._heard)
        # Never freed: some builds of libffi share what they free with the parent of a fork.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._hear))

    def counts(self) -> tuple[int, int] | None:
        """Return both counts, None where nobody can say."""
        if self._iterate is not None:
            self._iterate(self._hear, None)
        return self._said

    def _heard(self, library: Any, size: int, _: object) -> int:
        if size >= ctypes.sizeof(_Object):
            self._said = library.contents.loads, library.contents.unloads
        return 1  # each library would say the same


class _Pools:
    """The thread pools of the loaded libraries, looked for where any was loaded since.

    To look is to read the memory map of the process: 2 ms, where an ask may take 0.1.
    """

    def __init__(self) -> None:
        self._linker = _Linker()
        self._counts: tuple[int, int] | None = None
        self._found: tuple[list[Any], list[Any]] = [], []

    def now(self) -> tuple[list[Any], list[Any]]:
        """Return the pools of BLAS and those of OpenMP."""
        counts = self._linker.counts()
        if counts is None or counts != self._counts:
            pools = ThreadpoolController()
            blas, openmp = (pools.select(user_api=kind) for kind in ("blas", "openmp"))
            self._found, self._counts = (blas.lib_controllers, openmp.lib_controllers), counts
        return self._found


@dataclass(frozen=True, eq=False)
class _Block:
    """A block in a thread: its limit, what it sets, and OpenMP as it was before."""

    threads: int
    has_torch: bool
    blas: Sequence[Any]
    openmp: Sequence[tuple[Any, int]]


class _Limits:
    """How many threads the numeric libraries may use, and the blocks that limit them.

    The count of a thread pool belongs to the process in torch's own products and in most BLAS, and
    to a thread in OpenMP. Of the former the first block to begin keeps what the user had set, and
    the last to end restores it; of the latter each block does in its own thread. So blocks of
    several threads may overlap.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks: list[_Block] = []  # in the order in which they began
        self._torch: int | None = None
        self._blas: dict[str, int] = {}
        self._pools = _Pools()
        self._known = local()
        self._on_load = _OnLoad(self._has_come)

    def enter(self, threads: int) -> _Block:
        """Begin a block."""
        with self._lock:
            blas, openmp = self._pools.now()
            has_torch = "torch" in sys.modules
            if has_torch:
                self._know_thread(openmp)
            block = _Block(threads, has_torch, blas, [(pool, pool.num_threads) for pool in openmp])
            for pool, count in block.openmp:
                if count != threads:
                    pool.set_num_threads(threads)
            if not self._blocks:
                self._blas = {pool.filepath: pool.num_threads for pool in blas}
            others = self._blocks or any(count != threads for count in self._blas.values())
            limits = dict.fromkeys(self._blas, threads) if others else {}
            self._set(block, limits, threads if has_torch else None)
            self._blocks.append(block)
            if not has_torch and self._on_load not in sys.meta_path:
                sys.meta_path.insert(0, self._on_load)
        return block

    def leave(self, block: _Block) -> None:
        """End a block of this thread."""
        with self._lock:
            self._blocks.remove(block)
            if self._blocks:
                still = self._blocks[-1].threads
                torch = still if block.has_torch else None
                self._set(block, dict.fromkeys(self._blas, still), torch)
            else:
                self._set(block, self._blas, self._torch)
                self._torch = None
                if self._on_load in sys.meta_path:
                    sys.meta_path.remove(self._on_load)
            for pool, count in block.openmp:
                pool.set_num_threads(count)

    def _has_come(self) -> None:
        """Limit torch, which has been loaded inside a block."""
        with self._lock:
            if self._blocks and self._torch is None:
                self._torch = heavy.torch.get_num_threads()
                heavy.torch.set_num_threads(self._blocks[-1].threads)

    def _set(self, block: _Block, blas: Mapping[str, int], torch: int | None) -> None:
        """Set what belongs to the process."""
        for pool in block.blas:
            count = blas.get(pool.filepath)
            if count is None or pool.num_threads == count:
                continue
            # threadpoolctl 3.8 ignores what others than the first thread to set a count set.
            if hasattr(pool, "clear_controlling_thread"):
                pool.clear_controlling_thread(force=True)
            pool.set_num_threads(count)
        if torch is not None:
            heavy.torch.set_num_threads(torch)

    def _know_thread(self, openmp: Sequence[Any]) -> None:
        """Have torch count the threads of this thread, if it never did, by what the user had set.

        It then takes the count that was set last in any thread: here the limit of another block.
        """
        count = heavy.torch.get_num_threads()
        is_new = not hasattr(self._known, "thread")
        self._known.thread = True
        if self._torch is None:
            self._torch = count
        elif is_new and count == self._blocks[-1].threads:
            for pool in openmp:
                pool.set_num_threads(self._torch)


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


_limits = _Limits()


@contextmanager
def limited(threads: int = 1) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to this many threads inside the block.

    Small batched kernels are faster on one thread: with the default counts, two busy cores made
    the same Gaussian-process fits up to 40 times slower. torch need not be loaded before; it is
    limited when it is.
    """
    block = _limits.enter(threads)
    try:
        yield
    finally:
        _limits.leave(block)


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

    def one(self) -> AbstractContextManager[object]:
        """Wait for this thread's turn."""
        return self._lock if self.is_here else nullcontext()
