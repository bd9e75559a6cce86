"""The memory under tensors: each block once, whatever tensors lie in it."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

ALIGNMENT = 64  # of torch's allocator; libraries take other paths, with other bits, elsewhere

Span = tuple[int, int]
"""The first byte and the one after the last, counted from the beginning of a storage."""


def span(offset: int, shape: Sequence[int], stride: Sequence[int], itemsize: int) -> Span:
    """Return the bytes that a tensor with at least one element lies in; `offset` is in bytes."""
    last = sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    return offset, offset + (last + 1) * itemsize


class Blocks:
    """The memory that the tensors of a state lie in: of each storage, the part that is used."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._tensors: list[Tensor] = []  # kept, so that no other storage gets the same address
        self._spans: list[Span] = []

    def enter(self, tensor: Tensor) -> tuple[int, int]:
        """Note the memory of a dense tensor; return the block's number and the offset in bytes.

        Raises `ValueError` where there is less memory than the tensor says.
        """
        storage = tensor.untyped_storage()
        itemsize = tensor.element_size()
        offset = int(tensor.storage_offset()) * itemsize
        low, high = span(offset, tensor.shape, tensor.stride(), itemsize)
        if high > storage.nbytes():
            raise ValueError(f"{high} bytes of which there are {storage.nbytes()}")
        place = (str(tensor.device), storage.data_ptr())
        number = self._numbers.setdefault(place, len(self._tensors))
        if number == len(self._tensors):
            self._tensors.append(tensor)
            self._spans.append((low, high))
        else:
            known = self._spans[number]
            self._spans[number] = (min(low, known[0]), max(high, known[1]))
        return number, offset

    def starts(self) -> list[int]:
        """Return where each block begins in its storage, in bytes."""
        return [low // ALIGNMENT * ALIGNMENT for low, _ in self._spans]

    def contents(self) -> list[Tensor]:
        """Return the bytes of each block, on the CPU."""
        found = []
        for tensor, start, (_, high) in zip(self._tensors, self.starts(), self._spans, strict=True):
            raw = torch.empty(0, dtype=torch.uint8, device=tensor.device)
            raw.set_(tensor.untyped_storage(), start, (high - start,), (1,))
            found.append(raw.cpu())
        return found


def placed(content: UInt8[Tensor, " n"]) -> UInt8[Tensor, " n"]:
    """Copy the bytes of a block into memory that is aligned as torch's own."""
    return torch.empty(content.shape, dtype=torch.uint8).copy_(content)


def view(
    block: UInt8[Tensor, " n"],
    offset: int,
    *,
    dtype: torch.dtype,
    shape: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """Return the tensor that lies in a block; `offset` is in bytes from the block's beginning.

    Raises `ValueError` where the block does not hold it.
    """
    empty = torch.empty(0, dtype=dtype)
    low, high = span(offset, shape, stride, empty.element_size())
    is_inside = 0 <= low <= high <= block.numel() and min(shape, default=1) > 0
    if not is_inside or min(stride, default=0) < 0 or offset % empty.element_size():
        raise ValueError(f"bytes {low} to {high} of {block.numel()}")
    storage = block.untyped_storage()
    return empty.set_(storage, offset // empty.element_size(), tuple(shape), tuple(stride))
