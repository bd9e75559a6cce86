"""Fitting: the hyperparameters of most evidence, for all GPs of a batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research.compiled import by_loops
from hpo_research.device import entries
from hpo_research.gp import compiled_fit as loops
from hpo_research.gp.data import Data
from hpo_research.gp.kernels import Kernel
from hpo_research.gp.likelihood import Hyperparameters, Priors, evidence
from hpo_research.optim import Options, minimise

_ENTRIES = 3 * 2**14  # of the covariances of one block: so few that they stay in the cache
OPTIONS = Options(evaluations=120, gradient=1e-5, decrease=1e-7, prune=(12, 1), is_recordable=True)
_MORE_NOISE = -9.0  # ln σ²
_COUNTS = loops.Counts(
    OPTIONS.limits, OPTIONS.evaluations, OPTIONS.history, OPTIONS.backtracks, *(OPTIONS.prune or ())
)


@dataclass(frozen=True)
class Fit:
    """Of each GP the kernel and the hyperparameters of most evidence, and its logarithm.

    `choice` is the kernel's place among those that were tried, `start` which start led to the first
    one's hyperparameters. The evidence includes the priors; `has_converged` is False where the
    evaluations ran out.
    """

    kernel: Kernel
    hyperparameters: Hyperparameters
    log_evidence: Float[Tensor, " b"]
    choice: Int[Tensor, " b"]
    start: Int[Tensor, " b"]
    has_converged: Bool[Tensor, " b"]

    def take(self, groups: slice, *, choice: int) -> "Fit":
        """Return the fits of some GPs only, as those of a certain choice."""
        return Fit(
            self.kernel.take(groups),
            self.hyperparameters.take(groups),
            self.log_evidence[groups],
            torch.full_like(self.choice[groups], choice),
            self.start[groups],
            self.has_converged[groups],
        )

    def where(self, condition: Bool[Tensor, " b"], other: "Fit") -> "Fit":
        """Return this fit where the condition holds, the other elsewhere."""
        ours, theirs = self.hyperparameters, other.hyperparameters
        each = condition[:, None]
        return Fit(
            Kernel(torch.where(each, self.kernel.coefficients, other.kernel.coefficients)),
            Hyperparameters(
                torch.where(each, ours.lengthscale, theirs.lengthscale),
                torch.where(condition, ours.noise, theirs.noise),
                torch.where(condition, ours.mean, theirs.mean),
            ),
            torch.where(condition, self.log_evidence, other.log_evidence),
            torch.where(condition, self.choice, other.choice),
            torch.where(condition, self.start, other.start),
            torch.where(condition, self.has_converged, other.has_converged),
        )


def fit(
    data: Data,
    kernels: Sequence[Kernel],
    priors: Priors | None = None,
    *,
    warm: Hyperparameters | None = None,
) -> Fit:
    """Maximise the evidence over hyperparameters and kernels, all rows of all GPs in one batch.

    Of the fits of `fits` each GP has the one of most evidence, the first in a tie (the priors are
    the same for all).
    """
    return best(fits(data, kernels, priors, warm=warm))


def best(found: Sequence[Fit]) -> Fit:
    """Return of each GP the fit of most evidence, the first in a tie."""
    most = found[0]
    for one in found[1:]:
        most = most.where(most.log_evidence >= one.log_evidence, one)
    return replace(most, start=found[0].start)


def fits(
    data: Data,
    kernels: Sequence[Kernel],
    priors: Priors | None = None,
    *,
    warm: Hyperparameters | None = None,
) -> list[Fit]:
    """Maximise the evidence with each kernel, all rows of all GPs in one batch.

    The first kernel's starts: the mode of the lengthscales' prior with hardly any noise, the same
    with much, and shorter lengthscales, for functions that vary faster than the prior believes.
    Where `warm` is given, for instance what fitted fewer rows of the same data, it takes the place
    of the last two. After a few steps only the best start goes on. The other kernels start from
    where the first one ended, there with more noise if that has more evidence: a smoother kernel
    with next to none has hardly a factor. A GP's fit does not depend on the others. On the CPU, of
    more than 1000 rows, every start is first followed to its end on 512 of them.
    """
    priors = priors or Priors()
    b, p = data.x.shape[0], data.parameters
    starts = _starts(p, priors).to(data.x).expand(b, -1, -1)
    if warm is not None:
        starts = torch.stack([starts[:, 0], warm.theta.to(data.x)], dim=1)
    own = [kernel.expanded(b, like=data.x) for kernel in kernels]
    if by_loops(data.x, data.y, starts):
        return _fitted_by_loops(data, own, priors, starts.contiguous())
    first = _fitted(data, own[0], priors, starts.contiguous())
    if len(kernels) == 1:
        return [first]
    others = Kernel(torch.cat([kernel.coefficients for kernel in own[1:]]))
    rows = torch.arange(b, device=data.x.device, dtype=torch.int64).repeat(len(kernels) - 1)
    theta = first.hyperparameters.theta[rows]
    noisy = theta.clone()
    noisy[:, -2] = noisy[:, -2].clamp(min=_MORE_NOISE)
    begin = torch.stack([theta, noisy], dim=1)
    rest = _fitted(data.take(rows), others, priors, begin, replace(OPTIONS, prune=(1, 1)))
    return [
        first,
        *(rest.take(slice((i - 1) * b, i * b), choice=i) for i in range(1, len(kernels))),
    ]


def stacked(found: Sequence[Fit]) -> Fit:
    """Return the fits of all kernels as one batch, one kernel after another."""
    hyper = [one.hyperparameters for one in found]
    return Fit(
        Kernel(torch.cat([one.kernel.coefficients for one in found])),
        Hyperparameters(
            torch.cat([h.lengthscale for h in hyper]),
            torch.cat([h.noise for h in hyper]),
            torch.cat([h.mean for h in hyper]),
        ),
        torch.cat([one.log_evidence for one in found]),
        torch.cat([one.choice for one in found]),
        torch.cat([one.start for one in found]),
        torch.cat([one.has_converged for one in found]),
    )


def _fitted(
    data: Data,
    kernel: Kernel,
    priors: Priors,
    starts: Float[Tensor, "b s t"],
    options: Options = OPTIONS,
) -> Fit:
    """Maximise the evidence of each GP's kernel, from starts of its own."""
    lower, upper = (bound.to(data.x).expand_as(starts) for bound in _bounds(data, priors))
    found = minimise(_Loss(data, kernel, priors), starts, lower, upper, options)
    # Where no start could be evaluated, the first one stands.
    loss = found.value[:, 0].nan_to_num(nan=math.inf)
    return Fit(
        kernel,
        Hyperparameters.of(found.x[:, 0]),
        -loss * _scale(data),
        torch.zeros_like(found.row[:, 0]),
        found.row[:, 0],
        found.has_converged[:, 0],
    )


