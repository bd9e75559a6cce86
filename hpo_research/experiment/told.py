"""What a study is given and told, checked before it counts."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hpo_research import options
from hpo_research.errors import StudyError
from hpo_research.experiment.checks import strategy_mistake
from hpo_research.experiment.description import Json, compared, describe, differences, stored
from hpo_research.experiment.grown import as_stored
from hpo_research.experiment.notes import record
from hpo_research.experiment.priors import document
from hpo_research.experiment.provenance import provenance
from hpo_research.ledger import AskRow, Ledger, RunInfo
from hpo_research.records import ADDED, OPEN, Ask, Outcome, Report, Trial, start
from hpo_research.scalars import plain
from hpo_research.space import SearchSpace
from hpo_research.space.outside import extended
from hpo_research.store import Store
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.sparing import length_mistake
from hpo_research.text import count, name_mistake, quoted

STUDY = "study"
"""What the one problem, the one strategy and the execution of a study are called."""


def number_of(trial: int, value: object, *, may_be_none: bool = False) -> float:
    """Return what a trial gave as a float; NumPy scalars and tensors without dimensions are too.

    NaN for None, where it may be that.
    Raises `StudyError` for anything else.
    """
    if type(value) is float:
        return value
    number = math.nan if value is None and may_be_none else plain(value)
    if not options.is_real(number):
        raise StudyError(
            f"trial {trial}: expected a number, got {value!r} of type {type(value).__name__}; "
            "use fail(id, reason) for a trial without a value"
        )
    try:
        return float(number)
    except OverflowError:
        raise StudyError(
            f"trial {trial}: expected a number, got one that is too large for a float"
        ) from None


def epoch_of(trial: Trial, epoch: object) -> int:
    """Return an epoch as an int. Raises `StudyError` for one that the trial cannot have."""
    number = options.as_integer(epoch)
    if number is None:
        raise StudyError(f"trial {trial.id}: epoch must be an integer, got {epoch!r}")
    if not 1 <= number <= trial.until:
        raise StudyError(
            f"trial {trial.id}: epoch {number} is outside 1 to {trial.until}, its until"
        )
    return number


def check_running(trial: Trial, epoch: int, books: Ledger) -> None:
    """Raise `StudyError` where nothing can be told of a trial at this epoch."""
    if not trial.is_running:
        raise StudyError(_over(trial))
    if epoch <= (reached := books.known(trial.id)):
        raise StudyError(
            f"trial {trial.id}: epoch {epoch} comes after epoch {reached} was reported"
        )


def check_study(info: RunInfo, strategy: object) -> None:
    """Raise `StudyError` with all that is wrong with the arguments of a study."""
    rules = {
        "space": options.instance(SearchSpace, "a SearchSpace"),
        "seed": options.foreign(options.seed),
        "final": options.FINAL,
        "direction": options.DIRECTION,
        "max_epochs": _length,
        "has_missing_values": options.flag,
    }
    mistakes = options.Mistakes.of(info, rules, "Study:")
    if mistake := name_mistake(info.metric):
        mistakes.add(f" metric {mistake}")
    if mistake := strategy_mistake(strategy, info.max_epochs):
        mistakes.add(f" strategy {mistake}")
    elif _is_open(info.max_epochs) and (mistake := length_mistake(strategy, "this study")):
        mistakes.add(f" strategy does not suit: {mistake}")
    mistakes.refuse(StudyError)


def _length(value: object) -> str:
    return "" if _is_open(value) else options.whole()(value)


def _is_open(length: object) -> bool:
    return options.is_integer(length) and length == OPEN


def check_open(info: RunInfo) -> None:
    """Raise `StudyError` where the length of trials is known."""
    if info.max_epochs != OPEN:
        raise StudyError(
            f"finish: trials of this study end at epoch {info.max_epochs}; tell(id, value) gives "
            "the value there, and Study(..., max_epochs=None) leaves the length open"
        )


def end_of(books: Ledger, trial: Trial, value: float | None) -> tuple[str, str] | None:
    """Return how a trial of open length ends now, and why; None where it has ended so already.

    `value` is what it is told to have given, if it is. Raises `StudyError` where it cannot end.
    """
    reached, is_failure = books.known(trial.id), value is not None and not math.isfinite(value)
    if trial.status == "finished" and value in (None, trial.value_at(reached)):
        return None
    if trial.status == "failed" and (value is None or is_failure):
        return None
    if not trial.is_running:
        raise StudyError(_over(trial))
    if is_failure:
        return "failed", f"value is {value} at epoch {reached + 1}"
    if not reached:
        raise StudyError(
            f"trial {trial.id}: nothing was reported for it; call tell(id, value) to give its "
            "value, or fail(id, reason) if it has none"
        )
    last = trial.value_at(reached)
    if value is not None and value != last:
        raise StudyError(
            f"trial {trial.id}: its last epoch, {reached}, was reported as {last!r}, and is now "
            f"told as {value!r}; report(id, {reached + 1}, value) first, then finish(id)"
        )
    return ("finished", "") if last is not None else ("failed", f"no value at epoch {reached}")


def is_missing(books: Ledger, trial: Trial, epoch: int, value: float) -> bool:
    """Whether a value is missing again that was missing in an earlier report."""
    is_known = trial.is_running and epoch <= books.known(trial.id)
    return is_known and books.info.has_missing_values and not math.isfinite(value)


def reported(
    books: Ledger, trial: Trial, epoch: int, value: float, clock: float
) -> tuple[Report, list[Outcome]]:
    """Return a report of a running trial, and its outcome where it ends with it."""
    run, seconds = books.info.id, clock - books.open[trial.id].clock
    report = Report(run, trial.id, epoch, {books.info.metric: value}, seconds, clock)
    status: Literal["finished", "paused", "stopped"]
    if epoch == trial.until:
        status = "finished" if epoch == books.info.max_epochs else "paused"
    elif trial.id in books.stopping:
        status = "stopped"
    else:
        return report, []
    return report, [Outcome(run, trial.id, status, epoch, clock=clock)]


def trial_of(books: Ledger, trial: object) -> Trial:
    """Return the trial of an id, or of itself. Raises `StudyError` where there is none."""
    number = trial.id if isinstance(trial, Trial) else options.as_integer(trial)
    if number is None:
        raise StudyError(f"expected a trial or its id, got {trial!r}; use trial.id")
    if not 0 <= number < len(books.trials):
        raise StudyError(f"trial {number} is unknown; {count(len(books.trials), 'trial')} so far")
    known = books.trials[number]
    if isinstance(trial, Trial) and trial.config != known.config:
        raise StudyError(f"trial {number} of this study has another configuration than {trial!r}")
    return known


def added(
    books: Ledger, config: Mapping[str, object], value: object, clock: float
) -> tuple[AskRow, list[Report], list[Outcome]]:
    """Return what is stored of a trial that was trained elsewhere: to the end, at no cost.

    Raises `SpaceError` for what no model of the space could learn from, `StudyError` for a value
    that is no number. One that is not finite is a failure.
    """
    known, number = extended(books.info.space, config, "add"), plain(value)
    if not options.is_real(number):
        raise StudyError(f"add: value must be a number, NaN for a failure, got {quoted(value)}")
    run, found, until = books.info.id, options.as_float(number), books.info.max_epochs
    row = books.grant(Ask((start(known, until, ADDED),)), clock)
    (trial,) = row.begun
    if not math.isfinite(found):
        reason = f"value is {found}"
        return row, [], [Outcome(run, trial, "failed", 0, reason, clock)]
    epoch = 1 if until == OPEN else until
    report = Report(run, trial, epoch, {books.info.metric: found}, 0.0, clock)
    return row, [report], [Outcome(run, trial, "finished", epoch, clock=clock)]


def in_a_child(process: int) -> StudyError:
    """Return what a child of a study's process is told."""
    return StudyError(
        f"the study belongs to process {process}, and this is its child, process {os.getpid()}, "
        "whose results it would never see; return the value to that process (through a queue, or "
        "as a pool's result), and ask and tell there"
    )


