"""ASHA and asynchronous Hyperband: successive halving in which no trial waits for another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, one_of, optional, whole
from hpo_research.options import Rule as OptionRule
from hpo_research.records import Ask, Run
from hpo_research.strategies.halving.asynchronous import promoting, stopping
from hpo_research.strategies.halving.hyperband import brackets
from hpo_research.strategies.halving.rung_decisions import RULES, Rule, continual, once
from hpo_research.strategies.halving.rungs import Ladders
from hpo_research.strategies.halving.synchronous import (
    ETA,
    at_one_epoch,
    recommended_within,
    rung_epochs,
)
from hpo_research.strategies.halving.within import within_rungs
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.text import is_one_of, quoted

Kind = Literal["promote", "stop", "continual"]
KINDS = ("promote", "stop", "continual")


@habits.answering
@dataclass(frozen=True)
class ASHA:
    """Asynchronous successive halving (Li et al., MLSys 2020, arXiv:1810.05934).

    The paper has one form, which promotes. What stops is what the packages call ASHA.

    - `kind="promote"`, Algorithm 2 of the paper: a trial is paused at its rung. A free slot resumes
      the best trial, from the highest rung down, that is among the best ⌊n/η⌋ of the n that passed
      its rung and has not gone on yet; where there is none, it starts a new configuration in the
      lowest rung. Trials that failed rank last and count among the n. Rungs lie at
      ⌊max_epochs / η^k⌋ epochs, none below `min_epochs`; the last one is `max_epochs`.
    - `kind="stop"`: nothing is paused, so it suits problems that cannot resume. A trial is judged
      once at a rung, when it reports, beside those that reported there before; in lock-step those
      of lower ids come first. Rungs lie at `min_epochs`·η^k epochs, all below `max_epochs`. A
      failed trial counts where it reported. `rule="syne-tune"`, the default: it is stopped if more
      than n/η of the n values, its own among them, are better. `rule="ray"`: if it is worse than
      the 1/η quantile of the values before it, linearly interpolated.
    - `kind="continual"`: stops at the rungs of `"promote"` what is worse than the 1/η quantile of
      all values there so far, its own included (failed trials count as infinitely bad), and judges
      a trial anew as others report, until its own next report.

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
    rule: Rule | None = None
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True
    believe: ClassVar[None] = None  # `inner` is not shown the run as it is

    def __post_init__(self) -> None:
        _check(self, {"eta": ETA, "min_epochs": whole(), "inner": within_rungs, "batch": whole()})
        object.__setattr__(self, "rule", _rule_of(self.kind, self.rule))

    def rungs(self, max_epochs: int) -> tuple[int, ...]:
        """Return the epochs of the rungs, ascending.

        The last one is `max_epochs`; with `kind="stop"` all lie below it, and there may be none.
        """
        if self.kind == "stop":
            return _rungs_below(max_epochs, self.eta, self.min_epochs)
        return rung_epochs(max_epochs, self.eta, self.min_epochs)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Promote or stop, and fill the free slots with new configurations."""
        ladders = [Ladders((self.rungs(run.max_epochs),)) for run in runs]
        return _asks(self, runs, slots, ladders)

    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of the trials trained furthest, the one that `inner` recommends."""
        return recommended_within(self.inner, runs)


@habits.answering
@dataclass(frozen=True)
class AsynchronousHyperband:
    """ASHA brackets, one for each starting rung (Li et al., MLSys 2020, arXiv:1810.05934).

    Bracket s is an `ASHA` of its own whose lowest rungs are left out: it begins at the rung that
    bracket s of `Hyperband` begins at, with `kind="stop"` at η^s epochs. Trials go to brackets by
    their number: as many in a row to each as the bracket of `Hyperband` has configurations, from
    the most aggressive to the most cautious, then again (Syne Tune and Ray draw the bracket of each
    trial). A bracket's trials of all rounds share its rungs. A free slot resumes what may be
    promoted in any bracket, the most epochs first, before a new trial is started. `kind`, `inner`,
    `batch` and `rule` are those of `ASHA`. Raises `StrategyError`.
    """

    kind: Kind = "promote"
    eta: int = 3
    inner: Strategy = field(default_factory=Random)
    batch: int = 4
    rule: Rule | None = None
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True
    believe: ClassVar[None] = None  # `inner` is not shown the run as it is

    def __post_init__(self) -> None:
        _check(self, {"eta": ETA, "inner": within_rungs, "batch": whole()})
        object.__setattr__(self, "rule", _rule_of(self.kind, self.rule))

    def ladders(self, max_epochs: int) -> Ladders:
        """Return the rungs of each bracket, and how many trials in a row belong to it."""
        table = brackets(max_epochs, self.eta)
        sizes = tuple(bracket[0][0] for bracket in table)
        if self.kind == "stop":
            least = [self.eta**s for s in range(len(table))]
            return Ladders(tuple(_rungs_below(max_epochs, self.eta, n) for n in least), sizes)
        return Ladders(tuple(tuple(epochs for _, epochs in bracket) for bracket in table), sizes)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Promote or stop in every bracket, and fill the free slots with new configurations."""
        return _asks(self, runs, slots, [self.ladders(run.max_epochs) for run in runs])

    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of the trials trained furthest, the one that `inner` recommends."""
        return recommended_within(self.inner, runs)


def _asks(
    strategy: ASHA | AsynchronousHyperband,
    runs: Sequence[Run],
    slots: Sequence[int],
    ladders: Sequence[Ladders],
) -> list[Ask]:
    eta, choose = strategy.eta, at_one_epoch(strategy.inner)
    if strategy.kind == "promote":
        return promoting(runs, slots, ladders, eta=eta, choose=choose)
    if strategy.rule is None:
        rule = partial(continual, eta=eta)
    else:
        rule = partial(once, eta=eta, rule=strategy.rule)
    return stopping(runs, slots, ladders, rule=rule, choose=choose)


def _rungs_below(max_epochs: int, eta: int, least: int) -> tuple[int, ...]:
    """Return least·η^k, ascending, all below `max_epochs`."""
    epochs: list[int] = []
    while least < max_epochs:
        epochs.append(least)
        least *= eta
    return tuple(epochs)


def _rule_of(kind: Kind, rule: Rule | None) -> Rule | None:
    return rule or "syne-tune" if kind == "stop" else None


def _check(strategy: ASHA | AsynchronousHyperband, rules: Mapping[str, OptionRule]) -> None:
    kind, rule = strategy.kind, strategy.rule
    mistakes = Mistakes.of(strategy, {"kind": one_of(KINDS), **rules})
    if rule is not None and is_one_of(kind, ("promote", "continual")):
        given = f"(kind={kind!r}, rule={quoted(rule)})"
        mistakes.add(f"{given}: only kind='stop' has a rule; leave it out")
    else:
        mistakes.check("rule", rule, optional(one_of(RULES)))
    mistakes.refuse(StrategyError)
