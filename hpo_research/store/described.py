"""What a store says of its experiment, read and checked: the one place that reads those texts."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hpo_research.errors import HpoError
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import OPEN
from hpo_research.space import SearchSpace
from hpo_research.space.documents import from_document
from hpo_research.store.damage import Damage, DamagedRows
from hpo_research.store.history import History
from hpo_research.store.replay import replay
from hpo_research.store.rows import RunName, parsed

Made = TypeVar("Made")
_ANSWERS: Mapping[str, tuple[type, ...]] = {
    "batch": (int, type(None)),
    "needs_total": (bool,),
    "with_one_epoch": (str,),
    "inner": (dict, type(None)),
    "recommend": (dict,),
    "believe": (dict,),
    "own": (list,),
}
"""What is written down of a strategy that a reader cannot make again (`analysis.described`)."""
_FACTS = ("metric", "direction", "max_epochs")
_UNITS = ("evaluations", "epochs", "trials", "seconds")


def experiment_of(text: str) -> dict[str, Any]:
    """Return the description of an experiment. Raises `DamagedRows` where it is none."""
    found: dict[str, Any] = _checked("experiment", text, _experiment)
    return found


def provenance_of(text: str) -> list[dict[str, Any]]:
    """Return the notes of the sittings. Raises `DamagedRows` where they are none."""
    found: list[dict[str, Any]] = _checked("provenance", text, _provenance)
    return found


def code_of(text: str) -> list[dict[str, Any]]:
    """Return the digests of code by sitting. Raises `DamagedRows` where they are none."""
    found: list[dict[str, Any]] = _checked("code", text, _code)
    return found


def parsed_of(key: str, text: str) -> Any:
    """Return what a JSON text of `meta` holds. Raises `DamagedRows` where it is none."""
    return _checked(key, text, lambda found: None)


def list_of(key: str, text: str) -> list[Any]:
    """Return a list of `meta`. Raises `DamagedRows` where it is none."""
    found: list[Any] = _checked(key, text, lambda f: _need(isinstance(f, list), "a list", f))
    return found


def spaces_of(description: Mapping[str, Any]) -> dict[str, SearchSpace]:
    """Return the search space of every problem. Raises `DamagedRows` where one is none."""
    spaces = {}
    for problem, facts in description["problems"].items():
        try:
            spaces[problem] = from_document(facts["space"])
        except (HpoError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise _damaged("experiment", f"the space of {problem!r} is none: {error}") from error
    return spaces


def infos_of(description: Mapping[str, Any], runs: Mapping[RunName, int]) -> dict[int, RunInfo]:
    """Return what every run is, by its id. Raises `DamagedRows` for one of another experiment."""
    # A list of a thousand configurations takes long to check: once a problem, not a run.
    spaces = spaces_of(description)
    infos = {}
    for name, number in runs.items():
        if name.problem not in spaces or name.strategy not in description["strategies"]:
            what = f"{name.strategy} on {name.problem} is not in the experiment"
            raise DamagedRows([Damage("run", f"id {number}", what)])
        facts = description["problems"][name.problem]
        infos[number] = RunInfo(
            id=number,
            space=spaces[name.problem],
            metric=facts["metric"],
            direction=facts["direction"],
            max_epochs=OPEN if facts["max_epochs"] is None else facts["max_epochs"],
            seed=name.seed,
            final=description["final"],
            has_missing_values=facts.get("has_missing_values", False),
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
        infos = infos_of(experiment_of(what.meta["experiment"]), what.runs)
    except DamagedRows as error:
        return cuts, list(error.damages)
    faults = []
    for run, info in infos.items():
        fault = replay(what.of(run), Ledger(info, Limits()), before=cuts.get(run))
        if fault:
            cuts[run] = fault.turn
            faults.append(fault)
    return cuts, [Damage("turn", f"id {fault.turn}", fault.why) for fault in sorted(faults)]


def _checked(key: str, text: str, check: Callable[[Any], None]) -> Any:
    try:
        found = parsed(key, text)
        check(found)
    except ValueError as error:
        raise _damaged(key, str(error)) from error
    return found


def _damaged(key: str, what: str) -> DamagedRows:
    return DamagedRows([Damage("meta", f"key {key!r}", what)])


def _experiment(found: Any) -> None:
    _need(isinstance(found, dict), "a JSON object", found)
    for key in ("name", "execution", "final"):
        _need(isinstance(found.get(key), str), f"{key}: a string", found.get(key))
    _need(found["final"] in ("last", "best"), "final: last or best", found["final"])
    for key in ("problems", "strategies"):
        _need(isinstance(found.get(key), dict), f"{key}: an object by name", found.get(key))
    seeds = found.get("seeds")
    _need(isinstance(seeds, list) and all(type(s) is int for s in seeds), "seeds: integers", seeds)
    for name, facts in found["problems"].items():
        _problem(name, facts)
    for name, said in _object("answers", found.get("answers", {})).items():
        _answers(f"answers.{name}", said)
    budget = found.get("budget")
    if budget is not None:
        _need(isinstance(budget, dict), "budget: an object", budget)
        for unit in _UNITS:
            value = budget.get(unit, "nothing")
            _need(value is None or _is_number(value), f"budget.{unit}: a number", value)


def _answers(where: str, said: Any) -> None:
    _object(where, said)
    for key, kinds in _ANSWERS.items():
        value = said.get(key, kinds)  # an object that is none of them where it is missing
        _need(isinstance(value, kinds), f"{where}.{key}: {kinds}", value)


def _object(where: str, found: Any) -> dict[str, Any]:
    _need(isinstance(found, dict), f"{where}: an object by name", found)
    own: dict[str, Any] = found
    return own


def _problem(name: str, facts: Any) -> None:
    _need(isinstance(facts, dict), f"problems.{name}: an object", facts)
    metric, direction, epochs = (facts.get(k, "nothing") for k in _FACTS)
    _need(isinstance(metric, str), f"problems.{name}.metric: a string", metric)
    directions = ("minimize", "maximize")
    _need(direction in directions, f"problems.{name}.direction: one of {directions}", direction)
    is_count = epochs is None or (type(epochs) is int and epochs > 0)
    _need(is_count, f"problems.{name}.max_epochs: 1 or more, or null", epochs)
    is_missing = facts.get("has_missing_values", False)
    _need(type(is_missing) is bool, f"problems.{name}.has_missing_values: a bool", is_missing)
    optimum = facts.get("optimum")
    _need(optimum is None or _is_number(optimum), f"problems.{name}.optimum: a number", optimum)
    _need(isinstance(facts.get("space"), dict), f"problems.{name}.space: an object", facts)


def _provenance(found: Any) -> None:
    is_list = isinstance(found, list) and all(isinstance(note, dict) for note in found)
    _need(is_list, "a list of objects", found)
    for note in found:
        for key in ("versions", "sources"):
            own = note.get(key, {})
            _need(isinstance(own, dict), f"{key}: an object", own)
        file = note.get("file", {"name": "", "text": "", "options": []})
        is_file = isinstance(file, dict) and all(
            isinstance(file.get(key), kind)
            for key, kind in {"name": str, "text": str, "options": list}.items()
        )
        _need(is_file, "file: name, text and options", file)
        _need("file" not in note or isinstance(note.get("device"), str), "device: a string", note)


def _code(found: Any) -> None:
    _need(isinstance(found, list), "a list", found)
    for entry in found:
        _need(isinstance(entry, dict) and type(entry.get("turn")) is int, "a turn", entry)
        for kind in ("problem", "strategy"):
            owners = entry.get(kind)
            is_map = isinstance(owners, dict) and all(isinstance(p, dict) for p in owners.values())
            _need(is_map, f"{kind}: pieces by name", owners)


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _need(holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ValueError(f"expected {expected}, got {got!r:.80}")
