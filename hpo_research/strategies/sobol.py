"""The scrambled Sobol sequence: one start for every strategy that begins with a spread design."""

from functools import lru_cache

import jaxtyping as jt
import numpy as np
from torch.quasirandom import SobolEngine

from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.rng import Stream


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
    shift, directions = _scrambled(stream.at("sobol").integer(), dimension)
    number = np.arange(first, first + count)
    gray = number ^ (number >> 1)  # point n is the sum modulo 2 of the directions of its bits
    found = np.repeat(shift[None], count, axis=0)
    for bit in range(SobolEngine.MAXBIT):
        found[(gray >> bit) & 1 == 1] ^= directions[bit]
    points: np.ndarray = found / 2.0**SobolEngine.MAXBIT
    return points


@lru_cache(maxsize=64)
@ordinary()
def _scrambled(
    seed: int, dimension: int
) -> tuple[jt.Int64[np.ndarray, " d"], jt.Int64[np.ndarray, "bits d"]]:
    """Return a scrambled sequence as torch makes it: its first point and its directions."""
    engine = SobolEngine(dimension, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    return engine.shift.numpy(), engine.sobolstate.numpy().T.copy()
