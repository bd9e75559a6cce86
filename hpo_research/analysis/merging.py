"""Several results as one comparison, where they can be compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from hpo_research.analysis.changes import KINDS, History, is_same
from hpo_research.analysis.history import RunHistory
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.store import RunName
from hpo_research.store.facts import BudgetFacts
from hpo_research.text import NAME_LENGTH

MIXED = "mixed"
"""The execution of a comparison whose parts were executed differently: seconds do not compare."""

_LONGEST = 40  # letters of an option that a name can hold
_NAMED = 5  # mistakes of one kind that an error names
_PROBLEM = "different problems cannot be compared under one name: rename one, or leave it out"


@dataclass(frozen=True)
class _Part:
    """One of the results, by the name it has among them, with its strategies renamed."""

    label: str
    result: Result
    names: Mapping[str, str]

    @property
    def problems(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.result.description["problems"]
        return found

    def made(self, strategy: str) -> tuple[Any, Any, Any]:
        """Return what a strategy is: its options, its answers, and how many trials train at once.

        Two that agree are the same, so that their runs join.
        """
        facts = self.result.facts
        own = facts.strategies[strategy]
        return own.described, own.answers, facts.parallel

    @property
    def histories(self) -> dict[RunName, RunHistory]:
        return {
            name._replace(strategy=self.names[name.strategy]): own
            for name, own in self.result.histories.items()
        }


def merged(results: Sequence[Result], *, apart: bool = False) -> Result:
    """Return several results as one: problems, strategies and seeds of all, each once.

    Problems are the same by name, and must be the same. Strategies of one name and the same options
    are one, and their runs join; those with other options, or with another number of parallel
    trials, have what differs added to their names. With `apart`, every strategy that several
    results have is named after its folder too: two versions of one's code, say.
    Raises `StoreError` with everything that cannot be compared: other problems under one name,
    other directions, budgets on one problem that differ, other rules `final`, and runs that are in
    two results and came to something else.
    """
    if not results:
        raise StoreError("merge: expected results, got none")
    if len(results) == 1:
        return results[0]
    parts = _told_apart(_labelled(results), apart=apart)
    mistakes = [line for pair in combinations(parts, 2) for line in _mistakes(*pair)]
    if mistakes:
        raise StoreError("these results cannot be merged:\n  " + "\n  ".join(mistakes))
    histories: dict[RunName, RunHistory] = {}
    for part in parts:
        histories = {**part.histories, **histories}
    return Result(
        _description(parts),
        [{**note, "results": part.label} for part in parts for note in part.result.provenance],
        histories,
        undigested=sum(part.result.undigested for part in parts),
        parts={part.label: part.result for part in parts},
    )


def _labelled(results: Sequence[Result]) -> list[_Part]:
    """Name each result after its folder, by as much of its path as tells it from the others."""
    labels = [_short(i, results) for i in range(len(results))]
    unique = [
        label if label not in labels[:i] else f"{label} ({i + 1})" for i, label in enumerate(labels)
    ]
    return [
        _Part(label, result, {name: name for name in result.facts.strategies})
        for label, result in zip(unique, results, strict=True)
    ]


def _short(i: int, results: Sequence[Result]) -> str:
    path = results[i].folder
    if path is None:
        return results[i].facts.name
    others = [r.folder.parts for r in results if r.folder is not None and r.folder != path]
    depth = 1
    while depth < len(path.parts) and any(o[-depth:] == path.parts[-depth:] for o in others):
        depth += 1
    return "/".join(path.parts[-depth:])


# --- strategies ---


def _told_apart(parts: Sequence[_Part], *, apart: bool) -> list[_Part]:
    """Rename the strategies that have a name in common with one that is made otherwise."""
    found = {part.label: dict(part.names) for part in parts}
    for name in dict.fromkeys(name for part in parts for name in part.names):
        having = [part for part in parts if name in part.names]
        made = [part.made(name) for part in having]
        is_one = all(_is_same(own, made[0]) for own in made)
        if len(having) < 2 or (is_one and not apart):
            continue
        suffixes = [part.label for part in having]
        if not is_one and not apart:
            suffixes = _suffixes(made, suffixes)
        for part, suffix in zip(having, suffixes, strict=True):
            longest = NAME_LENGTH - len(suffix) - 3
            found[part.label][name] = f"{name[:longest]} ({suffix})"
    return [replace(part, names=found[part.label]) for part in parts]


def _is_same(one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> bool:
    options, answers, parallel = (own == their for own, their in zip(one, other, strict=True))
    return options and parallel and (answers or None in (one[1], other[1]))


def _suffixes(made: Sequence[tuple[Any, Any, Any]], labels: Sequence[str]) -> list[str]:
    """Return what tells strategies of one name apart: the options that differ, or else labels."""
    described = [dict(own) if isinstance(own, Mapping) else {"class": own} for own, _, _ in made]
    for own, (_, _, parallel) in zip(described, made, strict=True):
        own["parallel"] = parallel
    keys = dict.fromkeys(key for own in described for key in own)
    differing = [
        key for key in keys if any(own.get(key) != described[0].get(key) for own in described)
    ]
    shown = [", ".join(_option(key, own.get(key)) for key in differing) for own in described]
    alike = [i for i, own in enumerate(made) if not _is_same(own, made[0])]
    is_clear = all(shown) and all(len(text) <= _LONGEST for text in shown)
    return shown if is_clear and alike and shown[alike[0]] != shown[0] else list(labels)


def _option(key: str, value: Any) -> str:
    if key == "class":
        return str(value).rpartition(".")[2]
    if isinstance(value, Mapping) and "class" in value:
        return f"{key}={str(value['class']).rpartition('.')[2]}"
    return f"{key}={value}"


# --- what cannot be compared ---


def _mistakes(one: _Part, other: _Part) -> Iterator[str]:
    common = [name for name in one.problems if name in other.problems]
    between = f"{one.label} and {other.label}"
    for name in common:
        yield from _of_problem(name, one, other)
    facts, others = one.result.facts, other.result.facts
    if common and facts.budget != others.budget:
        yield (
            f"{between}: the budget of a run on {', '.join(common)} is {_budget(facts.budget)} "
            f"in one and {_budget(others.budget)} in the other; run one again with the other's"
        )
    if facts.final != others.final:
        yield f"{between}: final={facts.final!r} and final={others.final!r}: values differ in kind"
    differing = [
        name
        for name, own in one.histories.items()
        if name in other.histories and not _did_the_same(own, other.histories[name])
    ]
    for run in differing[:_NAMED]:
        yield (
            f"{between}: {run.strategy} on {run.problem}, seed {run.seed}, is in both with "
            "other trials or values; leave out one, or tell them apart by folder (--apart)"
        )
    if len(differing) > _NAMED:
        yield f"{between}: so are {len(differing) - _NAMED} more runs"


def _budget(found: BudgetFacts | None) -> str:
    limits = {} if found is None else asdict(found)
    shown = [f"{limit:g} {unit}" for unit, limit in limits.items() if limit is not None]
    return " or ".join(shown) or "open"


def _of_problem(name: str, one: _Part, other: _Part) -> Iterator[str]:
    own, their = one.problems[name], other.problems[name]
    where = f"problem {name!r} of {one.label} and of {other.label}"
    if own["direction"] != their["direction"]:
        yield f"{where}: {own['direction']} and {their['direction']}"
        return
    keys = dict.fromkeys([*own, *their])
    differing = [key for key in keys if own.get(key) != their.get(key)]
    if differing:
        yield f"{where} differ in {', '.join(differing)}; {_PROBLEM}"


def _did_the_same(one: RunHistory, other: RunHistory) -> bool:
    """Whether two runs came to the same trials, seconds apart."""
    did, their = (
        [(trial.config, trial.status, trial.epochs, trial.values) for trial in own.run.trials]
        for own in (one, other)
    )
    return did == their


# --- what is said of all ---


def _description(parts: Sequence[_Part]) -> dict[str, Any]:
    problems: dict[str, Any] = {}
    strategies: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for part in parts:
        own = part.result.description
        problems = {**own["problems"], **problems}
        for name, new in part.names.items():
            strategies.setdefault(new, own["strategies"][name])
            if name in own.get("answers", {}):
                answers.setdefault(new, own["answers"][name])
    order = list(dict.fromkeys(name for part in parts for name in part.problems))
    facts = [part.result.facts for part in parts]
    first = parts[0].result.description
    is_alike = all(own.budget == facts[0].budget for own in facts)
    return {
        "name": " + ".join(dict.fromkeys(own.name for own in facts)),
        "problems": {name: problems[name] for name in order},
        "strategies": strategies,
        "answers": answers,
        "seeds": sorted({seed for own in facts for seed in own.seeds}),
        "budget": first.get("budget") if is_alike else None,
        "parallel": facts[0].parallel if len({own.parallel for own in facts}) == 1 else None,
        "execution": facts[0].execution if len({own.execution for own in facts}) == 1 else MIXED,
        "final": facts[0].final,
    }


def code_that_differs(parts: Mapping[str, History]) -> list[str]:
    """Say which code of the user's differs between results of one comparison."""
    lines = []
    for (label, one), (other_label, other) in combinations(parts.items(), 2):
        for kind in KINDS:
            own, their = _last(one, kind), _last(other, kind)
            lines += [
                f"the code of {name} differs between {label} and {other_label}, in {piece}"
                for name in own
                if name in their
                for piece in own[name]
                if piece in their[name] and is_same(own[name][piece], their[name][piece]) is False
            ]
    return lines


def _last(history: History, kind: str) -> dict[str, Mapping[str, str]]:
    return {name: pieces for entry in history for name, pieces in entry[kind].items()}
