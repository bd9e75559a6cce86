"""The device of an experiment: chosen once, by name."""

import re

import torch

from hpo_research.errors import DeviceError


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
