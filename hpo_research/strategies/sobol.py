"""The scrambled Sobol sequence: one start for every strategy that begins with a spread design."""

import jaxtyping as jt
import numpy as np
import torch
from torch.quasirandom import SobolEngine

from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.rng import Stream


@ordinary()
def sobol(
    stream: Stream, dimension: int, *, first: int, count: int
) -> jt.Float64[np.ndarray, "n d"]:
    """Return points first, ..., first + count − 1 of a run's scrambled Sobol sequence. Shape: n d.

    `stream` is the run's root; the scrambling (Owen, J. Complexity 1998) hangs on its seed alone,
    so that all strategies of a seed share the sequence. Points have 30 bits. Raises
    `StrategyError` where the sequence has too few dimensions.
    """
    if dimension > SobolEngine.MAXDIM:
        raise StrategyError(
            f"a Sobol sequence has at most {SobolEngine.MAXDIM} dimensions, "
            f"the problem has {dimension} parameters; use Random(kind='uniform')"
        )
    if count == 0:
        return np.empty((0, dimension))
    engine = SobolEngine(dimension, scramble=True, seed=stream.at("sobol").integer())  # type: ignore[no-untyped-call]
    # The engine rounds its first point to the default dtype; the shift holds it exactly.
    origin = engine.shift.numpy() / 2.0**engine.MAXBIT
    if first > 0:
        engine.fast_forward(first)  # type: ignore[no-untyped-call]
    points = engine.draw(count, dtype=torch.float64).numpy()
    return points if first > 0 else np.concatenate([origin[None], points[1:]])
