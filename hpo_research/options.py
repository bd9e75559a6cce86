"""Options: what each must be, and what is said where it is not, in one wording.

A `Rule` says what an option must be. `Mistakes` gathers what is wrong with the options of one call
and raises it as one error, a line each:

    Bayesian(batch=0): batch must be an integer >= 1
    Bayesian(beta=-1): beta must be a finite number >= 0

Rules take whatever a caller may give: arrays, missing values and integers of any size.
"""

import difflib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypeGuard

from hpo_research.text import is_one_of, quoted

MOST = 2**53
"""The largest count: up to here integers are exact as floats, and fit into a store."""

Rule = Callable[[Any], str]
"""Returns what a value must be ("an integer >= 1"), empty where it is that; a hint after "; "."""


def is_boolean(value: object) -> TypeGuard[bool]:
    """Whether this is True or False of Python's own."""
    return isinstance(value, bool)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether this is an integer of Python's own; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_real(value: object) -> TypeGuard[float]:
    """Whether this is a number of any library, if not a complex one; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_integer(value: object) -> int | None:
    """Return an integer of any library as an int, None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def as_float(value: float) -> float:
    """Return the float nearest to any real number, infinity beyond all floats."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def whole(least: int = 1, most: int = MOST, hint: str = "") -> Rule:
    """Return the rule of an option that counts something, stored as it is: an int."""
    words = f"an integer >= {least}" if most == MOST else f"an integer from {least} to {most:,}"
    words = str(least) if least == most else words

    def rule(value: object) -> str:
        if is_integer(value) and least <= value <= most:
            return ""
        is_counted = most == MOST and is_integer(value) and value > most
        return ("at most 2**53" if is_counted else words) + (f"; {hint}" if hint else "")

    return rule


def foreign(rule: Rule) -> Rule:
    """Return a rule of integers that takes those of any library: for what is not stored."""
    return lambda value: rule(as_integer(value))


def number(
    what: str = "number",
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Rule:
    """Return the rule of a finite number between bounds, which belong to it or do not.

    `what` says what it counts: `number of seconds`.
    """
    bounds = {">=": least, ">": above, "<=": most, "<": below}
    limits = " and ".join(f"{sign} {_shown(b)}" for sign, b in bounds.items() if b is not None)
    is_bounded = most is not None or below is not None
    words = f"a {'' if is_bounded else 'finite '}{what} {limits}".rstrip()

    def rule(value: object) -> str:
        x = as_float(value) if is_real(value) else math.nan
        is_inside = (
            (least is None or x >= least)
            and (above is None or x > above)
            and (most is None or x <= most)
            and (below is None or x < below)
        )
        return "" if math.isfinite(x) and is_inside else words

    return rule


def _shown(bound: float) -> str:
    return "2**53" if bound == MOST else f"{bound:g}"


def one_of(words: Iterable[str]) -> Rule:
    """Return the rule of an option that is one of a few words."""
    legal = tuple(words)
    listed = f"one of {', '.join(legal)}"
    return lambda value: "" if is_one_of(value, legal) else f"{listed}{_meant(value, legal)}"


def _meant(value: object, legal: Sequence[str]) -> str:
    """Say which word was meant, in another tuner's spelling, say; empty where none is near."""
    if not isinstance(value, str) or len(value) < 3:
        return ""
    near = difflib.get_close_matches(value.lower(), legal, 1)
    short = [word for word in legal if word.startswith(value.lower())]
    meant = short if len(short) == 1 else near
    return f"; did you mean {meant[0]!r}?" if meant else ""


def instance(kind: type, words: str) -> Rule:
    """Return the rule of an object of a class, or of a protocol; the class itself is none."""

    def rule(value: object) -> str:
        return "" if isinstance(value, kind) and not isinstance(value, type) else words

    return rule


def optional(rule: Rule) -> Rule:
    """Return the rule of an option that may be None."""

    def either(value: object) -> str:
        expected, separator, hint = ("" if value is None else rule(value)).partition("; ")
        return expected and f"{expected}, or None{separator}{hint}"

    return either


def seed(value: object) -> str:
    """Say what a seed must be, stored as it is: an int of at most 64 bits."""
    if not is_integer(value):
        return "an integer"
    return "" if abs(value) < 2**63 else "an integer between -2**63 and 2**63"


flag = instance(bool, "True or False")
DIRECTION, FINAL = one_of(("minimize", "maximize")), one_of(("last", "best"))


@dataclass
class Mistakes:
    """What is wrong with the options of one call, a line each.

    `call` is what was called, `Bayesian`, or a heading, `Experiment:`, or the call as it was
    written, `Noisy(branin, sd=-1)`.
    """

    call: str
    lines: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, options: object, rules: Mapping[str, Rule], call: str = "") -> "Mistakes":
        """Check fields of an object that is being made, by default called by its class."""
        mistakes = cls(call or type(options).__name__)
        mistakes.check_all(options, rules)
        return mistakes

    def check_all(self, options: object, rules: Mapping[str, Rule]) -> None:
        """Check fields of an object, in the order of the rules."""
        for name, rule in rules.items():
            self.check(name, getattr(options, name), rule)

    def check(self, name: str, value: object, rule: Rule) -> bool:
        """Return whether an option is what it must be; a line says so where it is not."""
        expected, separator, hint = rule(value).partition("; ")
        if not expected:
            return True
        given, must = quoted(value), f"{name} must be {expected}"
        if self.call.endswith((")", ":")):
            colon = ":" if self.call.endswith(")") else ""
            self.add(f"{colon} {must}, got {given}{separator}{hint}")
        else:
            where = f"({name}={given})" if self.call else f"{name}={given}"
            self.add(f"{where}: {must}{separator}{hint}")
        return False

    def add(self, line: str) -> None:
        """Add a mistake in words of its own, what follows the call: `(top=9): top must ...`."""
        self.lines.append(f"{self.call}{line}")

    def refuse(self, error: type[Exception]) -> None:
        """Raise what was found as one error; do nothing where nothing was."""
        if self.lines:
            raise error("\n".join(self.lines))


def require(
    name: str, value: object, rule: Rule, *, error: type[Exception], call: str = ""
) -> None:
    """Raise an error at once unless an option is what it must be."""
    if rule(value):
        mistakes = Mistakes(call)
        mistakes.check(name, value, rule)
        mistakes.refuse(error)
