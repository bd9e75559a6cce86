import re

import pytest
import torch

from hpo_research import device
from hpo_research.device import resolve
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
