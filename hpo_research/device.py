"""Where an experiment computes: the device, chosen once by name, and the threads."""

import ctypes
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from hpo_research import heavy, moved
from hpo_research.errors import DeviceError
from hpo_research.options import Mistakes, whole
from hpo_research.text import quoted

Item = TypeVar("Item")
Made = TypeVar("Made")
_MOST_THREADS = 4096


@dataclass(frozen=True)
class Compute:
    """A device, `cpu` or `cuda:N`, and how many threads each process may use there.

    Bit equality on the CPU is promised for one thread.
    """

    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        Mistakes.of(self, {"threads": whole(most=_MOST_THREADS)}).refuse(DeviceError)


def resolve(name: str = "auto") -> str:
    """Return `cpu` or `cuda:N`; `auto` is the first CUDA device, or the CPU without one.

    Raises `DeviceError` for a name that is unknown or a device that is not here.
    """
    if not isinstance(name, str):
        raise DeviceError(f"device={quoted(name)}: expected auto, cpu or cuda:N")
    if name == "auto":
        return "cuda:0" if _has_driver() and heavy.torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    named = re.fullmatch(r"cuda(?::([0-9]+))?", name)
    if named is None:
        raise DeviceError(f"device={name!r}: expected auto, cpu or cuda:N")
    here = heavy.torch.cuda.device_count()
    number = int(named[1] or 0)
    if number >= here:
        raise DeviceError(f"device={name!r}: this machine has {here} CUDA devices; use auto or cpu")
    return f"cuda:{number}"


def _has_driver() -> bool:
    """Whether torch need be asked at all: without the driver's library it finds no device."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()  # AMD's, which torch calls CUDA too
    return True


def entries(like: "heavy.torch.Tensor", *, cached: int) -> int:
    """Return how many numbers the largest tensor of one block of a computation may hold.

    On the CPU so few that a few such tensors stay in the cache; on a GPU, where small blocks cost
    their launches, a sixteenth of the memory that was free when this was first asked, or first
    after it had run out.
    """
    return cached if not like.is_cuda else _free(like.device) // (16 * like.element_size())


@lru_cache(maxsize=16)
def _free(device: "heavy.torch.device") -> int:
    return heavy.torch.cuda.mem_get_info(device)[0]


# --- a memory that is full ---


def in_parts(items: Sequence[Item], compute: Callable[[Sequence[Item]], list[Made]]) -> list[Made]:
    """Compute items together, or by halves where the memory does not hold them all.

    What becomes of an item must not depend on the others. Raises what `compute` does where the
    memory does not hold one alone.
    """
    try:
        return compute(items)
    except (RuntimeError, MemoryError) as error:
        if len(items) == 1 or not is_out_of_memory(error):
            raise
    # Outside the except clause, whose traceback would keep the tensors of the attempt alive.
    release()
    half = (len(items) + 1) // 2
    return [*in_parts(items[:half], compute), *in_parts(items[half:], compute)]


def is_out_of_memory(error: Exception) -> bool:
    """Say so of the refusals of a GPU and NumPy, which have types, and of torch's on the CPU."""
    if isinstance(error, heavy.torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return "can't allocate memory" in text or "not enough memory" in text


def release() -> None:
    """Hand back what torch keeps of a GPU's memory; how much is free is then asked anew."""
    if heavy.torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        heavy.torch.cuda.empty_cache()
    _free.cache_clear()


# --- where strategies compute ---


_used: ContextVar[tuple[str, bool]] = ContextVar("device", default=("cpu", False))


@contextmanager
def used(device: str, *, graphs: bool | None = None) -> Iterator[None]:
    """Have the models of strategies computed on a device inside the block.

    `graphs`: on a GPU the steps of our own models' searches are recorded as CUDA graphs and
    replayed, so that none of their hundred launches is made by Python. Not yet measured, hence off;
    None: as around the block.
    """
    token = _used.set((device, has_graphs() if graphs is None else graphs))
    try:
        yield
    finally:
        _used.reset(token)


def current() -> str:
    """Return the device that models are computed on: the CPU, unless inside `used`."""
    return _used.get()[0]


def has_graphs() -> bool:
    """Return whether the steps of searches on a GPU are recorded."""
    return _used.get()[1]


moved.answer_for_old_names(__name__)
