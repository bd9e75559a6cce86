"""A step of a search on a GPU as a CUDA graph: its launches are recorded once, then replayed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hpo_research.device import has_graphs


def is_recorded(x: Tensor) -> bool:
    """Return whether the steps of a search on these are to be recorded."""
    return x.is_cuda and has_graphs()


def recorded(step: Callable[[], Sequence[Tensor]], into: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
    """Record a step that reads some tensors, and writes what it returns over them.

    The step is first made once for nothing, which fills what libraries and caches keep. It may
    neither wait for the device nor copy anything there (`tests/test_recordable.py`).
    """
    with torch.cuda.device(into[0].device):
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            step()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for old, new in zip(into, step(), strict=True):
                old.copy_(new)
    return graph