def _fitted_by_loops(
    data: Data, kernels: Sequence[Kernel], priors: Priors, starts: Float[Tensor, "b s t"]
) -> list[Fit]:
    """Do the same on the CPU, with every kernel."""
    b, k, t = len(starts), len(kernels), starts.shape[2]
    coefficients = torch.stack([kernel.coefficients for kernel in kernels])
    found = loops.Found(
        np.empty((k, b, t)),
        np.empty((k, b)),
        np.empty((k, b), np.int64),
        np.empty((k, b), np.int64),
        np.empty((k, b), np.bool_),
    )
    given = (data.x, data.y, data.mask, data.index, coefficients, starts)
    arrays = [tensor.contiguous().numpy() for tensor in given]
    loops.fit_each(*arrays, _prior(data, priors), _COUNTS, _MORE_NOISE, found)
    theta, evidence, row, _, has_converged = (torch.from_numpy(part) for part in found)
    return [
        Fit(
            kernels[i],
            Hyperparameters.of(theta[i]),
            evidence[i].nan_to_num(nan=-math.inf),
            torch.full_like(row[i], i),
            row[i],
            has_converged[i],
        )
        for i in range(k)
    ]


def _prior(data: Data, priors: Priors) -> loops.Prior:
    """Return the priors and bounds as arrays."""
    location, scale, weight, constant = priors.table(data.parameters, data.x.device)
    table = torch.stack([location, scale, weight])
    lower, upper = _bounds(data, priors)
    return loops.Prior(table.numpy(), constant, lower.numpy(), upper.numpy())


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
        size = max(1, entries(x, cached=_ENTRIES) // (s * self.data.x.shape[1] ** 2))
        parts = [self._part(i, size, x[i : i + size]) for i in range(0, b, size)]
        value, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        scale = -1 / _scale(self.data)[:, None]
        return value.reshape(b, s) * scale, gradient.reshape(b, s, t) * scale[..., None]

    def _part(self, first: int, size: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the starts of some GPs, the data of each repeated for them."""
        data, kernel, times = self.data, self.kernel, x.shape[1]
        if size < len(data.x):
            groups = slice(first, first + size)
            data, kernel = data.take(groups), kernel.take(groups)
        if times > 1:
            rows = torch.arange(len(data.x), device=x.device, dtype=torch.int64).repeat_interleave(
                times
            )
            data, kernel = data.take(rows), kernel.take(rows)
        return evidence(x.flatten(0, 1), data, kernel, self.priors)

    def take(self, groups: Int[Tensor, " k"]) -> "_Loss":
        return _Loss(self.data.take(groups), self.kernel.take(groups), self.priors)


def _scale(data: Data) -> Float[Tensor, " b"]:
    return data.count.clamp(min=1.0)


def _starts(parameters: int, priors: Priors) -> Float[Tensor, "s t"]:
    lengthscale = priors.location(parameters) - priors.lengthscale_scale**2
    rows = [(lengthscale, -13.0), (lengthscale, -2.0), (lengthscale - 1.2, -9.0)]
    starts = [[scale] * parameters + [noise, 0.0] for scale, noise in rows]
    return torch.tensor(starts, dtype=torch.float64)


def _bounds(data: Data, priors: Priors) -> tuple[Tensor, Tensor]:
    ends = [
        [math.log(priors.lengthscale_bounds[i])] * data.parameters
        + [math.log(priors.noise_bounds[i]), (-10.0, 10.0)[i]]
        for i in (0, 1)
    ]
    return torch.tensor(ends[0], dtype=torch.float64), torch.tensor(ends[1], dtype=torch.float64)
