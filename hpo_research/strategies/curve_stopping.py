"""Stopping by learning curves: what will hardly beat the best is not trained to the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from hpo_research.records import Ask, Note, Run, Trial
from hpo_research.strategies.curve_model import Forecast, Prior, forecast, learnt
from hpo_research.strategies.halving import batch_of, inner_mistakes, refuse, whole_mistakes
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.verdicts import Verdict, judged, name_of
from hpo_research.text import quoted


@dataclass(frozen=True)
class CurveStopping:
    """Stop a trial when its curve so far will hardly come to beat the best (Domhan et al. 2015).

    The rule of Domhan, Springenberg and Hutter (IJCAI 2015) around any strategy: with y* the best
    value at `max_epochs`, a running trial is stopped once P(its value at `max_epochs` is better
    than y* | its values so far) < `threshold`. In place of their MCMC over eleven curve families
    stands `curve_model`: normal given a shape and the size of two errors, a mixture over a grid of
    these, its weights learnt from the run's complete curves; exact, without draws, milliseconds.

    A trial is judged from epoch `min_epochs` on and once `min_trials` trials are complete. Failed
    ones teach nothing. What `inner` proposes is passed on; a stop of its own stands.

    Stops come also with 0 slots. Every verdict is in the notes, as parallel lists: `curve_trial`,
    `curve_epoch`, `curve_value` (the probability), `curve_bound` (the threshold), `curve_stop`,
    `curve_mean` and `curve_sd` (of the value expected), beside `curve_incumbent`, y*; of a rule
    around another of its kind `curve2_trial` and so on. Raises `StrategyError`.
    """

    inner: Strategy
    threshold: float = 0.05
    min_epochs: int = 3
    min_trials: int = 5

    def __post_init__(self) -> None:
        mistakes = []
        is_number = isinstance(self.threshold, Real) and not isinstance(self.threshold, bool)
        if not is_number or not 0 < self.threshold < 1:
            mistakes.append(
                f"threshold={quoted(self.threshold)}): threshold must be a probability between 0 "
                "and 1"
            )
        mistakes += [*whole_mistakes("min_epochs", self.min_epochs)]
        mistakes += [*whole_mistakes("min_trials", self.min_trials), *inner_mistakes(self.inner)]
        refuse("CurveStopping", mistakes)

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return what `inner` wants, with the stops of the rule before it."""
        asks = self.inner.ask(runs, slots)
        return [self._judged(ask, run) for ask, run in zip(asks, runs, strict=True)]

    def _judged(self, ask: Ask, run: Run) -> Ask:
        open_to_it = [t for t in run.running if self.min_epochs <= t.reached < run.max_epochs]
        complete = [t for t in run.trials if t.status != "failed" and t.reached == run.max_epochs]
        if not open_to_it or len(complete) < self.min_trials:
            return ask
        sign = 1.0 if run.direction == "minimize" else -1.0
        prior = _prior(run, complete, sign)
        if prior is None:
            return ask
        best = min(sign * trial.values[-1] for trial in complete)
        verdicts: list[Verdict] = []
        means: list[float] = []
        sds: list[float] = []
        for epochs, group in _by_epochs(open_to_it).items():
            expected = forecast(prior, _losses(group, sign), epochs)
            verdicts += self._verdicts(group, expected, best)
            means += (sign * expected.mean).tolist()
            sds += expected.sd.tolist()
        name = name_of("curve", self)
        extra: dict[str, Note] = {
            f"{name}_mean": means,
            f"{name}_sd": sds,
            f"{name}_incumbent": sign * best,
        }
        found = judged(ask, name, verdicts)
        return replace(found, notes={**found.notes, **extra})

    def _verdicts(self, group: Sequence[Trial], expected: Forecast, best: float) -> list[Verdict]:
        return [
            Verdict(trial.id, trial.reached, chance, self.threshold, chance < self.threshold)
            for trial, chance in zip(group, expected.below(best).tolist(), strict=True)
        ]


def _prior(run: Run, complete: Sequence[Trial], sign: float) -> Prior | None:
    """Learn from the complete curves that were reported at the same epochs as most of them."""
    groups = _by_epochs(complete)
    epochs = max(groups, key=lambda epochs: (len(groups[epochs]), len(epochs)))
    known = [t.values[-1] for t in run.trials if t.status != "failed" and t.values]
    return learnt(_losses(groups[epochs], sign), epochs, sign * np.array(known))


def _losses(trials: Sequence[Trial], sign: float) -> np.ndarray:
    return sign * np.array([trial.values for trial in trials], dtype=float)


def _by_epochs(trials: Sequence[Trial]) -> dict[tuple[int, ...], list[Trial]]:
    groups: dict[tuple[int, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.epochs, []).append(trial)
    return groups
