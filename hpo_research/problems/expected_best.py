"""What random search finds in a finite table, exactly: expectations of its best draw."""

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from hpo_research.errors import ProblemError
from hpo_research.options import MOST, require, whole


def chances(rows: int, draws: int, *, replacement: bool) -> Float[np.ndarray, " rows"]:
    """Return how likely each row is the best of those drawn, rows being sorted from the best.

    Without replacement, row k of N is the best of n with probability C(N−k−1, n−1) / C(N, n); with
    it, it is ((N−k)/N)ⁿ − ((N−k−1)/N)ⁿ. Raises `ProblemError`.
    """
    most = MOST if replacement else rows
    require("evaluations", draws, whole(1, most), error=ProblemError)
    left = rows - np.arange(rows + 1.0)  # rows from each one on
    if replacement:
        at_least = (left / rows) ** draws
    else:
        known = np.maximum(left, draws)  # where fewer are left there is no such draw
        log = gammaln(known + 1) - gammaln(known - draws + 1)
        at_least = np.where(left >= draws, np.exp(log - log[0]), 0.0)
    found: Float[np.ndarray, " rows"] = at_least[:-1] - at_least[1:]
    return found


def expected_best(
    losses: Float[np.ndarray, " rows"], draws: int, *, replacement: bool = False
) -> float:
    """Return the expected least loss of rows drawn uniformly. Raises `ProblemError`."""
    weights = chances(len(losses), draws, replacement=replacement)
    return float(np.sort(losses) @ weights)


def expected_choice(
    seen: Float[np.ndarray, "rows seeds"], losses: Float[np.ndarray, " rows"], draws: int
) -> float:
    """Return the expected loss of the row that looks best where each draw shows one seed of a row.

    Draws are with replacement. `seen` is NaN where a row has fewer seeds. Among equals in what was
    seen each is as likely as it was to be drawn. Raises `ProblemError`.
    """
    require("evaluations", draws, whole(), error=ProblemError)
    known = ~np.isnan(seen)
    share = np.broadcast_to(1 / known.sum(axis=1, keepdims=True) / len(seen), seen.shape)[known]
    own = np.broadcast_to(losses[:, None], seen.shape)[known]
    order = np.argsort(seen[known], kind="stable")
    share, own, shown = share[order], own[order], seen[known][order]
    starts = np.flatnonzero(np.r_[True, shown[1:] != shown[:-1]])
    mass = np.add.reduceat(share, starts)
    # How likely no draw is better than each group of equals: the mass from there on, n times.
    none_better = np.r_[np.minimum(mass[::-1].cumsum()[::-1], 1.0), 0.0] ** draws
    return float(np.add.reduceat(own * share, starts) / mass @ -np.diff(none_better))
