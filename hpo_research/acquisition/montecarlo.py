"""q-EI over joint posterior samples: the reference that the sequential form agrees with."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

TAU_MAX, TAU_RELU = 1e-2, 1e-6
_TAIL = 0.1  # of the Cauchy density beside the softplus


def qei(samples: Float[Tensor, "... m q"], best: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the mean over samples of what the best of q points improves on `best`.

    Ginsbourger, Le Riche and Carraro (2010), by Monte Carlo.
    """
    improvement = (best[..., None] - samples.amin(dim=-1)).clamp(min=0)
    return improvement.mean(dim=-1)


def qlogei(
    samples: Float[Tensor, "... m q"],
    best: Float[Tensor, "..."],
    *,
    tau_max: float = TAU_MAX,
    tau_relu: float = TAU_RELU,
) -> Float[Tensor, "..."]:
    """Return the logarithm of a smoothed q-EI, with a gradient wherever the points are.

    Ament et al. (arXiv:2310.20708), equation 10 in the fat-tailed form of its appendix A: the
    positive part is τ(softplus + 0.1 Cauchy) of the improvement by τ = `tau_relu`, the maximum
    over q is τ ln Σ 2/(2 + 2y + y²) of the distances y from it by τ = `tau_max`, in logarithms.
    """
    z = (best[..., None, None] - samples) / tau_relu
    positive = torch.nn.functional.softplus(z) + _TAIL / (1 + z * z)
    improvement = math.log(tau_relu) + positive.log()
    largest = improvement.amax(dim=-1, keepdim=True)
    y = (largest - improvement) / tau_max
    smooth = tau_max * (2 / (2 + 2 * y + y * y)).sum(dim=-1).log()
    over_q = largest[..., 0] + smooth
    return torch.logsumexp(over_q, dim=-1) - math.log(samples.shape[-2])
