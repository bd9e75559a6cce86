"""A step of a search on a GPU as a CUDA graph: its launches are recorded once, then replayed.

Written and off (`device.used(..., graphs=True)`): no GPU was available to measure or run them. What
can be proved without one is that a step of a fit or a search, on the meta device, copies nothing
from the host and looks at no number, and that a replayed search ends at the same bits. Where there
is one, `python -m benchmarks.gpu` says whether one matrix alone and large ones can be recorded, and
times both ways. Learning curves and BoTorch's acquisition functions are
not recorded. A factor that fails inside a fit there gets no jitter: to see it fail is to wait.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

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
    device = into[0].device
    with torch.cuda.device(device):
        beside = _beside(device)
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            step()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=beside):
            for old, new in zip(into, step(), strict=True):
                old.copy_(new)
    return graph


@lru_cache(maxsize=16)
def _beside(device: torch.device) -> torch.cuda.Stream:
    """Return a device's stream for recording: libraries keep a workspace for each."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
