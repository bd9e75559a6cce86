"""The median rule: stop what is worse than half of what was seen at the same epoch."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from hpo_research.records import Ask, Run, Trial
from hpo_research.strategies.halving import batch_of, inner_mistakes, refuse, whole_mistakes
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.verdicts import Verdict, judged, name_of
from hpo_research.text import is_one_of, quoted

Kind = Literal["sagemaker", "vizier", "syne-tune"]
KINDS = ("sagemaker", "vizier", "syne-tune")


@dataclass(frozen=True)
class MedianStopping:
    """The median stopping rule around any strategy, in the three forms that bear its name.

    A running trial that has reported epoch t is stopped if a number of its own is strictly worse
    than the median of the means of others over their epochs up to t:

    - `"sagemaker"`: its current value, against all other trials that reported t (the developer
      guide of Amazon SageMaker's automatic model tuning; which trials are "previous" is not said);
    - `"vizier"`: its best value so far, against the trials that have ended (finished, paused or
      stopped) having reported t (Golovin et al., KDD 2017, section 3.2.2);
    - `"syne-tune"`: its own mean up to t, against the means of all that reported t, its own among
      them: it is stopped if more than half of them are strictly better (`MedianStoppingRule` with
      `rank_cutoff=0.5`).

    A trial is judged from epoch `min_epochs` on, its last one apart, and only beside `min_trials`
    numbers at least. Failed trials are no company: they count for nobody. The
    rule knows values, not when they were reported, so trials that report while another is between
    two epochs count for it at once. What `inner` proposes is passed on; a stop of its own stands.

    Stops come also with 0 slots. Every verdict is in the notes, as parallel lists: `median_trial`,
    `median_epoch`, `median_value` (the trial's number), `median_bound` (the median), `median_stop`;
    of a rule around another of its kind `median2_trial` and so on. Raises `StrategyError`.
    """

    inner: Strategy
    kind: Kind = "sagemaker"
    min_epochs: int = 1
    min_trials: int = 5

    def __post_init__(self) -> None:
        kinds = "'sagemaker', 'vizier' or 'syne-tune'"
        mistakes = [f"kind={quoted(self.kind)}): kind must be {kinds}"]
        mistakes = [] if is_one_of(self.kind, KINDS) else mistakes
        mistakes += [*whole_mistakes("min_epochs", self.min_epochs)]
        mistakes += [*whole_mistakes("min_trials", self.min_trials), *inner_mistakes(self.inner)]
        refuse("MedianStopping", mistakes)

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return what `inner` wants, with the stops of the rule before it."""
        asks = self.inner.ask(runs, slots)
        pairs, name = zip(asks, runs, strict=True), name_of("median", self)
        return [judged(ask, name, self.verdicts(run)) for ask, run in pairs]

    def verdicts(self, run: Run) -> list[Verdict]:
        """Judge each running trial at the last epoch it has reported, in order of id."""
        return list(self._verdicts(run))

    def _verdicts(self, run: Run) -> Iterator[Verdict]:
        sign = 1 if run.direction == "minimize" else -1
        means = _means()
        for trial in run.running:
            if not max(self.min_epochs, 1) <= trial.reached < run.max_epochs:
                continue
            epoch = trial.reached
            company = [means(other, epoch) for other in self._company(run, trial)]
            if len(company) < self.min_trials:
                continue
            if self.kind == "syne-tune":
                value = means(trial, epoch)
                better = sum(sign * other < sign * value for other in company)
                is_stopped = 2 * better > len(company)
            else:
                best = min if run.direction == "minimize" else max
                value = trial.values[-1] if self.kind == "sagemaker" else best(trial.values)
                is_stopped = sign * value > sign * median(company)
            yield Verdict(trial.id, epoch, value, median(company), is_stopped)

    def _company(self, run: Run, trial: Trial) -> list[Trial]:
        known = [t for t in run.trials if t.status != "failed" and t.reached >= trial.reached]
        if self.kind == "syne-tune":
            return known
        if self.kind == "vizier":
            return [t for t in known if not t.is_running]
        return [t for t in known if t.id != trial.id]


def _means() -> Callable[[Trial, int], float]:
    """Return a function: the mean of a trial's values over its epochs up to another."""
    known: dict[tuple[int, int], float] = {}

    def mean(trial: Trial, epoch: int) -> float:
        if (trial.id, epoch) not in known:
            values = trial.values[: bisect_right(trial.epochs, epoch)] or trial.values[:1]
            known[trial.id, epoch] = fmean(values)
        return known[trial.id, epoch]

    return mean
