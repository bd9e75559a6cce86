"""Settings of torch and NumPy that a user's program may have changed, set aside where we compute.

No number of ours may depend on them, and none of them may be changed for the user:

- The default dtype of torch is one for the whole process. It is never set, since other threads of
  the program would see it; every tensor is made with a dtype of its own (the architecture test
  reads the source for that).
- What belongs to a thread (grad and inference mode, default device, autocast, flushing of denormal
  numbers, NumPy's reaction to floating-point errors, how it prints) is ordinary inside
  `ordinary()`.
- The precision of float32 products is one for the process too, and cannot be named in a product. It
  is full inside `full_precision()`, as the number of threads is limited inside our calls.

These blocks stand at the doors of what computes, not around the calls of a user's code: a user's
function, problem or strategy runs under the user's settings. What a class of BoTorch makes inside
an ask sees the user's default dtype, and otherwise what is ordinary.
"""

import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from hpo_research import heavy

_SMALLEST = np.float64(5e-324)
_PRINTED: Mapping[str, Any] = {
    **{"precision": 8, "threshold": 1000, "edgeitems": 3, "linewidth": 75, "suppress": False},
    **{"nanstr": "nan", "infstr": "inf", "sign": "-", "floatmode": "maxprec", "legacy": False},
}
_inside = threading.local()


@contextmanager
def ordinary() -> Iterator[None]:
    """Compute under the ordinary settings of this thread inside the block, and restore the user's.

    Also a decorator of functions; `stepwise` is the one of generators.
    """
    if getattr(_inside, "is_ordinary", False):
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        printed: Mapping[str, Any] = {**np.get_printoptions()}
        if any(printed[name] != value for name, value in _PRINTED.items()):
            stack.enter_context(np.printoptions(**_PRINTED))  # `str` of a number changes with it
        if "torch" in sys.modules:  # what is loaded inside is as torch makes it
            _enter_torch(stack)
        _inside.is_ordinary = True
        stack.callback(setattr, _inside, "is_ordinary", False)
        yield


def _enter_torch(stack: ExitStack) -> None:
    torch = heavy.torch
    if torch.is_inference_mode_enabled():
        stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    here = torch.device("cpu")
    if torch.get_default_device() != here:
        stack.enter_context(here)
    for kind in ("cpu", "cuda"):
        if torch.is_autocast_enabled(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
    if _flushes_denormals():
        torch.set_flush_denormal(False)
        stack.callback(torch.set_flush_denormal, True)


def _flushes_denormals() -> bool:
    with np.errstate(all="ignore"):
        return not float(_SMALLEST * 1.0) > 0.0


Item = TypeVar("Item")
Sent = TypeVar("Sent")


def stepwise(
    steps: Callable[..., Generator[Item, Sent | None, None]],
) -> Callable[..., Generator[Item, Sent | None, None]]:
    """Have each step of a generator computed in `ordinary()` and `full_precision()`.

    Between two steps, where the caller goes on, nothing is changed.
    """

    @wraps(steps)
    def stepped(*arguments: Any) -> Generator[Item, Sent | None, None]:
        made = steps(*arguments)
        sent: Sent | None = None
        try:
            while True:
                with ordinary(), full_precision():
                    try:
                        item = made.send(sent)
                    except StopIteration:
                        return
                sent = yield item
        finally:
            made.close()

    return stepped


# --- the precision of float32 products ---


class _Precision:
    """How float32 products are computed in this process, and how many blocks need them exact.

    The first block to begin keeps what the user had set, and the last to end restores it, so that
    blocks of several threads may overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._before: Collection[str] = ()

    @cached_property
    def _products(self) -> list[Any]:
        backends = (heavy.torch.backends.mkldnn, heavy.torch.backends.cuda)
        products: list[Any] = [getattr(backend, "matmul", None) for backend in backends]
        return [one for one in products if hasattr(one, "fp32_precision")]

    def enter(self) -> None:
        """Begin a block."""
        with self._lock:
            if self._blocks == 0:
                self._before = self._now()
                self._set(["ieee"] * len(self._products), "highest")
            self._blocks += 1

    def leave(self) -> None:
        """End a block."""
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0:
                self._set(self._before, *self._before)

    def _now(self) -> Collection[str]:
        if not self._products:  # torch before 2.9 has one setting for all
            return [heavy.torch.get_float32_matmul_precision()]
        return [one.fp32_precision for one in self._products]

    def _set(self, each: Collection[str], *whole: str) -> None:
        if not self._products:
            heavy.torch.set_float32_matmul_precision(whole[0])
            return
        for one, precision in zip(self._products, each, strict=True):
            one.fp32_precision = precision


_precision = _Precision()


@contextmanager
def full_precision() -> Iterator[None]:
    """Have float32 products computed in float32 inside the block, and restore the user's choice."""
    _precision.enter()
    try:
        yield
    finally:
        _precision.leave()


# --- other people's constructors ---


@cache
def _float32() -> Any:
    torch = heavy.torch
    makers = {torch.tensor, torch.zeros, torch.ones, torch.full, torch.eye, torch.arange}
    makers |= {torch.linspace, torch.logspace, torch.empty, torch.scalar_tensor}

    class Float32(torch.overrides.TorchFunctionMode):
        """Tensors of floating-point numbers that name no dtype are float32, in this thread."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            is_named = "dtype" in (kwargs or {})
            if func in makers and not is_named and made.is_floating_point():
                return func(*args, **(kwargs or {}), dtype=torch.float32)
            return made

    return Float32


@contextmanager
def single() -> Iterator[None]:
    """Have tensors without a dtype be float32 inside the block, whatever the user's default is.

    For constructors of other people that name none; in this thread alone, and slow.
    """
    with _float32()():
        yield
