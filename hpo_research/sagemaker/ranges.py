"""Ranges: what hyperparameters a document searches, as a search space, and which are fixed.

A range of a single value, and a category with one value, is a constant. Where nothing else is
left, the first of them stays in the space, as a category of one. Scales: `Auto` is `auto` (log
where low > 0 and high ≥ 100 × low), `Logarithmic` `log`, `ReverseLogarithmic` `reverse_log`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from hpo_research.errors import SpaceError
from hpo_research.sagemaker.fields import ScaleWord
from hpo_research.sagemaker.violations import Path, Violation
from hpo_research.sagemaker.wire import (
    CategoricalRange,
    ContinuousRange,
    IntegerRange,
    Ranges,
)
from hpo_research.space import Categorical, Float, Integer, Parameter, SearchSpace, Value
from hpo_research.text import name_mistake

SCALES: Mapping[ScaleWord, str] = {
    "Auto": "auto",
    "Linear": "linear",
    "Logarithmic": "log",
    "ReverseLogarithmic": "reverse_log",
}
KINDS = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")
Kind = Literal["integer", "continuous", "categorical", "auto"]

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_LONGEST_EXPONENT = 400  # beyond, no float; an int of so many digits would fill the memory
_SEQUENCE = re.compile(r"\(.*,.*\)|\[.*\]")


@dataclass
class Searched:
    """The hyperparameters of one list of ranges, and what is wrong with them.

    `is_whole` says whether all of them could be read, so that they can be counted.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    warnings: list[Violation] = field(default_factory=list)
    is_whole: bool = True

    @property
    def size(self) -> int | None:
        """How many combinations there are; None for a continuum."""
        if not self.parameters:
            return 0
        sizes = [parameter.size for parameter in self.parameters.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def space(self) -> SearchSpace:
        """Return the search space; raises `SpaceError` where nothing is searched."""
        return SearchSpace(self.parameters)


def searched(ranges: Ranges | None, at: Path) -> Searched:
    """Read ranges, whatever is wrong with some of them."""
    read = Searched()
    if ranges is None:
        return read
    for path, one in entries(ranges, at):
        if one.Name is None or not _is_new(read, one.Name, path):
            read.is_whole = False
        elif isinstance(one, CategoricalRange):
            _enter_category(read, one, path)
        else:
            _enter_number(read, one, path)
    for i, auto in enumerate(ranges.AutoParameters or ()):
        if auto.Name is not None and _is_new(read, auto.Name, (*at, "AutoParameters", i)):
            read.kinds[auto.Name] = "auto"
    if not read.parameters and read.constants and read.is_whole:
        name, value = next(iter(read.constants.items()))
        read.parameters[name] = Categorical((value,))
        del read.constants[name]
    return read


def entries(
    ranges: Ranges, at: Path
) -> Iterator[tuple[Path, IntegerRange | ContinuousRange | CategoricalRange]]:
    """Yield the ranges that have bounds or values, each with its place."""
    for kind in KINDS:
        for i, one in enumerate(getattr(ranges, kind) or ()):
            yield (*at, kind, i), one


def _is_new(read: Searched, name: str, at: Path) -> bool:
    path = (*at, "Name")
    if name in read.kinds:
        rule = "a hyperparameter has one range"
        read.violations.append(Violation(path, name, rule, "remove one, or rename it"))
        return False
    if mistake := name_mistake(name):
        rule = mistake.partition(", got")[0]
        read.violations.append(Violation(path, name, rule, "rename it"))
        return False
    return True


def _enter_category(read: Searched, one: CategoricalRange, at: Path) -> None:
    name, values = one.Name or "", one.Values
    read.kinds[name] = "categorical"
    if values is None:
        read.is_whole = False
        return
    path, distinct = (*at, "Values"), tuple(dict.fromkeys(values))
    if len(distinct) < len(values):
        rule = f"holds {len(values)} values, {len(distinct)} of them distinct"
        read.warnings.append(Violation(path, values, rule, "each is taken once"))
    if len(distinct) > 1:
        read.parameters[name] = Categorical(distinct)
        return
    way_out = "it is taken as a constant"
    if _SEQUENCE.fullmatch(distinct[0]):
        way_out += "; it looks like a sequence of Python's: give the SDK a list of values"
    read.warnings.append(Violation(path, values, "is a range of a single value", way_out))
    read.constants[name] = distinct[0]


def _enter_number(read: Searched, one: IntegerRange | ContinuousRange, at: Path) -> None:
    name = one.Name or ""
    is_integer = isinstance(one, IntegerRange)
    read.kinds[name] = "integer" if is_integer else "continuous"
    low, high = (_bound(read, text, (*at, end), is_integer) for end, text in _ends(one))
    wrong = _out_of_order(one, at, low, high) or _out_of_scale(one, at, low, high)
    read.violations += wrong
    if low is None or high is None or wrong:
        read.is_whole = False
        return
    if low == high:
        rule = "is a range of a single value"
        way_out = "it is taken as a constant"
        read.warnings.append(Violation((*at, "MaxValue"), one.MaxValue, rule, way_out))
        read.constants[name] = low
        return
    scale = SCALES[one.ScalingType or "Auto"]
    try:
        bounded = Integer(int(low), int(high), scale) if is_integer else Float(low, high, scale)
    except SpaceError as error:
        read.is_whole = False
        rule = str(error).partition(": ")[2] or str(error)
        rule, _, way_out = rule.partition("; ")
        found = Violation((*at, "MaxValue"), one.MaxValue, rule, way_out or "narrow the range")
        read.violations.append(found)
    else:
        read.parameters[name] = bounded


def _ends(one: IntegerRange | ContinuousRange) -> tuple[tuple[str, str | None], ...]:
    return ("MinValue", one.MinValue), ("MaxValue", one.MaxValue)


def _bound(read: Searched, text: str | None, at: Path, is_integer: bool) -> float | None:
    """Return a bound as a number, an int for an integer; None where it is none."""
    if text is None:
        return None
    rule = "must be a finite decimal number, as 16, 0.001 or 1e-05"
    if _NUMBER.fullmatch(text) and (exact := Decimal(text)).adjusted() < _LONGEST_EXPONENT:
        if not is_integer and math.isfinite(float(exact)):
            return float(exact)
        if is_integer and exact == exact.to_integral_value():
            return int(exact)
        rule = "must be a whole number" if is_integer else rule
    way_out = "correct it"
    if _NUMBER.fullmatch(text) and is_integer:
        way_out = "round it, or move the range to ContinuousParameterRanges"
    elif _NUMBER.fullmatch(text.strip()):
        way_out = "remove the blanks"
    read.violations.append(Violation(at, text, rule, way_out))
    return None


def _out_of_order(
    one: IntegerRange | ContinuousRange, at: Path, low: float | None, high: float | None
) -> list[Violation]:
    if low is None or high is None or low <= high:
        return []
    rule = f"must be at least MinValue, {one.MinValue}"
    return [Violation((*at, "MaxValue"), one.MaxValue, rule, "swap the bounds")]


def _out_of_scale(
    one: IntegerRange | ContinuousRange, at: Path, low: float | None, high: float | None
) -> list[Violation]:
    """Say where a range has no place on its scale; its order is known to be right."""
    if one.ScalingType == "ReverseLogarithmic" and isinstance(one, IntegerRange):
        rule = "is for continuous ranges in [0, 1)"
        way_out = "write Linear, Logarithmic or Auto"
        return [Violation((*at, "ScalingType"), one.ScalingType, rule, way_out)]
    if one.ScalingType == "Logarithmic" and low is not None and low <= 0:
        rule = "must be above 0 on a logarithmic scale"
        return [Violation((*at, "MinValue"), one.MinValue, rule, "raise it, or write Linear")]
    if one.ScalingType == "ReverseLogarithmic":
        rule = "must be in [0, 1) on a reverse logarithmic scale"
        return [
            Violation((*at, end), text, rule, "move it, or write Linear")
            for (end, text), bound in zip(_ends(one), (low, high), strict=True)
            if bound is not None and not 0 <= bound < 1
        ]
    return []
