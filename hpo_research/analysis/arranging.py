"""A part of a result, in an order and under names of one's own: what a paper shows of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.text import name_mistake, quoted


def arranged(
    result: Result,
    *,
    only: Collection[str] = (),
    order: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> Result:
    """Return the result of some strategies or problems, in an order, with other names.

    All three speak of strategies and of problems, by the names of the result. Of a kind that `only`
    does not name, all are kept; what `order` does not name comes last, as it was. Tests, ranks and
    corrections are then those of what is left. Raises `StoreError` with every mistake.
    """
    labels = labels or {}
    kinds = {kind: list(result.description[kind]) for kind in ("problems", "strategies")}
    _check(kinds, only=only, order=order, labels=labels)
    names = {kind: _chosen(own, only, order) for kind, own in kinds.items()}
    problems, strategies = (
        {name: labels.get(name, name) for name in names[kind]} for kind in kinds
    )
    return replace(
        result,
        description=_described(result.description, problems, strategies),
        histories={
            name._replace(
                problem=problems[name.problem], strategy=strategies[name.strategy]
            ): history
            for name, history in result.histories.items()
            if name.problem in problems and name.strategy in strategies
        },
        code=tuple(
            {**entry, **_renamed(entry, problem=problems, strategy=strategies)}
            for entry in result.code
        ),
    )


def _check(
    kinds: Mapping[str, Sequence[str]],
    *,
    only: Collection[str],
    order: Sequence[str],
    labels: Mapping[str, str],
) -> None:
    known = [name for own in kinds.values() for name in own]
    there = "; ".join(f"{kind}: {', '.join(own)}" for kind, own in kinds.items())
    mistakes = [
        f"{what}: no strategy or problem {quoted(name)}; there are {there}"
        for what, given in {"only": only, "order": order, "labels": labels}.items()
        for name in given
        if name not in known
    ]
    mistakes += [
        f"labels: the label of {name} {mistake}"
        for name, label in labels.items()
        if (mistake := name_mistake(label))
    ]
    for kind, own in kinds.items():
        shown = [labels.get(name, name) for name in own]
        twice = dict.fromkeys(str(name) for name in shown if shown.count(name) > 1)
        mistakes += [f"labels: two {kind} would be called {name!r}" for name in twice]
    mistakes += [f"order: {name} is named twice" for name in known if order.count(name) > 1]
    if mistakes:
        raise StoreError("\n  ".join(mistakes))


def _chosen(own: Sequence[str], only: Collection[str], order: Sequence[str]) -> list[str]:
    kept = [name for name in own if name in only] or list(own)
    first = [name for name in order if name in kept]
    return [*first, *(name for name in kept if name not in first)]


def _described(
    description: Mapping[str, Any], problems: Mapping[str, str], strategies: Mapping[str, str]
) -> dict[str, Any]:
    answers = description.get("answers", {})
    return {
        **description,
        "problems": {new: description["problems"][old] for old, new in problems.items()},
        "strategies": {new: description["strategies"][old] for old, new in strategies.items()},
        "answers": {new: answers[old] for old, new in strategies.items() if old in answers},
    }


def _renamed(
    entry: Mapping[str, Any], *, problem: Mapping[str, str], strategy: Mapping[str, str]
) -> dict[str, Any]:
    return {
        kind: {names[old]: pieces for old, pieces in entry[kind].items() if old in names}
        for kind, names in {"problem": problem, "strategy": strategy}.items()
    }
