"""Early discarding: one look after an epoch, then full training for the best few."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, whole
from hpo_research.records import Ask, Run
from hpo_research.strategies.answers import batch_of
from hpo_research.strategies.halving.brackets import Bracket
from hpo_research.strategies.halving.synchronous import at_one_epoch, halved, recommended_within
from hpo_research.strategies.halving.within import within_rungs
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random


@habits.answering
@dataclass(frozen=True)
class EarlyDiscarding:
    """Train all for one epoch, and the best of them to the end: the i-Epoch baseline.

    Egele, Mohr, Viering and Balaprakash, "The unreasonable effectiveness of early discarding after
    one epoch" (Neurocomputing 2024, arXiv:2404.04111), after Egele, Guyon, Sun and Balaprakash
    (ESANN 2023, arXiv:2307.15422); i is `epochs`, and the `top` K are trained fully. No plan
    depends on a budget, so it works in cycles: `candidates` configurations are trained for `epochs`
    epochs, the best `top` of them to the end, then as many fresh ones. A cycle is a bracket of two
    rungs, of which each waits for all its members. Trials that failed or were stopped do not go
    on; ties go to the lower id. `inner` chooses the configurations, as for `Hyperband`. Where
    `max_epochs` is not above `epochs` it is its inner strategy. Raises `StrategyError`.
    """

    candidates: int = 30
    epochs: int = 1
    top: int = 3
    inner: Strategy = field(default_factory=Random)
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True
    believe: ClassVar[None] = None  # `inner` is not shown the run as it is

    def __post_init__(self) -> None:
        rules = {**dict.fromkeys(("candidates", "epochs", "top"), whole()), "inner": within_rungs}
        mistakes = Mistakes.of(self, rules)
        if not mistakes.lines and self.top > self.candidates:
            given = f"(candidates={self.candidates}, top={self.top})"
            mistakes.add(f"{given}: top must not be above candidates")
        mistakes.refuse(StrategyError)

    def brackets(self, max_epochs: int) -> list[Bracket]:
        """Return the cycle, as a table of one bracket: its rungs as (configurations, epochs)."""
        if max_epochs <= self.epochs:
            return [[(self.candidates, max_epochs)]]
        return [[(self.candidates, self.epochs), (self.top, max_epochs)]]

    @property
    def batch(self) -> int | None:
        """How many slots `inner` gets where the experiment leaves that open."""
        return batch_of(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Continue each run's cycle: start or resume its members, or wait for them."""
        tables = [self.brackets(run.max_epochs) for run in runs]
        return halved(runs, slots, tables, at_one_epoch(self.inner))

    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of the trials trained furthest, the one that `inner` recommends."""
        return recommended_within(self.inner, runs)
