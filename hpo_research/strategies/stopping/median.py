"""The median rule: stop what is worse than half of what was seen at the same epoch."""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, Literal

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, one_of, whole
from hpo_research.records import Ask, Run, Trial, best_value
from hpo_research.rows import kept
from hpo_research.strategies.answers import batch_of
from hpo_research.strategies.ordered import Ordered
from hpo_research.strategies.protocol import A_STRATEGY, Strategy
from hpo_research.strategies.stop_decisions import StopDecision, judged, name_of

Kind = Literal["sagemaker", "vizier", "syne-tune"]
KINDS = ("sagemaker", "vizier", "syne-tune")


@habits.answering
@dataclass(frozen=True)
class MedianStopping:
    """The median stopping rule around any strategy, in the three forms known by that name.

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

    Stops come also with 0 slots. Every decision is in the notes, as parallel lists: `median_trial`,
    `median_epoch`, `median_value` (the trial's number), `median_bound` (the median), `median_stop`;
    of a rule around another of its kind `median2_trial` and so on. Raises `StrategyError`.
    """

    inner: Strategy
    kind: Kind = "sagemaker"
    min_epochs: int = 1
    min_trials: int = 5
    with_one_epoch: ClassVar[str] = "nothing to judge there"

    def __post_init__(self) -> None:
        rules = {"kind": one_of(KINDS), "min_epochs": whole(), "min_trials": whole()}
        Mistakes.of(self, {**rules, "inner": A_STRATEGY}).refuse(StrategyError)

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return what `inner` wants, with the stops of the rule before it."""
        asks = self.inner.ask(runs, slots)
        pairs, name = zip(asks, runs, strict=True), name_of("median", self)
        return [judged(ask, name, self.decisions(run)) for ask, run in pairs]

    def decisions(self, run: Run) -> list[StopDecision]:
        """Judge each running trial at the last epoch it has reported, in order of id."""
        return list(self._decisions(run))

    def _decisions(self, run: Run) -> Iterator[StopDecision]:
        judged = [t for t in run.running if max(self.min_epochs, 1) <= t.reached < run.max_epochs]
        is_ended = self.kind == "vizier"
        with kept(run.trials, (Means, is_ended), lambda: Means(is_ended=is_ended)) as means:
            for trial in judged:
                epoch, own = trial.reached, mean(trial, trial.reached)
                company = means.at(epoch)
                # Of SageMaker's others the trial itself is none.
                without = company.below(own) if self.kind == "sagemaker" else len(company)
                count = len(company) - (self.kind == "sagemaker")
                if count < self.min_trials:
                    continue
                bound = _median(company, without, count)
                if self.kind == "syne-tune":
                    value = own
                    above = len(company) - company.up_to(value)
                    better = company.below(value) if run.sign > 0 else above
                    is_stopped = 2 * better > count
                else:
                    is_last = self.kind == "sagemaker"
                    value = trial.values[-1] if is_last else best_value(trial.values, run.direction)
                    is_stopped = run.sign * value > run.sign * bound
                yield StopDecision(trial.id, epoch, value, bound, is_stopped)


class Means:
    """The means up to any epoch of the trials that reached it: an index of trials.

    Of healthy trials, or only of those of them that have ended. An epoch is followed from when it
    is first asked for.
    """

    def __init__(self, *, is_ended: bool) -> None:
        self._is_ended = is_ended
        self._trials: list[Trial] = []
        self._epochs: list[int] = []
        self._means: dict[int, Ordered[float]] = {}

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed; False where a report is another one."""
        if old is None:
            self._trials.append(new)
        else:
            count = len(old.epochs)
            if (old.epochs, old.values) != (new.epochs[:count], new.values[:count]):
                return False
            self._trials[number] = new
        before = 0 if old is None or not self._counts(old) else old.reached
        after = new.reached if self._counts(new) else 0
        least, most = sorted((before, after))
        for epoch in self._epochs[bisect_right(self._epochs, least) :]:
            if epoch > most:
                break
            if after > before:
                self._means[epoch].add(mean(new, epoch))
            else:
                self._means[epoch].remove(mean(new, epoch))
        return True

    def at(self, epoch: int) -> Ordered[float]:
        """Return the means up to an epoch."""
        if epoch not in self._means:
            insort(self._epochs, epoch)
            known = (t for t in self._trials if self._counts(t) and t.reached >= epoch)
            self._means[epoch] = Ordered(mean(trial, epoch) for trial in known)
        return self._means[epoch]

    def _counts(self, trial: Trial) -> bool:
        return trial.status != "failed" and not (self._is_ended and trial.is_running)


def mean(trial: Trial, epoch: int) -> float:
    """Return the mean of a trial's values over its epochs up to another."""
    return fmean(trial.values[: bisect_right(trial.epochs, epoch)] or trial.values[:1])


def _median(ordered: Ordered[float], without: int, count: int) -> float:
    """Return the median of `count` numbers: all but the one at place `without`."""
    low, high = (ordered[k + (k >= without)] for k in ((count - 1) // 2, count // 2))
    return low if count % 2 else (low + high) / 2
