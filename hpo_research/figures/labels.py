"""Words of labels and captions."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hpo_research.analysis.result import Result
from hpo_research.records import Direction, sign


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def counted(numbers: Collection[int], noun: str) -> str:
    """Return `one seed`, `5 seeds`, or `4 to 5 seeds` for numbers of something."""
    least, most = min(numbers), max(numbers)
    if most == 1:
        return f"one {noun}"
    return f"{most} {noun}s" if least == most else f"{least} to {most} {noun}s"


def noted(notes: Mapping[str, Sequence[str]]) -> list[str]:
    """Return notes on problems as sentences, one for all problems that have the same note."""
    where: dict[str, list[str]] = {}
    for problem, own in notes.items():
        for note in own:
            where.setdefault(note, []).append(problem)
    return [f"On {listed(problems)}, {note}." for note, problems in where.items()]


def unfinished(result: Result, problem: str, strategies: Collection[str]) -> list[str]:
    """Note how many runs of a problem are not over, nothing where all are."""
    runs = [name for name in result.select(problem) if name.strategy in strategies]
    left = sum(name not in result.over for name in runs)
    return [f"{left} of {len(runs)} runs are not finished"] if left else []


def wrapped(text: str, letters: int) -> str:
    """Break a text into lines of at most so many letters, behind spaces and commas if it can.

    Lines that it has already stay apart.
    """
    lines = []
    for given in text.split("\n"):
        lines.append("")
        for piece in re.findall(r"[^\s,(/]*[\s,(/]|[^\s,(/]+", given):
            if lines[-1] and len(lines[-1] + piece.rstrip()) > letters:
                lines.append("")
            lines[-1] += piece
            while len(lines[-1].rstrip()) > letters:
                lines[-1:] = [lines[-1][:letters], lines[-1][letters:]]
    return "\n".join(line.rstrip() for line in lines)


def regret_where(problems: Sequence[str], distances: Sequence[str]) -> list[str]:
    """Say on which of some problems the values are distances from the optimum."""
    if not distances:
        return []
    where = "" if len(distances) == len(problems) else f" on {listed(distances)}"
    return [f"Values{where} are regret, the distance from the known optimum."]


@dataclass(frozen=True)
class Measure:
    """How a value is spoken of: by itself, and with the metric's name at `{}`."""

    alone: str
    named: str


BEST = Measure("best so far", "best {} so far")
FINAL = Measure("final best", "final best {}")
EVERY = Measure("value", "{}")


def value_label(
    metric: str, direction: Direction, measure: Measure, *, is_regret: bool = False
) -> str:
    """Return the label of a value axis in two lines: what is measured, and which way is better."""
    metric, is_minimised = metric.replace("_", " "), sign(direction) > 0
    if is_regret:
        distance = "regret" if metric == "value" else f"{metric} regret"
        shown = measure.alone
        gap = f"{shown} − optimum" if is_minimised else f"optimum − {shown}"
        return f"{distance}\n({gap})"
    better = "lower" if is_minimised else "higher"
    return f"{measure.named.format(metric)}\n({better} is better)"
