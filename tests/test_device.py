import re

import pytest
import torch

from hpo_research import device
from hpo_research.device import in_parts, resolve
from hpo_research.errors import DeviceError


@pytest.fixture
def devices(monkeypatch):
    """Pretend that the machine has this many CUDA devices."""

    def pretend(count):
        monkeypatch.setattr(device, "_has_driver", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_name_resolves_to_one_device(devices, name, count, device):
    devices(count)
    assert resolve(name) == device


def test_the_default_is_auto(devices):
    devices(0)
    assert resolve() == "cpu"


@pytest.mark.parametrize(("name", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_device_that_is_not_here_is_refused(devices, name, count):
    devices(count)
    expected = f"device={name!r}: this machine has {count} CUDA devices; use auto or cpu"
    with pytest.raises(DeviceError, match=re.escape(expected)):
        resolve(name)


@pytest.mark.parametrize(
    "name", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cuda:0:1", "mps", 0, None]
)
def test_an_unknown_name_is_refused(devices, name):
    devices(2)
    with pytest.raises(DeviceError, match=r"device=.*: expected auto, cpu or cuda:N"):
        resolve(name)


FULL = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "cpu": RuntimeError(
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
    ),
    "numpy": MemoryError("Unable to allocate 2 GiB"),
}


@pytest.fixture
def crowded():
    """Compute at most so many at once; what was tried is kept in `tried`."""

    def compute(items):
        compute.tried.append(len(items))
        if len(items) > compute.most:
            raise compute.error
        return [item * item for item in items]

    compute.tried, compute.most, compute.error = [], 2, FULL["cuda"]
    return compute


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_what_does_not_fit_in_memory_is_computed_by_halves(crowded, error):
    crowded.error = error
    assert in_parts(range(5), crowded) == [0, 1, 4, 9, 16]
    assert crowded.tried == [5, 3, 2, 1, 2]


def test_what_does_not_fit_alone_says_so(crowded):
    crowded.most = 0
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        in_parts(range(4), crowded)
    assert crowded.tried == [4, 2, 1]


def test_another_error_is_not_taken_for_a_full_memory(crowded):
    crowded.error = RuntimeError("linalg.cholesky: not positive definite")
    with pytest.raises(RuntimeError, match="not positive definite"):
        in_parts(range(4), crowded)
    assert crowded.tried == [4]


def test_how_much_is_free_is_asked_again_when_it_has_run_out(crowded, monkeypatch):
    free = iter([1600, 160])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (next(free), 1600))
    there = torch.device("cuda:63")  # nobody's, so that no other test has asked
    assert [device._free(there), device._free(there)] == [1600, 1600]
    in_parts(range(4), crowded)
    assert device._free(there) == 160
    device._free.cache_clear()
