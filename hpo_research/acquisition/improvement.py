"""Expected improvement and its logarithm, exact to far below where it underflows."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition.compiled import FAR
from hpo_research.gp.kernels import LOG_2PI


class LogH(NamedTuple):
    """ln h(u) with h(u) = φ(u) + uΦ(u), and its derivative Φ(u)/h(u)."""

    value: Float[Tensor, "..."]
    slope: Float[Tensor, "..."]


def log_h(u: Float[Tensor, "..."]) -> LogH:
    """Return ln(φ(u) + uΦ(u)) and its derivative, to 1e-9 of either for any u up to 1e100."""
    density, mass = normal(u.clamp(min=FAR))
    h = density + u.clamp(min=FAR) * mass
    tail = log_tail(u.clamp(max=FAR))
    is_far = u < FAR
    return LogH(torch.where(is_far, tail.value, h.log()), torch.where(is_far, tail.slope, mass / h))


def normal(u: Float[Tensor, "..."]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return φ(u) and Φ(u), both to nearly all digits down to −37."""
    density = (u * u).mul_(-0.5).sub_(0.5 * LOG_2PI).exp_()
    return density, (u * -math.sqrt(0.5)).erfc_().mul_(0.5)


def log_tail(u: Float[Tensor, "..."]) -> LogH:
    """Return ln h(u) and its derivative for u up to −30, to 1e-10 of either.

    h(u) = φ(u) (1/u²) (1 − 3/u² + 15/u⁴ − 105/u⁶ + 945/u⁸ − ...): what Ament, Daulton, Eriksson,
    Balandat and Bakshy (NeurIPS 2023, arXiv:2310.20708), equation 9, use far out. The derivative
    is (1 − φ/h)/u, since h' = Φ.
    """
    square = (u * u).clamp(max=1e300)
    v = 1 / square
    series = 1 - v * (3 - v * (15 - v * (105 - v * 945)))
    share = v * series
    value = series.log() - square.log() - 0.5 * square - 0.5 * LOG_2PI
    return LogH(value, (share - 1) / (share * u))


def ei(
    mean: Float[Tensor, "..."], variance: Float[Tensor, "..."], best: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the expected improvement E[(best − f)⁺] of f ~ N(mean, variance).

    Mockus (1975); Jones, Schonlau and Welch (J. Global Optimization 1998), equation 15.
    """
    return log_ei(mean, variance, best).exp()


def log_ei(
    mean: Float[Tensor, "..."], variance: Float[Tensor, "..."], best: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return ln E[(best − f)⁺] of f ~ N(mean, variance); see `log_h`."""
    deviation = variance.sqrt()
    return log_h((best - mean) / deviation).value + deviation.log()


def log_knowledge_gradient(
    mean: Float[Tensor, "..."], variance: Float[Tensor, "..."], rival: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return ln of what the least of means is expected to fall by when one of them moves.

    It moves from `mean` by a normal of this variance; `rival` is the least of the others, infinite
    where there are none. min(mean, rival) − E[min(rival, mean + sZ)] = s h(−|mean − rival| / s): of
    the least mean what counts is that it may come to lie above the second. Frazier, Powell and
    Dayanik (SIAM J. Control and Optimization 2008); with correlated beliefs, INFORMS J. Computing
    2009.
    """
    return log_ei((mean - rival).abs(), variance, torch.zeros_like(mean))
