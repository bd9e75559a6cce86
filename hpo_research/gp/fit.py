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

_ENTRIES = 3 * 2**14  # of the covariances of one block: so few that they stay in the cache
OPTIONS = Options(evaluations=120, gradient=1e-5, decrease=1e-7, heats=(12, 1))


@dataclass(frozen=True)
class Fit:
    """The hyperparameters of most evidence, its logarithm, and which of the starts led there.

    The evidence includes the priors; `has_converged` is False where the evaluations ran out.
    """

    hyperparameters: Hyperparameters
    log_evidence: Float[Tensor, " b"]
    start: Int[Tensor, " b"]
    has_converged: Bool[Tensor, " b"]


def fit(
    data: Data,
    kernel: Kernel,
    priors: Priors | None = None,
    *,
    warm: Hyperparameters | None = None,
) -> Fit:
    """Maximise the evidence from a few starts, all rows of all GPs in one batch.

    The starts: the mode of the lengthscales' prior with hardly any noise, the same with much, and
    shorter lengthscales, for functions that vary faster than the prior believes. Where `warm` is
    given, for instance what fitted fewer rows of the same data, it takes the place of the last two.
    After a few steps only the best start goes on. A GP's fit does not depend on the others.
    """
    priors = priors or Priors()
    b, p = data.x.shape[0], data.parameters
    lower, upper = (bound.to(data.x) for bound in _bounds(p, priors))
    starts = _starts(p, priors).to(data.x).expand(b, -1, -1)
    if warm is not None:
        starts = torch.stack([starts[:, 0], warm.theta.to(data.x)], dim=1)
    x = starts.contiguous()
    found = minimise(
        _Loss(data, kernel, priors), x, lower.expand_as(x), upper.expand_as(x), OPTIONS
    )
    # Where no start could be evaluated, the first one stands.
    loss = found.value[:, 0].nan_to_num(nan=math.inf)
    return Fit(
        Hyperparameters.of(found.x[:, 0]),
        -loss * _scale(data),
        found.row[:, 0],
        found.has_converged[:, 0],
    )


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
        size = max(1, _ENTRIES // (s * self.data.x.shape[1] ** 2))
        parts = [
            evidence(x[i : i + size].flatten(0, 1), self._repeated(i, size, s), *self._model)
            for i in range(0, b, size)
        ]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        scale = -1 / _scale(self.data)[:, None]
        return value.reshape(b, s) * scale, gradient.reshape(b, s, t) * scale[..., None]

    @property
    def _model(self) -> tuple[Kernel, Priors]:
        return self.kernel, self.priors

    def _repeated(self, first: int, size: int, times: int) -> Data:
        """Return the data of some GPs, those of each so many times."""
        data = self.data
        if size < len(data.x):
            data = data.take(slice(first, first + size))
        if times == 1:
            return data
        rows = torch.arange(len(data.x), device=data.x.device).repeat_interleave(times)
        return data.take(rows)

    def take(self, groups: Int[Tensor, " k"]) -> "_Loss":
        return _Loss(self.data.take(groups), self.kernel, self.priors)


def _scale(data: Data) -> Float[Tensor, " b"]:
    return data.count.clamp(min=1.0)


def _starts(parameters: int, priors: Priors) -> Float[Tensor, "s t"]:
    lengthscale = priors.location(parameters) - priors.lengthscale_scale**2
    rows = [(lengthscale, -13.0), (lengthscale, -2.0), (lengthscale - 1.2, -9.0)]
    starts = [[scale] * parameters + [noise, 0.0] for scale, noise in rows]
    return torch.tensor(starts, dtype=torch.float64)


def _bounds(parameters: int, priors: Priors) -> tuple[Tensor, Tensor]:
    ends = [
        [math.log(priors.lengthscale_bounds[i])] * parameters
        + [math.log(priors.noise_bounds[i]), (-10.0, 10.0)[i]]
        for i in (0, 1)
    ]
    return torch.tensor(ends[0], dtype=torch.float64), torch.tensor(ends[1], dtype=torch.float64)
