"""Stopping by learning curves: what will hardly beat the best is not trained to the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hpo_research import habits
from hpo_research.ambient import ordinary
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, number, whole
from hpo_research.records import Ask, Direction, Note, Run, Trial, sign
from hpo_research.rows import kept
from hpo_research.strategies.answers import batch_of
from hpo_research.strategies.ordered import Ordered
from hpo_research.strategies.protocol import A_STRATEGY, Strategy
from hpo_research.strategies.stop_decisions import StopDecision, judged, name_of
from hpo_research.strategies.stopping.curve_extrapolation import Forecast, Prior, forecast, learnt

_MOST = 256
"""How many curves the model learns from at most."""


@habits.answering
@dataclass(frozen=True)
class CurveStopping:
    """Stop a trial when its curve so far is unlikely to beat the best (Domhan et al. 2015).

    The rule of Domhan, Springenberg and Hutter (IJCAI 2015) around any strategy: with y* the best
    value at `max_epochs`, a running trial is stopped once P(its value at `max_epochs` is better
    than y* | its values so far) < `threshold`. In place of their MCMC over eleven curve families
    stands `curve_model`: normal given a shape and the size of two errors, a mixture over a grid of
    these, its weights learnt from the run's complete curves; exact, without draws, milliseconds.

    A trial is judged from epoch `min_epochs` on and once `min_trials` trials are complete. Failed
    ones teach nothing, and of many the 256 of the highest ids teach what a curve is: further ones
    change little and cost as much; y* is the best of all. What `inner` proposes is passed on; a
    stop of its own stands.

    Stops come also with 0 slots. Every decision is in the notes, as parallel lists: `curve_trial`,
    `curve_epoch`, `curve_value` (the probability), `curve_bound` (the threshold), `curve_stop`,
    `curve_mean` and `curve_sd` (of the value expected), beside `curve_incumbent`, y*; of a rule
    around another of its kind `curve2_trial` and so on. Raises `StrategyError`.
    """

    inner: Strategy
    threshold: float = 0.05
    min_epochs: int = 3
    min_trials: int = 5
    with_one_epoch: ClassVar[str] = "nothing to judge there"
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        rules = {"threshold": number("probability", above=0, below=1), "min_epochs": whole()}
        rules |= {"min_trials": whole(), "inner": A_STRATEGY}
        Mistakes.of(self, rules).refuse(StrategyError)

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return what `inner` wants, with the stops of the rule before it."""
        asks = self.inner.ask(runs, slots)
        return [self._judged(ask, run) for ask, run in zip(asks, runs, strict=True)]

    @ordinary()
    def _judged(self, ask: Ask, run: Run) -> Ask:
        open_to_it = [t for t in run.running if self.min_epochs <= t.reached < run.max_epochs]
        name = (Teachers, run.direction, run.max_epochs)
        with kept(run.trials, name, lambda: Teachers(run.direction, run.max_epochs)) as teachers:
            if not open_to_it or len(teachers.complete) < self.min_trials:
                return ask
            complete = [run.trials[number] for number in teachers.complete.last(_MOST)]
            known = [run.trials[number] for number in teachers.known.last(_MOST)]
            best = teachers.losses[0]
        sign = run.sign
        prior = _prior(complete, known, sign)
        if prior is None:
            return ask
        decisions: list[StopDecision] = []
        means: list[float] = []
        sds: list[float] = []
        for epochs, group in _by_epochs(open_to_it).items():
            expected = forecast(prior, _losses(group, sign), epochs)
            decisions += self._decisions(group, expected, best)
            means += (sign * expected.mean).tolist()
            sds += expected.sd.tolist()
        rule = name_of("curve", self)
        extra: dict[str, Note] = {
            f"{rule}_mean": means,
            f"{rule}_sd": sds,
            f"{rule}_incumbent": sign * best,
        }
        found = judged(ask, rule, decisions)
        return replace(found, notes={**found.notes, **extra})

    def _decisions(
        self, group: Sequence[Trial], expected: Forecast, best: float
    ) -> list[StopDecision]:
        return [
            StopDecision(trial.id, trial.reached, chance, self.threshold, chance < self.threshold)
            for trial, chance in zip(group, expected.below(best).tolist(), strict=True)
        ]


class Teachers:
    """Who is complete, who has a value, and the last losses of the complete: an index of trials."""

    def __init__(self, direction: Direction, max_epochs: int) -> None:
        self._sign = sign(direction)
        self._max_epochs = max_epochs
        self.complete: Ordered[int] = Ordered()
        self.known: Ordered[int] = Ordered()
        self.losses: Ordered[float] = Ordered()

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed."""
        if old is not None:
            self._move(old, Ordered.remove)
        self._move(new, Ordered.add)
        return True

    def _move(self, trial: Trial, move: Callable[[Ordered[Any], Any], None]) -> None:
        if trial.status == "failed" or not trial.values:
            return
        move(self.known, trial.id)
        if trial.reached == self._max_epochs:
            move(self.complete, trial.id)
            move(self.losses, self._sign * trial.values[-1])


def _prior(complete: Sequence[Trial], known: Sequence[Trial], sign: float) -> Prior | None:
    """Learn from the complete curves that were reported at the same epochs as most of them."""
    groups = _by_epochs(complete)
    epochs = max(groups, key=lambda epochs: (len(groups[epochs]), len(epochs)))
    last = np.array([trial.values[-1] for trial in known])
    return learnt(_losses(groups[epochs], sign), epochs, sign * last)


def _losses(trials: Sequence[Trial], sign: float) -> np.ndarray:
    return sign * np.array([trial.values for trial in trials], dtype=float)


def _by_epochs(trials: Sequence[Trial]) -> dict[tuple[int, ...], list[Trial]]:
    groups: dict[tuple[int, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.epochs, []).append(trial)
    return groups
