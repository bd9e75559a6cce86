"""A GPU that is not here: tensors that claim to be on `cuda:0`, and whose numbers are on the CPU.

    with gpu() as card, used("cuda:0"):
        strategy.ask(runs, slots)
    card.looks  # what the host waited for

For every operation PyTorch's `FakeTensorMode` says what the card would make of it: shape, dtype,
strides and device, or that it mixes devices. The numbers are computed beside it, and answer what
the host asks for (`item`, `tolist`, `nonzero`, a mask as an index), so that whole asks and epochs
go through the code for a GPU. A tensor made without a device is on the CPU, as it would be.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from hpo_research import device

CARD, CPU, META = torch.device("cuda:0"), torch.device("cpu"), torch.device("meta")
_BY_VALUE = (DataDependentOutputException, DynamicOutputShapeException)


class OnCard(Tensor):
    """A tensor that claims to be on the card; `numbers` are on the CPU, laid out as there."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor, place: torch.device = CARD) -> "OnCard":
        """Claim a place for numbers."""
        made = Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=place,
        )
        made.numbers = numbers
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refuse: the card is gone."""
        raise AssertionError(f"{func}: a tensor of the pretended GPU outlived it")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Go on without what torch's binding does for a device before an operation."""
        with torch._C.DisableTorchFunctionSubclass():
            return _UNGUARDED.get(func, func)(*args, **(kwargs or {}))

    def __repr__(self, **_: Any) -> str:
        """Show the numbers."""
        return f"OnCard({self.numbers})"


# --- what torch's binding guards by the device's own library, which may not be here ---


class _Indexed(OnCard):
    """The same for torch's own indexing, whose guard knows the meta device."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Index as torch does."""
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


def _to_index(tensor: Any) -> Any:
    return _Indexed(tensor.numbers, META) if isinstance(tensor, OnCard) else tensor


def _lists(index: Any) -> Any:
    """Return an index whose lists are tensors of the host, as torch makes them."""
    if isinstance(index, tuple):
        return tuple(map(_lists, index))
    if not isinstance(index, list | range):
        return index
    is_mask = any(isinstance(part, bool) for part in index)
    return torch.tensor(index, dtype=torch.bool if is_mask else torch.int64)


def _got(tensor: Any, index: Any) -> Any:
    found = Tensor.__getitem__(_to_index(tensor), _lists(index))
    return OnCard(found.numbers) if isinstance(found, _Indexed) else found


def _set(tensor: Any, index: Any, value: Any) -> None:
    value = value if isinstance(value, Tensor) else torch.tensor(value, dtype=tensor.dtype)
    Tensor.__setitem__(_to_index(tensor), _lists(index), value)


