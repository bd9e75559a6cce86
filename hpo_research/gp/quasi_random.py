"""Quasi-random sets: the same set wherever so many points of so many columns are asked for."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.quasirandom import SobolEngine

from hpo_research.ambient import ordinary
from hpo_research.rng import Stream


@lru_cache(maxsize=256)
@ordinary()
def uniform_set(count: int, columns: int, name: str) -> Float[Tensor, "m k"]:
    """Return a scrambled Sobol set in the open unit cube, on the CPU; `name` sets the scrambling.

    It is shared by all runs (common random numbers). Columns beyond the 21,201 that the sequence
    has are pseudo-random.
    """
    first = min(columns, SobolEngine.MAXDIM)
    stream = Stream(0).at("quasi", name)
    if first == 0:
        return torch.zeros(count, 0, dtype=torch.float64)
    engine = SobolEngine(first, scramble=True, seed=stream.integer())  # type: ignore[no-untyped-call]
    points = engine.draw(count, dtype=torch.float64)
    # The engine rounds its first point to the default dtype, which is the user's: here float32.
    points[0] = (engine.shift.to(torch.float32) / 2**engine.MAXBIT).to(points)
    rest = stream.at("rest").uniform(count, columns - first, like=points)
    return torch.cat([points, rest], dim=1).clamp(2.0**-32, 1 - 2.0**-32)


def normal_set(count: int, columns: int, name: str = "normal") -> Float[Tensor, "m k"]:
    """Return the set mapped to standard normal samples."""
    normal: Tensor = torch.special.ndtri(uniform_set(count, columns, name))
    return normal
