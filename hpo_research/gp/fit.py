"""Fitting: the hyperparameters of most evidence, for all GPs of a batch."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.gp.data import Data
from hpo_research.gp.evidence import Hyperparameters, Priors, evidence
from hpo_research.gp.kernels import Kernel
from hpo_research.optim import Options, minimise

_ENTRIES = 2**17  # of the covariances of one block: 1 MiB, so that a few stay in the cache
OPTIONS = Options(evaluations=120, gradient=1e-6, decrease=1e-9)


@dataclass(frozen=True)
class Fit:
    """The hyperparameters of most evidence, its logarithm, and which of the starts led there.

    The evidence includes the priors; `has_converged` is False where the evaluations ran out.
    """

    hyperparameters: Hyperparameters
    log_evidence: Float[Tensor, " b"]
    start: Int[Tensor, " b"]
    has_converged: Bool[Tensor, " b"]


def fit(data: Data, kernel: Kernel, priors: Priors | None = None) -> Fit:
    """Maximise the evidence from fixed starts, all rows of all GPs in one batch.

    The starts: the mode of the priors, and a tenth of its lengthscales with a tenth of its noise,
    for functions that vary faster than the priors believe. A GP's fit does not depend on the
    others.
    """
    priors = priors or Priors()
    b, p = data.x.shape[0], data.parameters
    starts = _starts(p, priors).to(data.x)
    lower, upper = (bound.to(data.x) for bound in _bounds(p, priors))
    s = starts.shape[0]
    x = starts[None].expand(b, s, p + 2).contiguous()
    found = minimise(
        _Loss(data, kernel, priors), x, lower.expand_as(x), upper.expand_as(x), OPTIONS
    )
    loss = found.value.nan_to_num(nan=math.inf)
    best = loss.argmin(dim=1)
    rows = torch.arange(b, device=best.device)
    # Where no start could be evaluated, the first one stands: the prior's mode, without data.
    theta = found.x[rows, best]
    value = -loss[rows, best] * _scale(data)
    return Fit(Hyperparameters.of(theta), value, best, found.has_converged[rows, best])


@dataclass(frozen=True)
class _Loss:
    """Minus the log evidence a row of data, for every start of every GP."""

    data: Data
    kernel: Kernel
    priors: Priors

    def __call__(
        self, x: Float[Tensor, "b s t"]
    ) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b s t"]]:
        b, s, t = x.shape
        rows = torch.arange(b, device=x.device).repeat_interleave(s)
        data = self.data.take(rows)
        theta = x.reshape(b * s, t)
        size = max(1, _ENTRIES // data.x.shape[1] ** 2)
        parts = [
            evidence(theta[i : i + size], data.take(slice(i, i + size)), self.kernel, self.priors)
            for i in range(0, b * s, size)
        ]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        scale = _scale(data)
        return (-value / scale).reshape(b, s), (-gradient / scale[:, None]).reshape(b, s, t)

    def take(self, groups: Int[Tensor, " k"]) -> "_Loss":
        return _Loss(self.data.take(groups), self.kernel, self.priors)


def _scale(data: Data) -> Float[Tensor, " b"]:
    return data.count.clamp(min=1.0)


def _starts(parameters: int, priors: Priors) -> Float[Tensor, "s t"]:
    lengthscale = priors.location(parameters) - priors.lengthscale_scale**2
    noise = priors.noise_location - priors.noise_scale**2
    modes = [lengthscale] * parameters + [noise, 0.0]
    short = [lengthscale - math.log(10)] * parameters + [noise - math.log(10), 0.0]
    return torch.tensor([modes, short], dtype=torch.float64)


def _bounds(parameters: int, priors: Priors) -> tuple[Tensor, Tensor]:
    ends = [
        [math.log(priors.lengthscale_bounds[i])] * parameters
        + [math.log(priors.noise_bounds[i]), (-10.0, 10.0)[i]]
        for i in (0, 1)
    ]
    return torch.tensor(ends[0], dtype=torch.float64), torch.tensor(ends[1], dtype=torch.float64)
