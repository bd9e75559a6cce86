"""A step on a GPU never waits for it and brings it nothing: the meta device stands for the GPU.

Whatever would look at a number there fails, and so does an operation on tensors of two devices.
What is copied from the host is found by watching the operations.
"""

import importlib

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hpo_research.acquisition import (
    CRITERIA,
    GPAcquisition,
    MixtureAcquisition,
    PathAcquisition,
    confidence_bound,
)
from hpo_research.acquisition.maximise import _Descent
from hpo_research.gp import KERNELS, Data, Kernel, Priors, condition, fit
from hpo_research.gp.fit import OPTIONS, _Loss
from hpo_research.gp.likelihood import Hyperparameters
from hpo_research.gp.paths import Paths
from hpo_research.optim import lbfgs

B, N, D, PLACES, SAMPLES = 3, 24, 4, 2, 8
OWNER = (0, 1, 1, 2)


class Recordable(TorchDispatchMode):
    """Refuses what a CUDA graph cannot record: looks at numbers, and copies from the host."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")

    def __enter__(self):
        self.patched = pytest.MonkeyPatch()
        for owner, name in COPIES:  # on the meta device no operation shows
            self.patched.setattr(owner, name, _copied)
        for name in ("__getitem__", "__setitem__"):
            self.patched.setattr(torch.Tensor, name, _without_lists(getattr(torch.Tensor, name)))
        return super().__enter__()

    def __exit__(self, *error):
        self.patched.undo()
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").split(".")[0]
        assert name not in self.WAITS, f"{name} waits for the device"
        found = func(*args, **(kwargs or {}))
        every = tree_leaves([args, kwargs, found])
        off = [t for t in every if isinstance(t, torch.Tensor) and t.device.type != "meta"]
        assert not off, f"{name} has to do with {off[0].device}"
        return found


COPIES = [
    (torch, "tensor"),
    (torch, "as_tensor"),
    (torch, "asarray"),
    (torch, "from_numpy"),
    (torch.Tensor, "new_tensor"),
    (torch.Tensor, "new"),
]


def _without_lists(indexed):
    def check(tensor, index, *value):
        parts = index if isinstance(index, tuple) else (index,)
        assert not any(isinstance(part, list) for part in parts), "a list of indices is copied"
        return indexed(tensor, index, *value)

    return check


def _copied(*args, **kwargs):
    raise AssertionError("numbers are copied from the host")


def tensor(*shape, dtype=torch.float64):
    return torch.empty(*shape, dtype=dtype, device="meta")


def data():
    mask = tensor(B, N, dtype=torch.bool)
    return Data.of(tensor(B, N, D), tensor(B, N), mask, OWNER)


def kernel(b=B):
    return Kernel(KERNELS["matern52"].coefficients.to("meta").expand(b, -1))


def loss():
    return _Loss(data(), kernel(), Priors())


def surface(criterion, b=B, pending=True):
    known = data().take(torch.zeros(b, dtype=torch.int64, device="meta"))
    hyper = Hyperparameters(tensor(b, 3), tensor(b), tensor(b))
    posterior = _conditioned(known, hyper)
    found = GPAcquisition(posterior, criterion, tensor(b, 2), tensor(b, SAMPLES, PLACES))
    return found.pending(tensor(b, D)) if pending else found


def _conditioned(known, hyper):
    """Condition as for a GPU; there, outside the loops, one may look whether a factor failed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "hpo_research.gp.posterior.factorised", lambda k, noise, mask: torch.empty_like(k)
        )
        return condition(known, kernel(len(known.x)), hyper, free_rows=PLACES)


def averaged():
    return MixtureAcquisition(surface(CRITERIA["qlogei"], b=2 * B), tensor(B, 2), is_log=True)


def drawn():
    columns, waves = D + 2, 2 * SAMPLES
    paths = Paths(
        kernel(),
        tensor(B),
        tensor(B, D),
        tensor(B, N, D),
        tensor(B, 1, N, 2),
        tensor(B, 1, columns, waves),
        tensor(B, 1, waves, 2),
        tensor(B, 1, waves, columns),
    )
    return PathAcquisition(paths, tensor(B, 3))


OBJECTIVES = {
    "the evidence": loss,
    "the evidence of blocks": loss,
    **{
        f"{name}, {'pending' if pending else 'nothing pending'}": (
            lambda criterion=criterion, pending=pending: _Descent(
                surface(criterion, pending=pending)
            )
        )
        for name, criterion in {**CRITERIA, "ucb": confidence_bound(4.0)}.items()
        for pending in (False, True)
    },
    "functions drawn": lambda: _Descent(drawn()),
    "an average over kernels": lambda: _Descent(averaged()),
}


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_step_of_a_search(name, scaled, monkeypatch):
    if name == "the evidence of blocks":
        monkeypatch.setattr(importlib.import_module(fit.__module__), "_ENTRIES", 2 * N * N)
    objective = OBJECTIVES[name]()
    variables = 5 if "evidence" in name else D
    x, lower, upper = (tensor(B, 2, variables) for _ in range(3))
    if scaled:
        objective = lbfgs._Scaled(objective, tensor(B, 1, variables))
    state = lbfgs._begun(objective, x, lower, upper, OPTIONS)
    with Recordable():
        for _ in range(2):
            state = lbfgs._advanced(objective, state, OPTIONS)
    assert state.x.shape == x.shape and state.x.device.type == "meta"


def test_what_would_wait_is_refused():
    with Recordable(), pytest.raises(AssertionError, match="copied from the host"):
        torch.tensor([1.0], device="meta")
    with Recordable(), pytest.raises(AssertionError, match="copied from the host"):
        torch.as_tensor([1.0], device="meta")
    with Recordable(), pytest.raises(AssertionError, match="list of indices"):
        tensor(3)[[0, 1]]
    with Recordable(), pytest.raises(AssertionError, match="list of indices"):
        tensor(3, 2)[:, [0, 1]] = 1.0
    with Recordable(), pytest.raises(AssertionError, match="nonzero waits"):
        tensor(3).nonzero()
    with Recordable(), pytest.raises(AssertionError, match="has to do with cpu"):
        torch.zeros(3).to("meta")
