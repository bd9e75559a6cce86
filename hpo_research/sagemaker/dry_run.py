r"""A dry run: what the metric definitions of a document would catch in a log that is there.

As with a program that runs (`problems.script`, whose lines and expressions these are): the first
match in a line counts, its group 1 is the number, and each number of the objective is a unit of
Hyperband's resource, also one that is not finite, which is a missing value.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hpo_research.errors import DocumentError
from hpo_research.jobs.lines import Lines
from hpo_research.paths import Given, place
from hpo_research.problems.script import Script
from hpo_research.sagemaker.draft import Search
from hpo_research.sagemaker.job import TuningJob
from hpo_research.space import Float, SearchSpace

NUMBER = r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
_FAR = 40  # characters between a metric's name and its number


class Match(NamedTuple):
    """A line in which an expression matches, from 1 on, and its group 1."""

    line: int
    text: str

    @property
    def value(self) -> float:
        """The number; not a number where the text is none."""
        return float(self.text) if self.is_number else math.nan

    @property
    def is_number(self) -> bool:
        """Whether the text is a number, if not a finite one."""
        try:
            float(self.text)
        except ValueError:
            return False
        return True


_MORE = re.compile(r"[.,]?\d[\d.,]*(?:[eE][-+]?\d+)?|\.?[eE][-+]?\d+")


@dataclass(frozen=True)
class Caught:
    """What the expression of a metric catches in a log, and what to change where that is nothing.

    `values` are numbers, `others` is matched and no number: such a line has no value.
    """

    metric: str
    expression: str
    is_objective: bool
    values: tuple[Match, ...] = ()
    others: tuple[Match, ...] = ()
    advice: str = ""

    @property
    def units(self) -> int:
        """How many numbers there are, those that are not finite among them."""
        return sum(one.is_number for one in (*self.values, *self.others))


def caught(job: TuningJob, log: Given) -> list[Caught]:
    """Return what each metric of a job would catch in a log, the objective first.

    Raises `DocumentError` for a log that cannot be read.
    """
    path = place(log, "log", DocumentError)
    reading = Lines()
    try:
        lines = [*reading.take(path.read_bytes()), *reading.end()]
    except OSError as error:
        why = error.strerror or error
        raise DocumentError(f"{path}: cannot be read ({why}); name a log file") from error
    found = [_caught(*one, lines) for search in job.searches for one in _expressions(search)]
    return sorted(found, key=lambda one: not one.is_objective)


def _expressions(search: Search) -> Iterator[tuple[str, str, bool]]:
    """Yield metric, expression, and whether it is the objective."""
    objective = (search.objective and search.objective.MetricName) or ""
    algorithm = search.definition and search.definition.AlgorithmSpecification
    metrics: Mapping[str, str] = {
        str(one.Name): str(one.Regex) for one in (algorithm and algorithm.MetricDefinitions) or ()
    }
    for name, expression in (metrics or {objective: looked_for(objective)}).items():
        yield name, expression, name == objective


def looked_for(metric: str) -> str:
    """Return the expression of a metric that has none: `name=0.5` or `name: 0.5`."""
    return Script(("train",), SearchSpace(x=Float(0, 1)), metric=metric).metrics[metric]


def _caught(metric: str, expression: str, is_objective: bool, lines: list[str]) -> Caught:
    search = re.compile(expression).search
    found = [
        Match(number, match[1] or "")
        for number, line in enumerate(lines, 1)
        if (match := search(line)) is not None
    ]
    values = tuple(one for one in found if math.isfinite(one.value))
    others = tuple(one for one in found if not math.isfinite(one.value))
    advice = (
        _advice(metric, expression, others, lines) if not values else _cut(metric, search, lines)
    )
    return Caught(metric, expression, is_objective, values, others, advice)


def _advice(metric: str, expression: str, others: tuple[Match, ...], lines: list[str]) -> str:
    """Say why nothing is caught, and what would catch it."""
    why = "it matches no line"
    if others and all(one.text == "" for one in others):
        why = "its group 1 is empty in every line"
        if re.search(r"\((?:\?:)?[^()]*[*+?]\?\)$", expression):
            why += ", since a lazy group at the end takes nothing"
    elif others:
        why = f"what it catches is no number: {others[0].text!r:.60} in line {others[0].line}"
    better = _better(metric, lines)
    if better is None:
        return f"{why}; no line has {metric!r} and a number after it: let the program print it"
    number, pattern = better
    return f"{why}; line {number} is {lines[number - 1].strip()!r:.90}: {_write(pattern)}"


def _cut(metric: str, search: Callable[[str], re.Match[str] | None], lines: list[str]) -> str:
    """Say which number goes on behind what is caught; empty where none does."""
    for number, line in enumerate(lines, 1):
        match = search(line)
        rest = "" if match is None else line[match.end(1) :]
        if match is None or (more := _MORE.match(rest)) is None:
            continue
        better = _better(metric, lines)
        pattern = match.re.pattern if better is None else better[1]
        whole = f"{match[1]}{more[0]}"
        return f"it cuts line {number} short, {match[1]!r} of {whole!r}: {_write(pattern)}"
    return ""


def _write(pattern: str) -> str:
    """Return what to write into the document, as JSON has it."""
    return f"write {json.dumps(pattern, ensure_ascii=False)}"


def _better(metric: str, lines: list[str]) -> tuple[int, str] | None:
    """Return the line that a metric stands in, with a number after it, and what would catch it."""
    parts = [re.escape(part) for part in re.split(r"[:/._-]+", metric) if part]
    for name in dict.fromkeys(
        (re.escape(metric), "[:/._ -]?".join(parts), parts[-1] if parts else "")
    ):
        before = r"(?<![A-Za-z0-9_:/.\-])"  # of another metric's name it is the end
        found = re.compile(rf"{before}({name})([^0-9\n]{{0,{_FAR}}}?){NUMBER}")
        for number, line in enumerate(lines, 1):
            if name and (match := found.search(line)) is not None:
                between = re.sub(r"(\\\s)+", lambda _: r"\s*", re.escape(match[2]))
                pattern = re.escape(match[1]) + between + NUMBER
                if re.search(pattern, line) is not None:
                    return number, pattern
    return None


def resource_line(job: TuningJob, found: list[Caught]) -> str:
    """Say what Hyperband would count in the log; empty of other strategies."""
    objective = next((one for one in found if one.is_objective), None)
    if job.config.Strategy != "Hyperband" or objective is None:
        return ""
    least, most = job.config.hyperband.MinResource or 1, job.max_resource
    count = objective.units
    said = f"{count} units of resource, one a value of {objective.metric}; judged from {least} on"
    if most is None:
        return said
    if count > most:
        return f"{said}, stopped at {most}"
    return f"{said}, of at most {most}"
