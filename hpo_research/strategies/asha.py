"""ASHA and asynchronous Hyperband: successive halving in which no trial waits for another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from hpo_research.records import Ask, Run
from hpo_research.strategies.asynchronous import Ladders, promoting, stopping
from hpo_research.strategies.halving import (
    at_one_epoch,
    eta_mistakes,
    inner_mistakes,
    refuse,
    rung_epochs,
    whole_mistakes,
)
from hpo_research.strategies.hyperband import brackets
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random

Kind = Literal["promote", "stop"]


@dataclass(frozen=True)
class ASHA:
    """Asynchronous successive halving (Li et al., MLSys 2020, arXiv:1810.05934).

    Rungs lie at ⌊max_epochs / η^k⌋ epochs, none below `min_epochs`.

    - `kind="promote"`, Algorithm 2 of the paper: a trial is paused at its rung. A free slot resumes
      the best trial, from the highest rung down, that is among the best ⌊n/η⌋ of the n that passed
      its rung and has not gone on yet; where there is none, it starts a new configuration in the
      lowest rung. Trials that failed rank last and count among the n.
    - `kind="stop"`, as Syne Tune's and Ray's: a trial is trained on unless it is worse, at a rung,
      than the 1/η quantile (linear interpolation) of all values there so far, its own included; two
      values are needed. Nothing is paused, so it suits problems that cannot resume. As other trials
      report, a trial is judged anew until its own next report: a run knows values, not when each of
      them was compared.

    Ties go to the lower id. `inner` chooses the configurations, as for `Hyperband`. `batch` is how
    many trials train at once where the experiment leaves that open. With a single rung it is its
    inner strategy. Where there are no more configurations and nothing runs, the best ⌈n/η⌉ of each
    rung go on. Raises `StrategyError`.
    """

    kind: Kind = "promote"
    eta: int = 3
    min_epochs: int = 1
    inner: Strategy = field(default_factory=Random)
    batch: int = 4

    def __post_init__(self) -> None:
        mistakes = [*_kind_mistakes(self.kind), *eta_mistakes(self.eta)]
        mistakes += whole_mistakes("min_epochs", self.min_epochs)
        mistakes += [*inner_mistakes(self.inner), *whole_mistakes("batch", self.batch)]
        refuse("ASHA", mistakes)

    def rungs(self, max_epochs: int) -> tuple[int, ...]:
        """Return the epochs of the rungs, ascending; the last one is `max_epochs`."""
        return rung_epochs(max_epochs, self.eta, self.min_epochs)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Promote or stop, and fill the free slots with new configurations."""
        ladders = [Ladders((self.rungs(run.max_epochs),)) for run in runs]
        go = promoting if self.kind == "promote" else stopping
        return go(runs, slots, ladders, eta=self.eta, choose=at_one_epoch(self.inner))


@dataclass(frozen=True)
class AsynchronousHyperband:
    """Brackets of ASHA, one for each rung to begin at (Li et al., MLSys 2020, arXiv:1810.05934).

    Bracket s begins at ⌊max_epochs / η^s⌋ epochs and is an `ASHA` of its own. Trials go to brackets
    by their number: as many in a row to each as the bracket of `Hyperband` has configurations, from
    the most aggressive to the most cautious, then again. A bracket's trials of all rounds share its
    rungs. A free slot resumes what may be promoted in any bracket, the most epochs first, before a
    new trial is started. `kind`, `inner` and `batch` are those of `ASHA`. Raises `StrategyError`.
    """

    kind: Kind = "promote"
    eta: int = 3
    inner: Strategy = field(default_factory=Random)
    batch: int = 4

    def __post_init__(self) -> None:
        mistakes = [*_kind_mistakes(self.kind), *eta_mistakes(self.eta)]
        mistakes += [*inner_mistakes(self.inner), *whole_mistakes("batch", self.batch)]
        refuse("AsynchronousHyperband", mistakes)

    def ladders(self, max_epochs: int) -> Ladders:
        """Return the rungs of each bracket, and how many trials in a row belong to it."""
        table = brackets(max_epochs, self.eta)
        rungs = tuple(tuple(epochs for _, epochs in bracket) for bracket in table)
        return Ladders(rungs, tuple(bracket[0][0] for bracket in table))

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Promote or stop in every bracket, and fill the free slots with new configurations."""
        ladders = [self.ladders(run.max_epochs) for run in runs]
        go = promoting if self.kind == "promote" else stopping
        return go(runs, slots, ladders, eta=self.eta, choose=at_one_epoch(self.inner))


def _kind_mistakes(kind: object) -> list[str]:
    if kind in ("promote", "stop"):
        return []
    return [f"kind={kind!r}): kind must be 'promote' or 'stop'"]