def _new_tensor(tensor: Any, data: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return torch.tensor(data, dtype=dtype or tensor.dtype, device=device or tensor.device)


def _contiguous(tensor: Any, memory_format: Any = torch.contiguous_format) -> Any:
    if tensor.is_contiguous(memory_format=memory_format):
        return tensor
    return tensor.clone(memory_format=memory_format)


_read = torch.ops.aten._local_scalar_dense
_UNGUARDED: dict[Any, Any] = {
    Tensor.__getitem__: _got,
    Tensor.__setitem__: _set,
    Tensor.__invert__: lambda t: t.bitwise_not(),
    Tensor.__bool__: lambda t: bool(_read(t)),
    Tensor.__int__: lambda t: int(_read(t)),
    Tensor.__index__: lambda t: int(_read(t)),
    Tensor.__float__: lambda t: float(_read(t)),
    Tensor.item: lambda t: _read(t),
    Tensor.tolist: lambda t: t.cpu().tolist(),
    Tensor.new: _new_tensor,
    Tensor.new_tensor: _new_tensor,
    Tensor.nonzero: lambda t: torch.ops.aten.nonzero(t),
    Tensor.copy_: lambda t, other: torch.ops.aten.copy_(t, other),
}


# --- the card ---


class _Claim(NamedTuple):
    """What a result would be on the card."""

    shape: torch.Size
    strides: tuple[int, ...]
    dtype: torch.dtype
    is_there: bool

    @classmethod
    def of(cls, fake: Any) -> "_Claim | None":
        """Read it off a fake tensor; None for what is no tensor."""
        if not isinstance(fake, Tensor):
            return None
        return cls(fake.shape, fake.stride(), fake.dtype, fake.device == CARD)


_known: dict[Any, list[_Claim | None] | None] = {}  # of an operation, by what it is given


class _Claims(FakeTensorMode):
    """Fake tensors that touch no device's library, be there a card or none."""

    # Without the wrapper that would import the compiler of torch, seconds for nothing.
    __torch_dispatch__ = inspect.unwrap(FakeTensorMode.__torch_dispatch__)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @property
    def avoid_device_init(self) -> bool:
        """Make constants on the CPU and move them."""
        return True


class Card(TorchDispatchMode):
    """Computes what is there, as it claims; `looks` names what the host waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or every operation passes through it once it is imported

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU what is there, and as it claims what has to do with the card."""
        kwargs = kwargs or {}
        given = _Given()
        numbers = given.read(args)
        options = {name: given.read(value) for name, value in kwargs.items()}
        if not given.is_there:
            with torch._C._DisableTorchDispatch():
                return func(*args, **kwargs)
        key = (func, *kwargs, *given.key)
        if func.is_view:  # laid out as what it is a view of
            claims = None
        elif key in _known:
            claims = _known[key]
        else:
            claims = _known[key] = self._claimed(func, args, kwargs)
        is_waited_for = claims is None or any(claim and not claim.is_there for claim in claims)
        if is_waited_for and not func.is_view:
            self.looks.append(func.name())
        rest = iter(claims or ())
        with torch._C._DisableTorchDispatch():
            found = func(*numbers, **options)
            return _mapped(found, lambda one: _placed(one, next(rest, None), given.own))

    @staticmethod
    def _claimed(func: Any, args: Any, kwargs: Any) -> "list[_Claim | None] | None":
        """Ask PyTorch what the card would return, None where that depends on numbers."""
        if func is torch.ops.aten.index.Tensor and any(map(_is_mask, args[1])):
            return None
        given = _mapped(args, _faked)
        try:
            found = func(*given, **{k: _mapped(v, _faked) for k, v in kwargs.items()})
        except _BY_VALUE:
            return None
        return [_Claim.of(one) for one in _leaves(found)]


class _Given:
    """What an operation is given: its numbers, and all that a claim may depend on."""

    def __init__(self) -> None:
        self.is_there = False
        self.own: dict[int, OnCard] = {}
        self.key: list[Any] = []

    def read(self, value: Any) -> Any:
        """Return a value with numbers for tensors of the card, and the CPU for any device."""
        if isinstance(value, Tensor):
            if is_on_card := isinstance(value, OnCard):
                self.own[id(value.numbers)] = value
                self.is_there, value = True, value.numbers
            layout = value.shape, value.stride(), value.storage_offset(), value.dtype
            self.key.append((is_on_card, *layout))
            return value
        if isinstance(value, list | tuple):
            self.key.append(len(value))
            return tuple([self.read(part) for part in value])
        # A number is no matter for a claim, but for an integer, which may be a size.
        self.key.append(float if isinstance(value, float) else value)
        if isinstance(value, torch.device):
            self.is_there |= value in (CARD, META)
            return CPU
        return value


def _faked(leaf: Any) -> Any:
    if not isinstance(leaf, Tensor):
        return CARD if isinstance(leaf, torch.device) and leaf == META else leaf
    numbers = leaf.numbers if isinstance(leaf, OnCard) else leaf
    size = numbers.untyped_storage().nbytes() // numbers.element_size()
    place = CARD if isinstance(leaf, OnCard) else CPU
    whole = torch.empty(size, dtype=leaf.dtype, device=place)
    layout = numbers.shape, numbers.stride(), numbers.storage_offset()
    return torch.ops.aten.as_strided(whole, *layout)


def _placed(numbers: Any, claim: "_Claim | None", own: dict[int, OnCard]) -> Any:
    """Return a result as what it claims to be: of the card, or of the host."""
    if not isinstance(numbers, Tensor):
        return numbers
    if id(numbers) in own:
        return own[id(numbers)]
    if claim is None:
        return OnCard(numbers)
    assert (numbers.shape, numbers.dtype) == (claim.shape, claim.dtype)
    if not claim.is_there:
        return numbers
    if numbers.stride() != claim.strides and 0 not in numbers.shape:
        laid = torch.empty_strided(claim.shape, claim.strides, dtype=claim.dtype)
        numbers = laid.copy_(numbers)
    return OnCard(numbers)


def _is_mask(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.dtype == torch.bool


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested tuples and lists with their leaves changed, all as tuples."""
    if isinstance(value, list | tuple):
        return tuple(_mapped(part, change) for part in value)
    return change(value)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


@contextmanager
def gpu(memory: int = 1 << 36) -> Iterator[Card]:
    """Have a card of so many free bytes inside the block."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(device, "_has_driver", lambda: True)
        patched.setattr(torch.cuda, "is_available", lambda: True)
        patched.setattr(torch.cuda, "device_count", lambda: 1)
        patched.setattr(torch.cuda, "mem_get_info", lambda _=None: (memory, memory))
        patched.setattr(torch.cuda, "get_device_name", lambda _=None: "a pretended GPU")
        # Not in the table, since PyTorch itself calls it where it computes what fakes claim.
        patched.setattr(Tensor, "contiguous", _contiguous)
        _forget()
        try:
            with _Claims(), Card() as card:
                yield card
        finally:
            _forget()


def _forget() -> None:
    """Empty the package's caches: no tensor of a card that is not here may outlive it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "hpo_research":
            for kept in list(vars(module).values()):
                if isinstance(kept, functools._lru_cache_wrapper):
                    kept.cache_clear()
