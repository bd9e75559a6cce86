"""What an engine is: another library's optimiser, asked and told in plain numbers.

Nothing is imported here but the standard library: engines run in environments of their own too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Point = list[Any]
"""A value an axis: a float, an integer, or for a choice the index of the value."""


@dataclass(frozen=True)
class Axis:
    """One hyperparameter as libraries know it.

    `kind`: `float` and `integer` from `low` to `high`, equal steps of the logarithm where `is_log`;
    `ordered` and `choice` are the indices 0 to `high`, which are alike where they are neighbours,
    or are not. `name` is a position, `x000`, so that no library's order of names is another.
    """

    name: str
    kind: str
    low: float
    high: float
    is_log: bool = False

    @property
    def size(self) -> int:
        """How many values there are; of a float, 0."""
        return 0 if self.kind == "float" else int(self.high) - int(self.low) + 1


@dataclass(frozen=True)
class Suggestion:
    """A trial to train until an epoch: a new one at a `point`, or where that is None a known one.

    An engine numbers its trials itself, 0, 1, 2, ... in the order in which it suggests them.
    """

    number: int
    point: Point | None
    until: int


@dataclass(frozen=True)
class Task:
    """What an engine is made for: a space, a seed below 2**31, and the last epoch of trials."""

    axes: Sequence[Axis]
    seed: int
    epochs: int
    options: Mapping[str, Any]


class Engine(Protocol):
    """An optimiser that is under way: it minimises.

    What it draws from global generators is seeded before each call (`seeded`), so that an engine
    that was made again and told the same says the same.
    """

    def ask(self, count: int) -> list[Suggestion]:
        """Return up to so many trials; fewer, or none, where it has to wait."""
        ...

    def tell(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Take the loss of a trial after an epoch; it cannot be trained on where it `is_over`."""
        ...

    def add(self, point: Point, loss: float) -> None:
        """Take a trial that somebody else chose, trained to the end."""
        ...


def columns(axes: Sequence[Axis], point: Point) -> dict[str, Any]:
    """Return a point by the names of the axes."""
    return dict(zip([axis.name for axis in axes], point, strict=True))
