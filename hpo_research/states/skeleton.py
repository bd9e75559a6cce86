"""The skeleton of a state: everything but the memory of its tensors, as plain JSON.

None, True, False, strings, floats and integers of 64 bits are themselves; everything else is a list
that begins with its tag. `unpacking.py` reads what is written here.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpo_research.errors import StateError
from hpo_research.states.memory import Blocks

SKELETON = "hpo_research state 1"
"""The name of the skeleton among the blocks of a file."""

SEQUENCES: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "size": torch.Size,
}
COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}
KINDS = "biufcmMSU"
"""The kinds of NumPy's dtypes that are nothing but their bytes."""

Json = Any

_TAGS = {kind: tag for tag, kind in SEQUENCES.items()}
_DEPTH = 100
_PLAIN = (str, float, bool, type(None))
_WANTED = (
    "expected tensors, NumPy arrays, numbers, strings, bytes and None, in dicts, lists, tuples and "
    "sets; of a module, an optimiser or a generator give its state_dict() or its state"
)


class Skeleton:
    """What a state is made of, and the memory its tensors lie in."""

    def __init__(self) -> None:
        self.blocks = Blocks()

    def of(self, value: object, path: str, depth: int) -> Json:
        """Return a value as JSON; `path` is how it is reached. Raises `StateError`."""
        if depth > _DEPTH:
            raise StateError(f"{path[:80]}... is nested more than {_DEPTH} deep, or holds itself")
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return _integer(value)
        if kind in _TAGS:
            return self._sequence(value, path, depth)
        if kind in (dict, OrderedDict):
            return self._mapping(value, path, depth)
        if isinstance(value, Tensor):
            return self._tensor(value, path, depth)
        if kind is np.ndarray or isinstance(value, np.generic):
            return self._array(value, path)
        return self._other(value, path)

    def _other(self, value: Any, path: str) -> Json:
        kind = type(value)
        if kind in (bytes, bytearray):
            return [kind.__name__, self._raw(value)]
        if kind is complex:
            return ["complex", value.real, value.imag]
        if kind is torch.dtype:
            return ["dtype", _name(value)]
        if kind is torch.device:
            return ["device", str(value)]
        raise StateError(f"{path} is a {kind.__name__}; {_WANTED}")

    def _sequence(self, value: Any, path: str, depth: int) -> Json:
        items = [self.of(x, f"{path}[{i}]", depth + 1) for i, x in enumerate(value)]
        return [_TAGS[type(value)], *items]

    def _mapping(self, value: Any, path: str, depth: int) -> Json:
        pairs = []
        for key, item in value.items():
            if isinstance(key, Tensor):
                raise StateError(f"{path} has a tensor as a key; use a name or a number")
            name = self.of(key, f"{path}: the key {key!r}"[:200], depth + 1)
            pairs.append([name, self.of(item, f"{path}[{key!r}]", depth + 1)])
        if type(value) is dict:
            return ["dict", pairs]
        # The versions of its modules, which `load_state_dict` reads.
        versions = getattr(value, "_metadata", None)
        return ["ordered", pairs, self.of(versions, f"{path}._metadata", depth + 1)]

    def _tensor(self, value: Tensor, path: str, depth: int) -> Json:
        _check(value, path)
        plain = value.detach()
        try:
            body = self._body(plain.resolve_conj().resolve_neg(), path, depth)
        except (RuntimeError, NotImplementedError, ValueError) as error:
            raise StateError(f"{path} is a tensor whose memory cannot be read ({error})") from error
        is_parameter = isinstance(value, torch.nn.Parameter)
        if not is_parameter and not (value.is_leaf and value.requires_grad):
            return body
        return ["parameter" if is_parameter else "leaf", body, value.requires_grad]

    def _body(self, plain: Tensor, path: str, depth: int) -> Json:
        shape = list(plain.shape)
        if plain.layout == torch.sparse_coo:
            parts = [self._body(part, path, depth) for part in (plain._indices(), plain._values())]
            return ["coo", *parts, shape, plain.is_coalesced()]
        if plain.layout in COMPRESSED:
            names = (*COMPRESSED[plain.layout], "values")
            parts = [self._body(getattr(plain, name)(), path, depth) for name in names]
            return ["compressed", _name(plain.layout), *parts, shape]
        # Without an element there is no memory to keep.
        number, offset = self.blocks.enter(plain) if plain.numel() else (None, 0)
        return ["tensor", number, offset, _name(plain.dtype), shape, list(plain.stride())]

    def _array(self, value: Any, path: str) -> Json:
        array = np.asarray(value)
        if array.dtype.kind not in KINDS or array.dtype.metadata:
            raise StateError(
                f"{path} is an array of {array.dtype}; expected numbers, booleans, dates or "
                "strings of a fixed length"
            )
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        raw = self._raw(array.tobytes("A"))  # in its own order
        tag = "array" if isinstance(value, np.ndarray) else "scalar"
        return [tag, raw, array.dtype.str, list(array.shape), order]

    def _raw(self, content: bytes | bytearray) -> Json:
        return self._body(as_bytes(content), "", 0) if content else None


def as_bytes(content: bytes | bytearray) -> Tensor:
    """Return a copy of bytes as a tensor."""
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8).copy())


def _name(thing: torch.dtype | torch.layout) -> str:
    return str(thing).removeprefix("torch.")


def _integer(value: Any) -> Json:
    return value if -(2**63) <= value < 2**63 else ["integer", hex(value)]


def _check(value: Tensor, path: str) -> None:
    """Raise `StateError` where a tensor is of a kind that cannot be kept."""
    if type(value) not in (Tensor, torch.nn.Parameter):
        raise StateError(f"{path} is a {type(value).__name__}; give a plain tensor of its values")
    if value.is_meta:
        raise StateError(f"{path} is a tensor on the meta device, without values; give a real one")
    if value.is_quantized or value.is_nested or value.is_mkldnn:
        raise StateError(
            f"{path} is a quantized, nested or oneDNN tensor; give its dequantize(), unbind() or "
            "to_dense()"
        )
