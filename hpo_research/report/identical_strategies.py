"""Strategies that came to the same, said in words, so that nobody takes it for a mistake."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpo_research.analysis.rebuild import answers_of, strategy_of
from hpo_research.analysis.result import Result
from hpo_research.figures.labels import listed
from hpo_research.report.as_calls import call, class_of
from hpo_research.strategies.random import Random


def identical_strategies(result: Result) -> list[str]:
    """Return a sentence for each problem and group of strategies that did the same.

    The same: in every seed the same configurations in the same order, with the same values. A
    strategy that stops early has nothing to stop where a trial has one epoch; that is said too.
    """
    lines = []
    for problem, facts in result.facts.problems.items():
        present = {name.strategy for name in result.select(problem)}
        strategies = [name for name in result.facts.strategies if name in present]
        if facts.max_epochs == 1:
            lines += [
                f"{problem} has a single epoch, so there is nothing to stop early: "
                f"{_called(name, class_of(result.facts.strategies[name].described))} has "
                f"{said.with_one_epoch} and equals {_inner(said.inner)}."
                for name in strategies
                if (said := answers_of(result.facts, name)).with_one_epoch
                and said.inner is not None
            ]
        lines += [
            f"On {problem}, {listed(group)} tried the same configurations in every seed and got "
            "the same values."
            for group in _groups(result, problem, strategies)
        ]
    return lines


def _groups(result: Result, problem: str, strategies: Sequence[str]) -> list[list[str]]:
    groups: list[tuple[Any, list[str]]] = []
    for strategy in strategies:
        did = _did(result, problem, strategy)
        alike = [group for known, group in groups if known == did]
        if alike:
            alike[0].append(strategy)
        elif any(trials for _, trials in did):
            groups.append((did, [strategy]))
    return [group for _, group in groups if len(group) > 1]


def _did(result: Result, problem: str, strategy: str) -> list[tuple[int, list[Any]]]:
    names = list(result.select(problem, strategy))
    return [
        (name.seed, [(trial.config, trial.values) for trial in result.runs[name].trials])
        for name in names
    ]


def _called(name: str, kind: str) -> str:
    return name if name.lower() == kind.lower() else f"{name} ({kind})"


def _inner(inner: Mapping[str, Any]) -> str:
    """Say what a strategy is where it has nothing to stop: its inner strategy."""
    if strategy_of(inner) == Random():
        return "random search"
    return f"its inner strategy, {class_of(inner) or call(inner)}"
