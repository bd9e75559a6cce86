"""Packages that are slow to load, each loaded when it is first used: the one list of them.

Where a program reads a store, searches at random or asks for help, none of these is loaded. A
module that such a program needs says `heavy.torch.zeros`, and `"heavy.pandas.DataFrame"` in
annotations. `tests/test_architecture.py` reads the list and holds those modules to it; `heavy.pyi`
tells type checkers what the names are.
"""

import sys
from importlib import import_module
from types import ModuleType

PACKAGES = (
    *("botorch", "gpytorch", "jaxtyping", "linear_operator", "matplotlib", "numba", "optuna"),
    *("pandas", "safetensors", "scipy", "sklearn", "torch"),
)


def __getattr__(name: str) -> ModuleType:
    if name in PACKAGES:
        return import_module(name)
    raise AttributeError(f"{__name__} lists no package {name}")


def is_tensor(value: object) -> bool:
    """Whether a value is a tensor of torch, which is not loaded for it: before, there is none."""
    return isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))


def is_frame(value: object) -> bool:
    """Whether a value is a data frame of pandas, which is not loaded for it either."""
    return isinstance(value, getattr(sys.modules.get("pandas"), "DataFrame", ()))
