"""What no strategy may propose: a bug in it, found before it is stored."""

from hpo_research.errors import StrategyError
from hpo_research.ledger import Ledger
from hpo_research.records import Ask


def check_ask(name: str, ledger: Ledger, ask: Ask, slots: int) -> None:
    """Raise `StrategyError` for proposals that no strategy may make: a bug in it."""
    taken = [proposal for proposal in ask.proposals if proposal.kind != "stop"]
    who = f"{name}, run {ledger.info.id}"
    if len(taken) > slots:
        raise StrategyError(f"{who}: {slots} slots were free, {len(taken)} proposals came")
    for proposal in ask.proposals:
        if proposal.kind == "start":
            ledger.info.space.validate(proposal.config or {}, f"{who}: proposal")
            known = 0
        else:
            expected = "paused" if proposal.kind == "resume" else "running"
            trial = ledger.trials[proposal.trial or 0]
            known = trial.reached
            if trial.status != expected:
                raise StrategyError(
                    f"{who}: cannot {proposal.kind} trial {trial.id}, which is {trial.status}"
                )
        if proposal.kind != "stop" and not known < proposal.until <= ledger.info.max_epochs:
            raise StrategyError(
                f"{who}: until must lie above {known} and at most at {ledger.info.max_epochs}, "
                f"got {proposal.until}"
            )
