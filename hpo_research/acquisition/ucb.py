"""The confidence bound."""

import math

from jaxtyping import Float
from torch import Tensor


def ucb(
    mean: Float[Tensor, "..."], variance: Float[Tensor, "..."], beta: float
) -> Float[Tensor, "..."]:
    """Return −mean + √β deviation: minus the lower confidence bound of a loss.

    Srinivas, Krause, Kakade and Seeger (ICML 2010), equation 6.
    """
    return -mean + math.sqrt(beta) * variance.sqrt()
