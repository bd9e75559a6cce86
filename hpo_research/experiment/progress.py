"""How far an experiment is: what a progress display shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo_research.ledger import Ledger
from hpo_research.store import RunName


@dataclass(frozen=True)
class RunProgress:
    """How far one run is; `share` of its budget is spent, 1 when the run is over."""

    name: RunName
    trials: int
    running: int
    failed: int
    epochs: int
    best: float | None
    share: float
    is_over: bool


@dataclass(frozen=True)
class Progress:
    """How far all runs are."""

    runs: Sequence[RunProgress]


def progress(name: RunName, ledger: Ledger, is_over: bool) -> RunProgress:
    """Return how far the run is."""
    run = ledger.run()
    best = run.best()
    return RunProgress(
        name,
        trials=len(run.trials),
        running=len(ledger.open),
        failed=sum(trial.status == "failed" for trial in run.trials),
        epochs=ledger.spent,
        best=None if best is None else best.value,
        share=1.0
        if is_over
        else ledger.limits.share(ledger.spent, len(run.trials), ledger.elapsed),
        is_over=is_over,
    )
