"""Tensors as the arrays of compiled loops, and back."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import ascent, loops, screening
from hpo_research.acquisition.ascent import Ends
from hpo_research.acquisition.loops import Members
from hpo_research.acquisition.protocol import AcquisitionFunction
from hpo_research.acquisition.screening import Fixed, Pending
from hpo_research.gp.posterior import Posterior
from hpo_research.optim import Minimum, Options, in_units


@runtime_checkable
class Looped(AcquisitionFunction, Protocol):
    """An acquisition function that compiled loops compute where its tensors are on the CPU."""

    @property
    def arrays(self) -> Members | None:
        """What the loops read; None where tensors must do it: on a GPU, or under autograd."""
        ...

    def after(self, point: Pending) -> "Looped":
        """Return the surfaces when a point is under way that was conditioned on in loops."""
        ...


def arrays_of(
    posterior: Posterior,
    best: Float[Tensor, "b m"],
    criterion: tuple[int, float],
    *,
    known: int,
) -> Members:
    """Return the GPs of runs that have one each; the first `known` rows are no pending points."""
    b, m = best.shape
    points = posterior.deviations
    return Members(
        x=_array(posterior.x),
        columns=_array(posterior.x.transpose(1, 2)),
        whitening=_array(posterior.whitening),
        turned=_array(posterior.whitening.transpose(1, 2)),
        weights=_array(posterior.weights),
        across=_array(posterior.weights.transpose(1, 2)),
        coefficients=_array(posterior.kernel.coefficients.expand(b, -1)),
        scale=_array(posterior.scale),
        mean=_array(posterior.hyperparameters.mean),
        best=_array(best),
        deviations=_array(torch.stack(points, dim=1) if points else best.new_empty(b, 0, m)),
        log_weight=np.zeros((b, 1)),
        criterion=criterion,
        is_log=False,
        known=known,
    )


def _array(tensor: Tensor) -> Any:
    """Return a tensor of the CPU as an array, of the same memory where it is contiguous."""
    return tensor.contiguous().numpy()


def values(members: Members, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
    """Return the acquisition values."""
    value = np.empty(x.shape[:2])
    loops.values(members, _array(x), value, np.empty((len(x), 0, x.shape[2])))
    return torch.from_numpy(value)


def slopes(
    members: Members, x: Float[Tensor, "b q d"]
) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
    """Return the acquisition values and their derivatives."""
    value, gradient = np.empty(x.shape[:2]), np.empty(x.shape)
    loops.values(members, _array(x), value, gradient)
    return torch.from_numpy(value), torch.from_numpy(gradient)


def climbed(
    members: Members,
    x: Float[Tensor, "b s d"],
    bounds: tuple[Float[Tensor, "b s d"], Float[Tensor, "b s d"]],
    spans: Float[Tensor, "b 1 d"],
    options: Options,
) -> Minimum:
    """Return where `minimise` of minus the surface ends, searched in units of the spans."""
    b, s, d = x.shape
    after, kept = options.prune or (options.evaluations, s)
    k = min(kept, s)
    ends = Ends(
        np.empty((b, k, d)),
        np.empty((b, k)),
        np.empty((b, k), np.int64),
        np.empty((b, k), np.bool_),
        np.empty((b, k), np.int64),
    )
    counts = options.evaluations, options.history, options.backtracks, after

    def search(start: Tensor, lower: Tensor, upper: Tensor) -> Minimum:
        arrays = _array(start.clamp(lower, upper)), (_array(lower), _array(upper))
        ascent.climb(members, *arrays, _array(spans[:, 0]), options.limits, counts, ends)
        return Minimum(*(torch.from_numpy(part) for part in ends))

    return in_units(search, x, bounds, spans)


def conditioned(members: Members, x: Float[Tensor, "b d"]) -> Pending:
    """Predict the points that come to be under way."""
    rows, n, d = members.x.shape
    point = Pending(
        np.empty((rows, d)),
        np.empty((rows, n)),
        np.empty((rows, n)),
        np.empty(members.best.shape),
        np.empty(rows),
    )
    screening.conditioned(members, _array(x), point)
    return point


@dataclass(frozen=True)
class Screen:
    """The values of r points, kept up as further points become pending; see `screening`."""

    x: np.ndarray
    fixed: Fixed
    columns: np.ndarray

    @classmethod
    def of(cls, members: Members, x: Float[Tensor, "b r d"]) -> "Screen":
        """Project the points."""
        r, (rows, n, c) = x.shape[1], members.weights.shape
        fixed = Fixed(np.empty((rows, r, n)), np.empty((rows, r, c)), np.empty((rows, r)))
        points = _array(x)
        screening.project(members, points, fixed)
        return cls(points, fixed, np.empty((rows, 0, r)))

    def values(self, members: Members) -> Float[Tensor, "b r"]:
        """Return the acquisition values of the points."""
        value = np.empty(self.x.shape[:2])
        screening.screened(members, self.fixed, self.columns, value)
        return torch.from_numpy(value)

    def pending(self, members: Members, point: Pending) -> "Screen":
        """Return the same when a point is under way, of which the members do not know yet."""
        fixed = self.fixed._replace(variance=self.fixed.variance.copy())
        column = np.empty(fixed.variance.shape)
        screening.entered(members, self.x, fixed, self.columns, point, column)
        return Screen(self.x, fixed, np.concatenate([self.columns, column[:, None]], axis=1))


@dataclass(frozen=True)
class LoopedScores:
    """A surface's values at fixed points, kept up by compiled loops."""

    surface: Looped
    screen: Screen

    def values(self) -> Float[Tensor, "b r"]:
        """Return the acquisition values of the fixed points."""
        return self.screen.values(_read(self.surface))

    def pending(self, x: Float[Tensor, "b d"]) -> "LoopedScores":
        """Return the same when one more point of each run is under way."""
        members = _read(self.surface)
        point = conditioned(members, x)
        return LoopedScores(self.surface.after(point), self.screen.pending(members, point))


def _read(surface: Looped) -> Members:
    assert surface.arrays is not None
    return surface.arrays
