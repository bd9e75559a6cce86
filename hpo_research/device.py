"""Where an experiment computes: the device, chosen once by name, and the threads."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch

from hpo_research.errors import DeviceError


@dataclass(frozen=True)
class Place:
    """A device, `cpu` or `cuda:N`, and how many threads each process may use there.

    Bit equality on the CPU is promised for one thread.
    """

    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or self.threads < 1:
            raise DeviceError(f"threads={self.threads!r}: expected a whole number from 1 on")


def resolve(name: str = "auto") -> str:
    """Return `cpu` or `cuda:N`; `auto` is the first CUDA device, or the CPU without one.

    Raises `DeviceError` for a name that is unknown or a device that is not here.
    """
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    named = re.fullmatch(r"cuda(?::([0-9]+))?", name) if isinstance(name, str) else None
    if named is None:
        raise DeviceError(f"device={name!r}: expected auto, cpu or cuda:N")
    here = torch.cuda.device_count()
    number = int(named[1] or 0)
    if number >= here:
        raise DeviceError(f"device={name!r}: this machine has {here} CUDA devices; use auto or cpu")
    return f"cuda:{number}"


_used: ContextVar[str] = ContextVar("device", default="cpu")


@contextmanager
def used(device: str) -> Iterator[None]:
    """Have the models of strategies computed on a device inside the block."""
    token = _used.set(device)
    try:
        yield
    finally:
        _used.reset(token)


def current() -> str:
    """Return the device that models are computed on: the CPU, unless inside `used`."""
    return _used.get()
