"""What a user's program may have set before it calls us, as blocks; and the caches to forget."""

import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

import hpo_research

Setting = Callable[[], object]


@contextmanager
def _set(setter: Callable[[object], object], value: object, before: object) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(before)


def default_dtype(dtype: torch.dtype) -> object:
    return _set(torch.set_default_dtype, dtype, torch.get_default_dtype())


@contextmanager
def warnings_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def seeds_moved() -> Iterator[None]:
    """Seed every global stream, and see that nothing was drawn from any of them."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    try:
        yield
        draws = float(np.random.random()), torch.rand(1, dtype=torch.float64, device="cpu").item()
        np.random.seed(5), torch.manual_seed(5)
        again = float(np.random.random()), torch.rand(1, dtype=torch.float64, device="cpu").item()
        assert draws == again
    finally:
        random.setstate(before[0]), np.random.set_state(before[1]), torch.set_rng_state(before[2])


SETTINGS: dict[str, Setting] = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "another device": lambda: torch.device("meta"),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "coarse products": lambda: _set(
        torch.set_float32_matmul_precision, "medium", torch.get_float32_matmul_precision()
    ),
    "deterministic": lambda: _set(torch.use_deterministic_algorithms, True, False),
    "no denormals": lambda: _set(torch.set_flush_denormal, True, False),
    "float errors": lambda: np.errstate(all="raise"),
    "short numbers": lambda: np.printoptions(precision=2, legacy="1.13", floatmode="fixed"),
    "warnings": warnings_as_errors,
    "seeds": seeds_moved,
}

NARROW = ("bfloat16", "inference", "no denormals")
TOGETHER: dict[str, tuple[str, ...]] = {
    "wide": tuple(name for name in SETTINGS if name not in (*NARROW, "float16")),
    "narrow": NARROW,
}


@contextmanager
def under(*names: str) -> Iterator[None]:
    """Set what a program may have set, with nothing remembered from before or for later."""
    forget()
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(SETTINGS[name]())
        yield
    forget()


def forget() -> None:
    """Empty every cache of the package: what is kept was computed under other settings."""
    for name, module in list(sys.modules.items()):
        if name.startswith(hpo_research.__name__):
            for value in list(vars(module).values()):
                if callable(value) and hasattr(value, "cache_clear"):
                    value.cache_clear()
