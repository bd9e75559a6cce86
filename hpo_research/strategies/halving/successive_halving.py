"""Successive halving, one bracket again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, optional, whole
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
class SuccessiveHalving:
    """Successive halving (Jamieson and Talwalkar, AISTATS 2016), in brackets of the same size.

    A bracket starts `candidates` configurations (η^s for s+1 rungs, if left open), trains them for
    a few epochs, and goes on with the best 1/η of them, η times as long: the first bracket of
    `Hyperband`, with fresh configurations each time. A rung k steps below the last has
    ⌊max_epochs / η^k⌋ epochs, and none has fewer than `min_epochs`; at least one trial goes on from
    each. `inner` chooses the configurations, as for `Hyperband`. Raises `StrategyError`.
    """

    eta: int = 3
    candidates: int | None = None
    min_epochs: int = 1
    inner: Strategy = field(default_factory=Random)
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True
    believe: ClassVar[None] = None  # `inner` is not shown the run as it is

    def __post_init__(self) -> None:
        rules = {"eta": ETA, "candidates": optional(whole()), "min_epochs": whole()}
        Mistakes.of(self, {**rules, "inner": within_rungs}).refuse(StrategyError)

    def brackets(self, max_epochs: int) -> list[Bracket]:
        """Return the one bracket, as a table: its rungs as (configurations, epochs)."""
        epochs = rung_epochs(max_epochs, self.eta, self.min_epochs)
        widest = self.candidates or self.eta ** (len(epochs) - 1)
        return [[(max(widest // self.eta**i, 1), reached) for i, reached in enumerate(epochs)]]

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
