"""Unpacking: the state that was packed, made anew."""

import json
import struct
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from hpo_research.errors import StateError
from hpo_research.states.memory import placed, view
from hpo_research.states.skeleton import COMPRESSED, KINDS, SEQUENCES, SKELETON, Json
from hpo_research.states.state import State

_TAGS = {
    *("dict", "ordered", "integer", "complex", "dtype", "device", "bytes", "bytearray"),
    *("array", "scalar", "tensor", "coo", "compressed", "leaf", "parameter"),
}
_LAYOUTS = {str(layout).removeprefix("torch."): layout for layout in COMPRESSED}


def unpack(content: bytes) -> State:
    """Return the state that was packed, on the CPU, sharing no memory with any other.

    Raises `StateError` where the bytes are not a packed state.
    """
    try:
        tensors = load(content)
        skeleton = tensors.pop(SKELETON, None)
        if skeleton is None:  # of a version that kept contiguous tensors alone, by their names
            return {name: tensor.clone() for name, tensor in tensors.items()}
        known = json.loads(skeleton.numpy().tobytes())
        blocks = [placed(tensors[str(number)]) for number in range(len(known["starts"]))]
        state = _Flesh(blocks, known["starts"]).of(known["tree"])
    except (
        *(SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(RuntimeError, OverflowError, struct.error),
    ) as error:
        raise StateError(f"no packed state, or a damaged one ({error})") from error
    if not isinstance(state, Mapping):
        raise StateError(f"no packed state: holds a {type(state).__name__}, not a dict")
    return state


class _Flesh:
    """Values made from their JSON and the blocks of memory that their tensors lie in."""

    def __init__(self, blocks: Sequence[Tensor], starts: Sequence[int]) -> None:
        self._blocks = blocks
        self._starts = starts

    def of(self, tree: Json) -> Any:
        if not isinstance(tree, list):
            return tree
        tag, *rest = tree
        if tag in SEQUENCES:
            return SEQUENCES[tag]([self.of(item) for item in rest])
        if tag not in _TAGS:
            raise ValueError(f"an entry of the kind {tag!r}")
        return getattr(self, f"_{tag}")(*rest)

    def _dict(self, pairs: Json) -> Any:
        return {self.of(key): self.of(item) for key, item in pairs}

    def _ordered(self, pairs: Json, versions: Json) -> Any:
        found: Any = OrderedDict(self._dict(pairs))
        if versions is not None:
            found._metadata = self.of(versions)
        return found

    def _integer(self, text: str) -> int:
        return int(text, 16)

    def _complex(self, real: float, imaginary: float) -> complex:
        return complex(real, imaginary)

    def _dtype(self, name: str) -> torch.dtype:
        found = getattr(torch, name)
        if not isinstance(found, torch.dtype):
            raise ValueError(f"{name} is no dtype")
        return found

    def _device(self, name: str) -> torch.device:
        return torch.device(name)

    def _bytes(self, raw: Json) -> bytes:
        return b"" if raw is None else bytes(self.of(raw).numpy().tobytes())

    def _bytearray(self, raw: Json) -> bytearray:
        return bytearray(self._bytes(raw))

    def _array(self, raw: Json, dtype: str, shape: Sequence[int], order: str) -> Any:
        kind = np.dtype(dtype)
        if kind.kind not in KINDS:
            raise ValueError(f"an array of {kind}")
        flat = np.frombuffer(self._bytearray(raw), dtype=kind)
        return flat.reshape(shape, order="F" if order == "F" else "C")

    def _scalar(self, raw: Json, dtype: str, shape: Sequence[int], order: str) -> Any:
        return self._array(raw, dtype, shape, order)[()]

    def _tensor(
        self, number: int | None, offset: int, dtype: str, shape: Json, stride: Json
    ) -> Tensor:
        kind = self._dtype(dtype)
        if number is None:
            if 0 not in shape:
                raise ValueError("a tensor without memory")
            return torch.empty_strided(shape, stride, dtype=kind)
        begin = offset - self._starts[number]
        return view(self._blocks[number], begin, dtype=kind, shape=shape, stride=stride)

    def _coo(self, indices: Json, values: Json, shape: Json, is_coalesced: bool) -> Tensor:
        return torch.sparse_coo_tensor(
            self.of(indices),
            self.of(values),
            shape,
            is_coalesced=is_coalesced,
            check_invariants=True,
        )

    def _compressed(
        self, layout: str, outer: Json, inner: Json, values: Json, shape: Json
    ) -> Tensor:
        outer, inner, values = (self.of(part) for part in (outer, inner, values))
        with warnings.catch_warnings():  # that the layout is in beta: said when it was first made
            warnings.simplefilter("ignore", UserWarning)
            return torch.sparse_compressed_tensor(
                outer, inner, values, shape, layout=_LAYOUTS[layout], check_invariants=True
            )

    def _leaf(self, tensor: Json, requires_grad: bool) -> Tensor:
        found: Tensor = self.of(tensor)
        return found.requires_grad_(requires_grad)

    def _parameter(self, tensor: Json, requires_grad: bool) -> Tensor:
        return torch.nn.Parameter(self.of(tensor), requires_grad=requires_grad)
