"""Random streams: independent, named, derived by counter and never global.

A stream is a value. `Stream(seed).at("trial", 7).at("noise", 3)` names one place in the
experiment; whatever is drawn there is the same in every process, order and batch. The path is
hashed (BLAKE2b) into the key of a Philox counter generator (Salmon et al., SC 2011), so streams
with different paths are independent. Draws are made by NumPy on the CPU; those `like` a tensor are
moved to its device by the tensor itself, so that this module needs no torch.
"""

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from hpo_research import heavy


class _Tensor(Protocol):
    """What draws are made like: a tensor of torch."""

    def new_tensor(self, data: Any) -> Any: ...


Tensor = TypeVar("Tensor", bound=_Tensor)


class _Key(ISeedSequence):
    """The key of a stream, given to NumPy as a seed.

    Given as `key=` it is the same key, but NumPy first draws a seed from the system, and drops it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> "np.ndarray":
        """Return the key in two words of 64 bits, which is all that Philox asks for."""
        return np.frombuffer(self._key, "<u8").astype(np.uint64, copy=False)


@dataclass(frozen=True)
class Stream:
    """A named random stream; every draw starts at the stream's own beginning."""

    seed: int
    path: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        # The key is hashed from the text of both, so NumPy's integers must read as Python's.
        object.__setattr__(self, "seed", operator.index(self.seed))
        object.__setattr__(self, "path", tuple(_plain(name) for name in self.path))

    def at(self, *names: str | int) -> "Stream":
        """Return the stream below this one with the given names."""
        below = object.__new__(Stream)  # of a seed and names that have been looked at
        below.__dict__.update(seed=self.seed, path=(*self.path, *map(_plain, names)))
        return below

    def generator(self) -> np.random.Generator:
        """Return a fresh NumPy generator at the beginning of this stream."""
        return np.random.Generator(np.random.Philox(_Key(self._key())))  # type: ignore[arg-type]

    def integer(self) -> int:
        """Return 63 bits for libraries that want a seed of their own."""
        return int.from_bytes(self._key(), "little") >> 65

    def uniform(self, *shape: int, like: Tensor) -> Tensor:
        """Draw from U[0, 1) in float64, then move to the dtype and device of `like`."""
        drawn: Tensor = like.new_tensor(self.generator().random(shape))
        return drawn

    def normal(self, *shape: int, like: Tensor) -> Tensor:
        """Draw from N(0, 1) in float64, then move to the dtype and device of `like`."""
        drawn: Tensor = like.new_tensor(self.generator().standard_normal(shape))
        return drawn

    def permutation(self, n: int) -> "heavy.torch.Tensor":
        """Draw a permutation of 0..n-1, int64 on the CPU."""
        return heavy.torch.from_numpy(self.generator().permutation(n))

    def _key(self) -> bytes:
        text = repr((self.seed, self.path)).encode()
        return hashlib.blake2b(text, digest_size=16).digest()


@contextmanager
def lent(stream: Stream, device: str = "cpu") -> Iterator[None]:
    """Have torch's global generators follow a stream inside the block, and restore them after it.

    For other people's models that draw globally and take no generator; of this package, nothing
    else may. `device` is where they compute, besides the CPU.
    """
    torch = heavy.torch
    here = torch.device(device)
    with torch.random.fork_rng(devices=[here] if here.type == "cuda" else []):
        torch.default_generator.manual_seed(stream.integer())
        if here.type == "cuda":
            torch.cuda.default_generators[here.index or 0].manual_seed(stream.integer())
        yield


def _plain(name: str | int) -> str | int:
    return str(name) if isinstance(name, str) else operator.index(name)
