"""Attempts: a trial whose process was lost, and that nothing can go on from, is begun anew.

Asynchronously alone. In lock-step and on a simulated clock a trial is trained again in silence up
to its last stored report, and comes to the same numbers. Where time is real nothing says that it
would: what was lost stays in the store and is charged, one epoch at least, and the trial's next
attempt has a curve of its own. Where there is a checkpoint the trial goes on, in the same attempt;
that of a user's function with `can_resume` is what its folder held in a report. Epochs that it had
reported after that are trained again in silence.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from hpo_research.experiment.turn import Turn
from hpo_research.ledger import Ledger
from hpo_research.records import Key, Segment
from hpo_research.store import Checkpoints


def lost(
    segments: Sequence[Segment],
    ledgers: Mapping[int, Ledger],
    checkpoints: Checkpoints,
    *,
    were_running: bool,
) -> set[Key]:
    """Return the trials that cannot be trained on from anywhere.

    `were_running`: their process was lost while they ran. Otherwise they are about to be resumed,
    and their checkpoint may be lost; a state that is empty has none, and is no loss.
    """
    from_nothing = {segment.key: segment for segment in segments if segment.start == 0}
    if were_running:
        return set(from_nothing)
    known = {key for key, _ in checkpoints.digests}
    return {
        key
        for key, segment in from_nothing.items()
        if segment.known > 0 and key in known and ledgers[segment.run].info.can_resume
    }


def begin(
    turn: Turn,
    checkpoints: Checkpoints,
    trials: Collection[Key],
    clock: Callable[[Ledger], float],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Store, and enter, that the next attempts of running trials begin; `texts` go with it."""
    # First, so that an attempt can never go on from an earlier one.
    checkpoints.forget(trials)
    turn.store.forget_checkpoints(trials)
    rows = []
    for run in sorted({run for run, _ in trials}):
        ledger = turn.ledgers[run]
        rows.append(ledger.restart([t for r, t in trials if r == run], clock(ledger)))
    turn.ask(rows, (), texts)
