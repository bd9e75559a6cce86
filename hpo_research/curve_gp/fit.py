"""Where the evidence of a GP over configuration and epoch is largest, from a few starts."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.curve_gp.covariance import NAMES, CurveHyperparameters
from hpo_research.curve_gp.data import Curves
from hpo_research.curve_gp.likelihood import CurvePriors, curve_evidence
from hpo_research.device import entries
from hpo_research.gp.kernels import Kernel
from hpo_research.optim import Options, minimise

OPTIONS = Options(evaluations=60, gradient=1e-4, decrease=1e-5, prune=(8, 1))
_WARM = (4, 1)  # where one start is the last fit, nearly always the best of them
_ENTRIES = 3 * 2**15  # of the covariances of one block, so few that they stay in the cache


@dataclass(frozen=True)
class CurveFit:
    """The hyperparameters of most evidence, and its logarithm, priors included."""

    hyperparameters: CurveHyperparameters
    log_evidence: Float[Tensor, " b"]


def fit_curves(
    curves: Curves,
    kernel: Kernel,
    priors: CurvePriors | None = None,
    *,
    warm: CurveHyperparameters | None = None,
) -> CurveFit:
    """Maximise the evidence from a few starts, all rows of all GPs in one batch.

    The starts: the priors' locations; the same with shorter lengthscales and more noise; and, in
    the place of the latter where it is given, `warm`. A GP's fit does not depend on the others.
    """
    priors = priors or CurvePriors()
    table = priors.table(curves.data.parameters, curves.data.y)
    starts = _starts(table).expand(len(curves.epoch), -1, -1)
    if warm is not None:
        starts = torch.stack([warm.theta.to(table), starts[:, 0]], dim=1)
    x = starts.contiguous()
    lower, upper = (bound.expand_as(x) for bound in table[2:])
    objective = _Loss(curves, kernel.expanded(1, like=curves.data.x), priors)
    options = OPTIONS if warm is None else replace(OPTIONS, prune=_WARM)
    found = minimise(objective, x, lower, upper, options)
    loss = found.value[:, 0].nan_to_num(nan=math.inf)
    return CurveFit(CurveHyperparameters(found.x[:, 0]), -loss * _count(curves))


def _starts(table: Float[Tensor, "4 t"]) -> Float[Tensor, "s t"]:
    location, lower, upper = table[0], table[2], table[3]
    noisy = location.clone()
    noisy[: -len(NAMES)] -= 1.2
    noisy[-1] = -3.0
    return torch.stack([location, noisy]).clamp(lower, upper)


@dataclass(frozen=True)
class _Loss:
    """Minus the log evidence an observation, for every start of every GP."""

    curves: Curves
    kernel: Kernel
    priors: CurvePriors

    def __call__(
        self, x: Float[Tensor, "b s t"]
    ) -> tuple[Float[Tensor, "b s"], Float[Tensor, "b s t"]]:
        b, s, t = x.shape
        size = max(1, entries(x, cached=_ENTRIES) // (s * self.curves.epoch.shape[1] ** 2))
        parts = [self._block(x[i : i + size], i) for i in range(0, b, size)]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        scale = -1 / _count(self.curves)[:, None]
        return value.reshape(b, s) * scale, gradient.reshape(b, s, t) * scale[..., None]

    def _block(self, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(first, first + len(x), device=x.device, dtype=torch.int64)
        curves = self.curves.take(rows.repeat_interleave(x.shape[1]))
        return curve_evidence(x.flatten(0, 1), curves, self.kernel, self.priors)

    def take(self, groups: Int[Tensor, " k"]) -> "_Loss":
        return _Loss(self.curves.take(groups), self.kernel, self.priors)


def _count(curves: Curves) -> Float[Tensor, " b"]:
    return curves.data.count.clamp(min=1.0)