def other(trial: Trial, epoch: int, before: float, now: float) -> StudyError:
    """Return what somebody is told who reports another value for a known epoch."""
    return StudyError(f"trial {trial.id}: epoch {epoch} was reported as {before!r}, now as {now!r}")


def copied() -> StudyError:
    """Return what somebody is told who pickles or copies a study."""
    return StudyError(
        "a study cannot be pickled or copied: it belongs to one process, with its lock; give "
        "other processes the trial's config, and tell here what they return"
    )


def _over(trial: Trial) -> str:
    return (
        f"trial {trial.id} is already {trial.status}, at epoch {trial.reached}; "
        "only trials that ask() returned can be told"
    )


def description_of(info: RunInfo, strategy: Strategy) -> Json:
    """Return a study as plain JSON, as an experiment of one problem and one strategy."""
    facts = {
        **{"metric": info.metric, "direction": info.direction},
        "max_epochs": None if info.max_epochs == OPEN else info.max_epochs,
        "optimum": None,
        "space": describe(info.space, "space"),
    }
    if info.has_missing_values:  # unsaid otherwise, as in the stores of earlier versions
        facts["has_missing_values"] = True
    if info.earlier:
        facts["prior"] = document(info.earlier)
    description = {
        "name": STUDY,
        "problems": {STUDY: facts},
        "strategies": {STUDY: describe(strategy, "strategy")},
        "seeds": [info.seed],
        "budget": None,
        "parallel": None,
        "execution": STUDY,
        "final": info.final,
        **stored({STUDY: strategy}),
    }
    found: Json = json.loads(json.dumps(description))
    return found


def matched(info: RunInfo, strategy: Strategy, store: Store) -> RunInfo:
    """Match a study with its store, which it is noted in, and return what it is.

    With what the store says of sources of earlier results that have grown since. Raises
    `StudyError` where the store holds something else.
    """
    old = store.experiment()
    if old is not None and info.earlier and old["execution"] == STUDY:
        stored_earlier = old["problems"][STUDY].get("prior")
        info = replace(info, earlier=as_stored(info.earlier, stored_earlier))
    description = description_of(info, strategy)
    _check_same(store.folder, old, description)
    record(store, description, provenance("cpu"), {"strategy": {STUDY: strategy}})
    return info


def _check_same(folder: Path | None, old: Json | None, new: Json) -> None:
    """Raise `StudyError` where a folder holds another study, or an experiment."""
    if old is None:
        return
    if old["execution"] != STUDY:
        raise StudyError(f"{folder}: holds an experiment named {old['name']!r}; use another path")
    lines = differences(_facts(old), _facts(new))
    if lines:
        raise StudyError(
            "\n".join([f"{folder}: holds another study; use another path, or undo:", *lines])
        )


def _facts(description: Json) -> Json:
    (seed,) = description["seeds"]
    strategy = description["strategies"][STUDY]
    return {
        **compared(description["problems"][STUDY]),
        "strategy": strategy,
        "seed": seed,
        "final": description["final"],
    }
