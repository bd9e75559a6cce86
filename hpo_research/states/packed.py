"""Packing: a state as bytes."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from safetensors.torch import save
from torch import Tensor

from hpo_research.errors import StateError
from hpo_research.states.skeleton import SKELETON, Skeleton, as_bytes
from hpo_research.states.state import State
from hpo_research.states.unpacking import unpack


class Packed(Mapping[Any, Any]):
    """A state that is packed: immutable, equal where its bytes are, and read like the state.

    `content` is a safetensors file: the memory of the tensors, each block once, and a skeleton in
    JSON.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def _state(self) -> State:
        return unpack(self.content)

    def __getitem__(self, key: Any) -> Any:
        return self._state[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            return other.content == self.content
        return Mapping.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(self.content)

    def __reduce__(self) -> tuple[type["Packed"], tuple[bytes]]:
        return Packed, (self.content,)

    def __repr__(self) -> str:
        return f"Packed({len(self.content)} bytes)"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it, which training from the beginning gives too."""
        return self.content == _EMPTY


def pack(state: State) -> Packed:
    """Pack a state; what is packed comes back as it is.

    Tensors are kept with their values, shapes, dtypes and strides; those that share memory (tied
    weights, views) share it afterwards. They come back on the CPU, without a graph. Raises
    `StateError` that names the entry which cannot be kept.
    """
    if isinstance(state, Packed):
        return state
    if not isinstance(state, Mapping):
        raise StateError(f"expected a dict of names to tensors, got a {type(state).__name__}")
    skeleton = Skeleton()
    plain = state if type(state) in (dict, OrderedDict) else dict(state)
    tree = skeleton.of(plain, "state", 0)
    blocks = {str(number): block for number, block in enumerate(skeleton.blocks.contents())}
    text = json.dumps({"tree": tree, "starts": skeleton.blocks.starts()})
    tensors: dict[str, Tensor] = {SKELETON: as_bytes(text.encode()), **blocks}
    return Packed(save(tensors))


def copied(state: State | None) -> State | None:
    """Return a state of its own, equal to what was packed; None where there is none."""
    return None if state is None else unpack(pack(state).content)


_EMPTY = pack({}).content
