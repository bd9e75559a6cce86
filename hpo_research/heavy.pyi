"""The packages of `heavy.py`, as type checkers know them."""

from typing import TypeGuard

import jaxtyping
import optuna
import pandas
import torch

__all__ = ["PACKAGES", "is_frame", "is_tensor", "jaxtyping", "optuna", "pandas", "torch"]

PACKAGES: tuple[str, ...]

def is_tensor(value: object) -> TypeGuard[torch.Tensor]: ...
def is_frame(value: object) -> TypeGuard[pandas.DataFrame]: ...
