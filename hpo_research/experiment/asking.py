"""Asking a strategy, and checking what it says before any of it is granted or stored."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo_research import heavy
from hpo_research.errors import HpoError, MissingPackageError, SpaceError, StrategyError
from hpo_research.experiment.checks import repeated
from hpo_research.ledger import Ledger
from hpo_research.options import as_integer, is_real
from hpo_research.origin import told
from hpo_research.records import (
    ADDED,
    ENQUEUED,
    PRIOR,
    Ask,
    Note,
    Proposal,
    Resume,
    Run,
    Start,
    Stop,
    Trial,
)
from hpo_research.store import RunName
from hpo_research.strategies.protocol import Strategy
from hpo_research.text import count, storable

_KEPT = "everything stored so far is kept, and the same call resumes once the strategy is fixed"
_FAULTS = (Exception, SystemExit)  # Ctrl-C is no fault of the strategy's


def asks_of(
    strategy: Strategy,
    runs: Sequence[Run],
    *,
    names: Sequence[RunName],
    ledgers: Sequence[Ledger],
    slots: Sequence[int],
) -> list[Ask]:
    """Ask a strategy and return what it may be granted: native types, nothing of it shared.

    Raises `StrategyError` for what no strategy may say and for whatever it raises itself, with
    strategy, problem, seed, and the line of the user's code; its own `StrategyError` as it is.
    """
    name = names[0].strategy
    try:
        asks = strategy.ask(list(runs), list(slots))
    except _FAULTS as error:
        if _is_refusal(error):
            raise
        who, cause = _guilty(strategy, runs, names, slots, error)
        what = str(cause) if isinstance(cause, StrategyError) else f"ask raised {told(cause)}"
        raise StrategyError(f"{who}: {what}; {_KEPT}") from (cause.__cause__ or cause)
    if not isinstance(asks, list | tuple):
        raise StrategyError(f"{name}: expected a list of one Ask per run, got {_shown(asks)}")
    if len(asks) != len(runs):
        raise StrategyError(
            f"{name}: asked {count(len(runs), 'run')}, got {count(len(asks), 'ask')}"
        )
    rows = zip(names, ledgers, asks, slots, strict=True)
    return [_read(_called(run), ledger, ask, free) for run, ledger, ask, free in rows]


def _is_refusal(error: BaseException) -> bool:
    """Return whether a strategy says no, rather than that something in it went wrong."""
    if isinstance(error, StrategyError):
        return error.__cause__ is None or isinstance(error.__cause__, HpoError)
    return isinstance(error, MissingPackageError)


def _called(name: RunName) -> str:
    if name.problem == name.strategy == "study":
        return f"study, seed {name.seed}"
    return f"{name.strategy} on {name.problem}, seed {name.seed}"


def _guilty(
    strategy: Strategy,
    runs: Sequence[Run],
    names: Sequence[RunName],
    slots: Sequence[int],
    error: BaseException,
) -> tuple[str, BaseException]:
    """Return the run that a strategy fails in, asked alone, and what it raises there.

    Where it fails in none alone, all of them are named.
    """
    if len(runs) == 1:
        return _called(names[0]), error
    for run, name, free in zip(runs, names, slots, strict=True):
        try:
            strategy.ask([run], [free])
        except _FAULTS as alone:
            return _called(name), alone
    problems = ", ".join(dict.fromkeys(name.problem for name in names))
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(name.seed for name in names))
    who = f"{names[0].strategy} on {problems}, seeds {seeds}"
    return f"{who} (asked together; asked alone, none of its runs fails)", error


def _read(who: str, ledger: Ledger, ask: object, slots: int) -> Ask:
    try:
        return _checked(who, ledger, ask, slots)
    except StrategyError:
        raise
    except Exception as error:  # whatever objects of the user's raise when they are looked at
        raise StrategyError(f"{who}: its answer cannot be read: {told(error)}; {_KEPT}") from error


def _checked(who: str, ledger: Ledger, ask: object, slots: int) -> Ask:
    if not isinstance(ask, Ask):
        raise StrategyError(f"{who}: expected an Ask, got {_shown(ask)}; return one Ask for a run")
    given = ask.proposals
    expected = "start(...), resume(...) and stop(...)"
    if not isinstance(given, list | tuple):
        raise StrategyError(f"{who}: expected a tuple of {expected}, got {_shown(given)}")
    for proposal in given:
        if not isinstance(proposal, Proposal):
            raise StrategyError(
                f"{who}: expected proposals from {expected}, got {_shown(proposal)}"
            )
    taken = [proposal for proposal in given if not isinstance(proposal, Stop)]
    if len(taken) > slots:
        raise StrategyError(f"{who}: {slots} slots were free, got {len(taken)} proposals")
    notes, seconds = _notes(who, ask.notes), _seconds(who, ask.seconds)
    proposals = tuple(_proposal(who, ledger, proposal) for proposal in given)
    named = [proposal.trial for proposal in proposals if proposal.trial is not None]
    twice = sorted(repeated(named))
    if twice:
        listed = ", ".join(map(str, twice))
        raise StrategyError(f"{who}: trial {listed} is resumed or stopped twice in one ask")
    return Ask(proposals, notes, seconds, _reason(who, ask.ends))


def _reason(who: str, ends: object) -> str:
    if not isinstance(ends, str):
        raise StrategyError(
            f"{who}: ends must be why the run is over, as a string (empty where it goes on), "
            f"got {_shown(ends)}"
        )
    return storable(str(ends))


def _shown(value: object) -> str:
    try:
        shown = " ".join(repr(value).split())
    except Exception:  # an object of the user's that cannot be shown
        return f"an object of type {type(value).__name__}"
    return f"{shown:.80} of type {type(value).__name__}"


# -- proposals


def _proposal(who: str, ledger: Ledger, proposal: Proposal) -> Proposal:
    if not isinstance(proposal, Start):
        trial = _known(who, ledger, proposal)
        if isinstance(proposal, Stop):
            return Stop(trial.id)
        return Resume(trial.id, _until(who, ledger, proposal, trial.reached))
    try:
        given = {} if proposal.config is None else proposal.config
        config = ledger.info.space.validate(given, f"{who}: proposal")
    except SpaceError as error:
        raise StrategyError(str(error)) from error
    if not isinstance(proposal.origin, str):
        raise StrategyError(f"{who}: origin must be a string, got {_shown(proposal.origin)}")
    # What is no text of Unicode cannot be stored.
    origin = str(proposal.origin).encode("utf-8", "backslashreplace").decode()
    if origin in (ENQUEUED, ADDED, PRIOR):
        raise StrategyError(
            f"{who}: origin {origin!r} is that of the user's own trials; say why the strategy "
            "chose it"
        )
    return Start(config, _until(who, ledger, proposal, 0), origin)


def _until(who: str, ledger: Ledger, proposal: Start | Resume, known: int) -> int:
    until, most = as_integer(proposal.until), ledger.info.max_epochs
    if until is None or not known < until <= most:
        raise StrategyError(
            f"{who}: until must be an integer above {known} and at most {most}, "
            f"got {_shown(proposal.until)}"
        )
    return until


def _known(who: str, ledger: Ledger, proposal: Resume | Stop) -> Trial:
    number = as_integer(proposal.trial)
    if number is None or not 0 <= number < len(ledger.trials):
        came = proposal.trial if number is None else number
        shown = came if came is None or number is not None else _shown(came)
        raise StrategyError(
            f"{who}: cannot {proposal.kind} trial {shown}, which does not exist; "
            f"name one by its id, below {len(ledger.trials)}"
        )
    trial = ledger.trials[number]
    if trial.status != ("paused" if isinstance(proposal, Resume) else "running"):
        raise StrategyError(
            f"{who}: cannot {proposal.kind} trial {trial.id}, which is {trial.status}"
        )
    return trial


# -- notes


def _notes(who: str, notes: object) -> dict[str, Note]:
    if not isinstance(notes, Mapping):
        raise StrategyError(f"{who}: notes must be a dict, got {_shown(notes)}")
    return {_key(who, "notes", key): _note(who, key, note) for key, note in notes.items()}


def _key(who: str, what: str, key: object) -> str:
    if not isinstance(key, str):
        raise StrategyError(f"{who}: the names of {what} must be strings, got {_shown(key)}")
    return str(key)


def _note(who: str, key: object, note: object) -> Note:
    plain: Any = _native(note)
    if isinstance(plain, str):
        return str(plain)
    if isinstance(plain, list | tuple):
        numbers = [_number(_native(item)) for item in plain]
        if None not in numbers:
            return numbers  # type: ignore[return-value]
    elif (number := _number(plain)) is not None:
        return number
    raise StrategyError(
        f"{who}: note {key!r} must be a number, a string or a list of numbers, got {_shown(note)}"
    )


def _native(value: Any) -> Any:
    """Return arrays, tensors and their scalars as Python's lists and numbers."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value.detach().cpu().tolist() if heavy.is_tensor(value) else value


def _number(value: object) -> float | None:
    if isinstance(value, bool | float):
        return value
    if (number := as_integer(value)) is not None:
        return number if abs(number) < 2**1023 else None  # a reader takes it for a float
    return float(value) if is_real(value) else None


def _seconds(who: str, seconds: object) -> dict[str, float]:
    if not isinstance(seconds, Mapping):
        raise StrategyError(f"{who}: seconds must be a dict, got {_shown(seconds)}")
    took = {}
    for key, value in seconds.items():
        number = _number(_native(value))
        if number is None or not 0 <= number < math.inf:
            raise StrategyError(
                f"{who}: seconds[{key!r}] must be a number of seconds, got {_shown(value)}"
            )
        took[_key(who, "seconds", key)] = float(number)
    return took
