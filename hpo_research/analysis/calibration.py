"""How well a run's model foresaw: its forecasts at the asks against the values that came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from hpo_research.analysis.believed import believed, believer, is_as_noted, modelled_asks
from hpo_research.analysis.modelled import MOST_TRIALS
from hpo_research.analysis.result import Result
from hpo_research.records import Run, Start
from hpo_research.store import RunName
from hpo_research.strategies.answers import PosteriorView
from hpo_research.threads import limited

TITLE = "Calibration of the model"
LEVELS = (0.5, 0.8, 0.95)
"""Nominal coverages that a table tells."""
LEAST = 10
"""Forecasts below which nothing can be said."""
_SECONDS = 8.0  # that all fits may take, roughly, by `_cost`


@dataclass(frozen=True)
class Calibration:
    """One-step forecasts of a run's model, made when it chose, and what came of them.

    Of the finished `trials`, by number: `residual` in standard deviations on the model's scale,
    noise included; `log_density` of the values, in nats, and `naive` that of a normal with the mean
    and deviation of the values known before, both NaN where there is none. From `asks` of `of`
    asks of the model.
    """

    name: RunName
    trials: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    log_density: Float[np.ndarray, " n"]
    naive: Float[np.ndarray, " n"]
    asks: int
    of: int

    def covered(self, level: float) -> float:
        """Return the share of values in the central intervals of a nominal coverage."""
        return float((np.abs(self.residual) <= stats.norm.ppf((1 + level) / 2)).mean())

    def band(self, level: float, confidence: float = 0.95) -> tuple[float, float]:
        """Return the central interval of the share that is covered if the model is right.

        Binomial: as if forecasts were independent.
        """
        n = len(self.residual)
        low, high = stats.binom.interval(confidence, n, level)
        return float(low) / n, float(high) / n

    @property
    def mean_log_density(self) -> float:
        """The mean of `log_density`; NaN where the model has no density."""
        return float(self.log_density.mean())

    @property
    def gain(self) -> float:
        """How many nats a value the model is ahead of the naive forecast, where both are known."""
        apart = self.log_density - self.naive
        return float(apart[np.isfinite(apart)].mean()) if np.isfinite(apart).any() else float("nan")


def calibration(result: Result, name: RunName) -> Calibration | None:
    """Compare the forecasts of a run's model with what came; None where there are few, or none.

    At each ask the model is fitted again to what was known then, as the ask did. Of asks with up
    to `MOST_TRIALS` trials, as many as are fitted in some seconds, evenly over the run. Trials of
    which other epochs than the last decide are left out.
    """
    run, history = result.runs[name], result.histories[name]
    asks = modelled_asks(run)
    if believer(result, name.strategy) is None:
        return None
    rows: list[tuple[int, float, float, float]] = []
    used = 0
    began = np.cumsum([0, *(sum(isinstance(p, Start) for p in a.proposals) for a in run.asks)])
    for ask in _affordable(asks, began):
        places = range(int(began[ask]), int(began[ask + 1]))
        ids = [i for i in places if _has_come(run, i)]
        if not ids or not is_as_noted(result, name, ask):
            continue
        with limited():
            view = believed(result, name, ask)
            if not isinstance(view, PosteriorView):
                return None
            cube = run.space.encode([run.trials[i].config for i in ids])
            judged = view.judge(cube, run.values[ids])
        naive = _naive(history.at(ask), run.values[ids])
        rows += zip(ids, judged.residual, judged.log_density, naive, strict=True)
        used += 1
    if len(rows) < LEAST:
        return None
    table = np.array(rows, dtype=float).T
    return Calibration(name, table[0].astype(int), table[1], table[2], table[3], used, len(asks))


def _has_come(run: Run, trial: int) -> bool:
    return run.trials[trial].status == "finished" and run.trials[trial].value is not None


def _affordable(asks: Sequence[int], began: np.ndarray) -> list[int]:
    """Return asks evenly over those of few trials, so many that their fits take the time."""
    small = [ask for ask in asks if began[ask] <= MOST_TRIALS]
    for step in range(1, len(small) + 1):
        kept = small[::step]
        if sum(_cost(int(began[ask])) for ask in kept) <= _SECONDS:
            return kept
    return small[:1]


def _cost(trials: int) -> float:
    """Return about how many seconds a fit takes."""
    return 0.02 + 1.5 * float((trials / MOST_TRIALS) ** 2.5)


def _naive(then: Run, values: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    known = then.values[np.isfinite(then.values)]
    if len(known) < 2 or not np.ptp(known) > 0:
        return np.full(len(values), np.nan)
    density: np.ndarray = stats.norm.logpdf(values, known.mean(), known.std(ddof=1))
    return density
