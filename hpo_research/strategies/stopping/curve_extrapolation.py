"""A model of learning curves: a mixture of parametric curves with a discrepancy, in closed form.

Losses of a curve at epochs t, R being the last: y(t) = c + a φ(t) + g(t) + ε. Here φ falls from 1
at the first epoch to 0 at the last, so that c is the final value and a the whole fall; φ is a power
law, a logarithm, an exponential or, for those that start slowly, a Hill curve (a selection from
Domhan, Springenberg and Hutter, IJCAI 2015).
g is Brownian in log t: what no such curve says (Kennedy and O'Hagan, JRSS B 2001), the more the
further one extrapolates. ε is noise. With normal priors for c and a all is Gaussian given a cell: a
shape φ and the standard deviations of g and ε. The cells are a grid; the mixture over them is
weighed by evidence, its prior weights learnt from curves that are complete (empirical Bayes).

No curve is of a cell exactly, and the epochs of one err alike; so the evidence is tempered (as by
Grünwald and van Ommen, Bayesian Analysis 2017): a curve counts as two observations at most. So
intervals for the networks of `digits-mlp` cover about as often as they say, and with all of the
evidence far less often.

Legend of shapes: `n` curves, `t` epochs, `k` cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, ndtr

_POWERS = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0)
_DECAYS = (3.0, 8.0, 20.0)  # time constants that pass in a whole training
_HILLS = ((0.125, 2.0), (0.25, 2.0), (0.25, 4.0), (0.5, 2.0), (0.5, 4.0), (1.0, 2.0))
_DRIFTS = (0.02, 0.1, 0.3, 1.0)  # sd of the discrepancy at the last epoch, in typical falls
_NOISES = (0.001, 0.01, 0.05, 0.2)  # sd of the noise, in typical falls
_MOST_EPOCHS = 32
_STEPS = 20  # of expectation maximisation
_WORTH = 2.0  # observations that a curve counts as at most, where cells are weighed
_SHARED = 5.0  # curves more, shared by all cells, that keep every cell in play


@dataclass(frozen=True)
class Prior:
    """Normal priors of the final value and of the fall, and the weights of the cells.

    `unit` is a typical fall, in which the standard deviations of the cells are.
    """

    max_epochs: int
    unit: float
    final: tuple[float, float]
    fall: tuple[float, float]
    weights: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class Fit:
    """Curves under every cell: tempered log evidence; mean and sd of the last value."""

    evidence: Float[np.ndarray, "n k"]
    mean: Float[np.ndarray, "n k"]
    sd: Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Forecast:
    """What is expected of the values at the last epoch, a mixture of normals for each curve."""

    weights: Float[np.ndarray, "n k"]
    means: Float[np.ndarray, "n k"]
    sds: Float[np.ndarray, "n k"]

    def below(self, bound: float) -> Float[np.ndarray, " n"]:
        """Return the probability that the last value lies below a bound."""
        probability: np.ndarray = (self.weights * ndtr((bound - self.means) / self.sds)).sum(axis=1)
        return probability

    @property
    def mean(self) -> Float[np.ndarray, " n"]:
        """The mean of each mixture."""
        mean: np.ndarray = (self.weights * self.means).sum(axis=1)
        return mean

    @property
    def sd(self) -> Float[np.ndarray, " n"]:
        """The standard deviation of each mixture."""
        second = (self.weights * (self.sds**2 + self.means**2)).sum(axis=1)
        sd: np.ndarray = np.sqrt(np.maximum(second - self.mean**2, 0))
        return sd


def learnt(
    complete: Float[np.ndarray, "n t"], epochs: Sequence[int], last: Float[np.ndarray, " m"]
) -> Prior | None:
    """Learn a prior from complete curves, None where nothing tells how far a curve moves.

    `epochs` are those of their columns, ascending, the last one R. A curve's fall is its first
    value less its last; the unit is the median size of a fall, or where that is 0 the spread of
    `last`, the last values of all curves there are, complete or not. The final value is expected
    about the median of `last`, with twice their spread and at least a unit; the fall about the
    median fall, with twice the spread of falls and at least a quarter of a unit. Spreads are
    1.4826 times the median absolute deviation; a unit of 0 gives None. The weights of the cells are
    those of greatest likelihood, as if five curves more had been shared by all cells.
    """
    falls = complete[:, 0] - complete[:, -1]
    unit = float(np.median(np.abs(falls))) or _spread(last)
    if not 0 < unit < math.inf:
        return None
    final = (float(np.median(last)), max(2 * _spread(last), unit))
    middle = float(np.median(falls))
    fall = (middle, max(2 * _spread(falls), unit / 4))
    k = len(_POWERS) + 1 + len(_DECAYS) + len(_HILLS)
    cells = k * len(_DRIFTS) * len(_NOISES)
    flat = Prior(epochs[-1], unit, final, fall, np.full(cells, 1 / cells))
    evidence = fitted(flat, complete, epochs).evidence
    likelihood = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    weights = flat.weights
    for _ in range(_STEPS):
        shares = likelihood * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = (_SHARED * flat.weights + shares.sum(axis=0)) / (_SHARED + len(complete))
    return Prior(epochs[-1], unit, final, fall, weights)


def forecast(prior: Prior, curves: Float[np.ndarray, "n t"], epochs: Sequence[int]) -> Forecast:
    """Extrapolate curves that were seen at `epochs` to the last epoch."""
    fit = fitted(prior, curves, epochs)
    scores = fit.evidence + np.log(prior.weights)
    weights = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
    return Forecast(weights, fit.mean, fit.sd)


def fitted(prior: Prior, curves: Float[np.ndarray, "n t"], epochs: Sequence[int]) -> Fit:
    """Condition every cell on curves seen at `epochs`; of more than 32 epochs, on 32 of them.

    Values are measured from the expected final value in units of the typical fall, and cut off
    at a million of those, so that a diverged curve is as bad as any other and not infinite.
    """
    chosen = _chosen(len(epochs))
    at = np.asarray(epochs, dtype=float)[chosen]
    origin, unit = prior.final[0], prior.unit
    y = np.clip((curves[:, chosen] - origin) / unit, -1e6, 1e6)
    x = _design(at, prior.max_epochs)  # p t 2
    covariance, cross, own = _residuals(at, prior.max_epochs)  # r t t, r t, r
    factor = np.linalg.cholesky(covariance)
    log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    inverse = np.linalg.inv(factor)
    white_y = inverse @ y.T  # r t n
    white_x = np.swapaxes(inverse[:, None] @ x, -1, -2)  # r p 2 t
    white_c = (inverse @ cross[..., None])[..., 0]  # r t
    precision = (unit / np.array([prior.final[1], prior.fall[1]])) ** 2
    centre = np.array([0.0, prior.fall[0] / unit])
    gram = white_x @ np.swapaxes(white_x, -1, -2) + np.diag(precision)
    root = np.linalg.inv(np.linalg.cholesky(gram))  # r p 2 2
    pull = root @ (white_x @ white_y[:, None] + (precision * centre)[:, None])  # r p 2 n
    square = (white_y**2).sum(axis=1)[:, None] + (precision * centre**2).sum()
    log_gram = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=-1)
    evidence = 0.5 * ((pull**2).sum(axis=2) - square)
    evidence += (log_gram - log_det[:, None] + 0.5 * np.log(precision).sum())[..., None]
    # The last value: c, since φ is 0 there, and what is known of the discrepancy.
    rest = root @ (np.array([1.0, 0.0]) - (white_x @ white_c[:, None, :, None])[..., 0])[..., None]
    mean = (np.swapaxes(rest, -1, -2) @ pull)[:, :, 0]  # r p n
    mean += white_c[:, None] @ white_y
    variance = (own - (white_c**2).sum(axis=1))[:, None] + (rest[..., 0] ** 2).sum(axis=-1)
    n, cells = len(curves), gram.shape[0] * gram.shape[1]
    sd = np.broadcast_to(np.sqrt(variance)[..., None], mean.shape)
    evidence *= min(1.0, _WORTH / len(at))
    rows = [part.reshape(cells, n).T for part in (evidence, mean, sd)]
    return Fit(rows[0], origin + unit * rows[1], unit * rows[2])


def _design(at: Float[np.ndarray, " t"], last: int) -> Float[np.ndarray, "p t 2"]:
    """Return, for each shape, a column of ones and the shape at some epochs."""
    whole = last - 1
    shapes = [(at**-p - last**-p) / (1 - last**-p) for p in _POWERS]
    shapes.append(1 - np.log(at) / math.log(last))
    for passed in _DECAYS:
        end = math.exp(-passed)
        shapes.append((np.exp(-passed * (at - 1) / whole) - end) / (1 - end))
    for middle, power in _HILLS:
        fall, end = 1 / (1 + ((at - 1) / whole / middle) ** power), 1 / (1 + middle**-power)
        shapes.append((fall - end) / (1 - end))
    return np.stack([np.stack([np.ones_like(at), shape], axis=-1) for shape in shapes])


def _residuals(
    at: Float[np.ndarray, " t"], last: int
) -> tuple[Float[np.ndarray, "r t t"], Float[np.ndarray, "r t"], Float[np.ndarray, " r"]]:
    """Return the covariance of g + ε at some epochs, with the last value, and its variance."""
    drift, noise = (grid.ravel() ** 2 for grid in np.meshgrid(_DRIFTS, _NOISES, indexing="ij"))
    log = np.log(at) / math.log(last)
    walk = np.minimum(log[:, None], log[None, :])
    covariance = drift[:, None, None] * walk + noise[:, None, None] * np.eye(len(at))
    return covariance, drift[:, None] * log, drift + noise


def _chosen(count: int) -> list[int]:
    """Return which of many epochs are looked at: evenly in their logarithm, and both ends."""
    if count <= _MOST_EPOCHS:
        return list(range(count))
    spaced = np.geomspace(1, count, _MOST_EPOCHS).round().astype(int) - 1
    return sorted({*spaced.tolist(), count - 1})


def _spread(values: Float[np.ndarray, " n"]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
