"""Verdicts: what a rule of stopping compared, and what it decided, as notes of an ask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpo_research.records import Ask, Note, Stop, stop
from hpo_research.strategies.answers import chain
from hpo_research.strategies.protocol import Strategy


@dataclass(frozen=True)
class StopDecision:
    """A running trial judged at the epoch it has reached: its number beside the bound.

    `value` and `bound` are in the units of the rule: the user's metric, or a probability.
    """

    trial: int
    epoch: int
    value: float
    bound: float
    stops: bool


def name_of(rule: str, strategy: Strategy) -> str:
    """Return the name of a rule in the notes: `RULE`, and `RULE2` around another of its kind."""
    number = sum(type(link) is type(strategy) for link in chain(strategy))
    return rule if number == 1 else f"{rule}{number}"


def notes(rule: str, decisions: Sequence[StopDecision]) -> dict[str, Note]:
    """Return parallel lists, a number a decision; nothing where there is none.

    The keys are `RULE_trial`, `RULE_epoch`, `RULE_value`, `RULE_bound` and `RULE_stop` (1 or 0).
    """
    if not decisions:
        return {}
    return {
        f"{rule}_trial": [float(decision.trial) for decision in decisions],
        f"{rule}_epoch": [float(decision.epoch) for decision in decisions],
        f"{rule}_value": [decision.value for decision in decisions],
        f"{rule}_bound": [decision.bound for decision in decisions],
        f"{rule}_stop": [float(decision.stops) for decision in decisions],
    }


def judged(ask: Ask, rule: str, decisions: Sequence[StopDecision]) -> Ask:
    """Return the ask with the stops that a rule decided, before all else, and its notes.

    A trial that the ask stops already is not stopped twice.
    """
    known = {proposal.trial for proposal in ask.proposals if isinstance(proposal, Stop)}
    stops = (stop(decision.trial) for decision in decisions if decision.stops)
    fresh = tuple(proposal for proposal in stops if proposal.trial not in known)
    return replace(
        ask,
        proposals=(*fresh, *ask.proposals),
        notes={**ask.notes, **notes(rule, decisions)},
    )
