"""What a store says of its experiment, read and checked: the one place that reads those texts.

`facts.py` parses the description itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hpo_research.errors import HpoError
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import OPEN
from hpo_research.space import SearchSpace
from hpo_research.space.documents import from_document
from hpo_research.store.damage import Damage, DamagedRows
from hpo_research.store.facts import Facts, facts_of, need
from hpo_research.store.history import History
from hpo_research.store.replay import replay
from hpo_research.store.rows import RunName, parsed


def experiment_of(text: str) -> dict[str, Any]:
    """Return the description of an experiment. Raises `DamagedRows` where it is none."""
    found: dict[str, Any] = _checked("experiment", text, facts_of)
    return found


def provenance_of(text: str) -> list[dict[str, Any]]:
    """Return the notes of the sessions. Raises `DamagedRows` where they are none."""
    found: list[dict[str, Any]] = _checked("provenance", text, _provenance)
    return found


def code_of(text: str) -> list[dict[str, Any]]:
    """Return the digests of code by session. Raises `DamagedRows` where they are none."""
    found: list[dict[str, Any]] = _checked("code", text, _code)
    return found


def parsed_of(key: str, text: str) -> Any:
    """Return what a JSON text of `meta` holds. Raises `DamagedRows` where it is none."""
    return _checked(key, text, lambda found: None)


def list_of(key: str, text: str) -> list[Any]:
    """Return a list of `meta`. Raises `DamagedRows` where it is none."""
    found: list[Any] = _checked(key, text, lambda f: need(isinstance(f, list), "a list", f))
    return found


def spaces_of(facts: Facts) -> dict[str, SearchSpace]:
    """Return the search space of every problem. Raises `DamagedRows` where one is none."""
    spaces = {}
    for name, problem in facts.problems.items():
        try:
            spaces[name] = from_document(problem.space)
        except (HpoError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise _damaged("experiment", f"the space of {name!r} is not valid: {error}") from error
    return spaces


def infos_of(facts: Facts, runs: Mapping[RunName, int]) -> dict[int, RunInfo]:
    """Return what every run is, by its id. Raises `DamagedRows` for one of another experiment."""
    # A list of a thousand configurations takes long to check: once a problem, not a run.
    spaces = spaces_of(facts)
    infos = {}
    for name, number in runs.items():
        if name.problem not in spaces or name.strategy not in facts.strategies:
            what = f"{name.strategy} on {name.problem} is not in the experiment"
            raise DamagedRows([Damage("run", f"id {number}", what)])
        problem = facts.problems[name.problem]
        infos[number] = RunInfo(
            id=number,
            space=spaces[name.problem],
            metric=problem.metric,
            direction=problem.direction,
            max_epochs=OPEN if problem.max_epochs is None else problem.max_epochs,
            seed=name.seed,
            final=facts.final,
            has_missing_values=problem.has_missing_values,
            earlier=problem.earlier,
        )
    return infos


def breaks(what: History, known: Mapping[int, int]) -> tuple[dict[int, int], list[Damage]]:
    """Return the turn in which each run breaks off, and what is wrong there.

    A run does where rows are missing, where one cannot follow those before it, and where `known`
    says so. Without a description of the experiment the second cannot be told.
    """
    cuts = dict(what.cuts)
    for run, number in known.items():
        cuts[run] = min(number, cuts.get(run, number))
    if "experiment" not in what.meta:
        return cuts, []
    try:
        infos = infos_of(facts_of(experiment_of(what.meta["experiment"])), what.runs)
    except DamagedRows as error:
        return cuts, list(error.damages)
    faults = []
    for run, info in infos.items():
        fault = replay(what.of(run), Ledger(info, Limits()), before=cuts.get(run))
        if fault:
            cuts[run] = fault.turn
            faults.append(fault)
    return cuts, [Damage("turn", f"id {fault.turn}", fault.why) for fault in sorted(faults)]


def _checked(key: str, text: str, check: Callable[[Any], object]) -> Any:
    try:
        found = parsed(key, text)
        check(found)
    except ValueError as error:
        raise _damaged(key, str(error)) from error
    return found


def _damaged(key: str, what: str) -> DamagedRows:
    return DamagedRows([Damage("meta", f"key {key!r}", what)])


def _provenance(found: Any) -> None:
    is_list = isinstance(found, list) and all(isinstance(note, dict) for note in found)
    need(is_list, "a list of objects", found)
    for note in found:
        for key in ("versions", "sources"):
            own = note.get(key, {})
            need(isinstance(own, dict), f"{key}: an object", own)
        file = note.get("file", {"name": "", "text": "", "options": []})
        is_file = isinstance(file, dict) and all(
            isinstance(file.get(key), kind)
            for key, kind in {"name": str, "text": str, "options": list}.items()
        )
        need(is_file, "file: name, text and options", file)
        need("file" not in note or isinstance(note.get("device"), str), "device: a string", note)


def _code(found: Any) -> None:
    need(isinstance(found, list), "a list", found)
    for entry in found:
        need(isinstance(entry, dict) and type(entry.get("turn")) is int, "a turn", entry)
        for kind in ("problem", "strategy"):
            owners = entry.get(kind)
            is_map = isinstance(owners, dict) and all(isinstance(p, dict) for p in owners.values())
            need(is_map, f"{kind}: pieces by name", owners)
