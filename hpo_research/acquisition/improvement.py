"""Expected improvement and its logarithm, exact to far below where it underflows."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.gp.kernels import LOG_2PI

_NEAR, _FAR = -1.0, -1e3  # from here the erfcx form, from there two terms of the tail


class LogH(NamedTuple):
    """ln h(u) with h(u) = φ(u) + uΦ(u), and its derivative Φ(u)/h(u)."""

    value: Float[Tensor, "..."]
    slope: Float[Tensor, "..."]


def log_h(u: Float[Tensor, "..."]) -> LogH:
    """Return ln(φ(u) + uΦ(u)) and its derivative, to 1e-9 of either for any u up to 1e100.

    Ament, Daulton, Eriksson, Balandat and Bakshy (NeurIPS 2023, arXiv:2310.20708), equation 9:
    below −1, h(u) = φ(u)(1 − |u| √(π/2) erfcx(|u|/√2)); below −1000 the two leading terms
    φ(u)(1/u² − 3/u⁴) of that difference, which would cancel.
    """
    near = u.clamp(min=_NEAR)
    density = torch.exp(-0.5 * near * near - 0.5 * LOG_2PI)
    mass = 0.5 * torch.special.erfc(-near / math.sqrt(2))
    h = density + near * mass
    below = (-u.clamp(max=_NEAR)).clamp(max=1e150)
    mills = math.sqrt(math.pi / 2) * torch.special.erfcx(below / math.sqrt(2))
    square = below * below
    share = torch.where(u < _FAR, (1 - 3 / square) / square, 1 - below * mills)
    value = torch.where(u < _NEAR, -0.5 * square - 0.5 * LOG_2PI + share.log(), h.log())
    return LogH(value, torch.where(u < _NEAR, mills / share, mass / h))


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
