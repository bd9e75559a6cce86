"""Hyperband: successive halving at several trade-offs between breadth and depth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, one_of
from hpo_research.records import Ask, Run
from hpo_research.strategies.answers import batch_of
from hpo_research.strategies.halving.brackets import Bracket
from hpo_research.strategies.halving.synchronous import (
    ETA,
    at_one_epoch,
    halved,
    recommended_within,
    rung_epochs,
)
from hpo_research.strategies.halving.within import within_rungs
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random


@habits.answering
@dataclass(frozen=True)
class Hyperband:
    """Hyperband as published (Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar; JMLR 2018).

    Brackets run one after another, from the most aggressive to the most cautious, then again with
    fresh configurations. A bracket's first rung trains its configurations for a few epochs; each
    further rung continues the best 1/η of them. A rung waits for all its members. Trials that
    failed or were stopped in a rung are not promoted; ties go to the lower id.

    `rounding="ceil"`: n = ⌈(s_max+1)·η^s/(s+1)⌉ configurations in bracket s (Algorithm 1 of the
    JMLR paper); `"floor"`: ⌊(s_max+1)/(s+1)⌋·η^s (arXiv:1603.06560v1). `inner` chooses the
    configurations; it sees values at the largest epoch that at least d+2 trials have reached,
    d counting parameters, and every other healthy trial as running. With fewer than η epochs
    there is one rung and nothing to compare: Hyperband is then its inner strategy.
    A bracket for which `inner` has no more configurations goes on with those it has. Where the
    experiment leaves open how many trials train at once, it is the `batch` of `inner`, and without
    one a whole rung.
    """

    eta: int = 3
    rounding: Literal["ceil", "floor"] = "ceil"
    inner: Strategy = field(default_factory=Random)
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True
    believe: ClassVar[None] = None  # `inner` is not shown the run as it is

    def __post_init__(self) -> None:
        rules = {"eta": ETA, "rounding": one_of(("ceil", "floor")), "inner": within_rungs}
        Mistakes.of(self, rules).refuse(StrategyError)

    def brackets(self, max_epochs: int) -> list[Bracket]:
        """Return the table: for each bracket its rungs as (configurations, epochs)."""
        return brackets(max_epochs, self.eta, self.rounding)

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Continue each run's open rung: start or resume its members, or wait for them."""
        tables = [self.brackets(run.max_epochs) for run in runs]
        return halved(runs, slots, tables, at_one_epoch(self.inner))

    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of the trials trained furthest, the one that `inner` recommends."""
        return recommended_within(self.inner, runs)


def brackets(
    max_epochs: int, eta: int = 3, rounding: Literal["ceil", "floor"] = "ceil"
) -> list[Bracket]:
    """Return Hyperband's brackets, from the most aggressive to the most cautious.

    A rung k steps below the last has ⌊max_epochs / η^k⌋ epochs.
    """
    epochs = rung_epochs(max_epochs, eta)
    deepest = len(epochs) - 1
    table = []
    for s in range(deepest, -1, -1):
        if rounding == "ceil":
            widest = -(-(deepest + 1) * eta**s // (s + 1))
        else:
            widest = (deepest + 1) // (s + 1) * eta**s
        table.append([(widest // eta**i, epochs[deepest - s + i]) for i in range(s + 1)])
    return table
