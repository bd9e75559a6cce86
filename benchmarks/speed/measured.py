"""What a row of the table says: a race, a limit, or what could not be measured."""

import math
from dataclasses import asdict, dataclass
from typing import Protocol

from benchmarks.beside import shown

HEADINGS = (
    "what",
    "rival",
    "ours",
    "rival's",
    "ratio",
    "by processor",
    "last build",
    "floor",
    "goal",
    "verdict",
    "remark",
)
GOAL, FLOOR, NOT_MET, NOT_MEASURED = "goal met", "floor met", "not met", "not measured"


class Measured(Protocol):
    """A row. `cells` are texts in the order of `HEADINGS`."""

    def cells(self) -> list[str]: ...  # noqa: D102


@dataclass(frozen=True)
class Race:
    """Our seconds and a rival's for the same work; `floor` and `goal` are ratios.

    `processor_ratio` is the ratio of processor time, which busy neighbours disturb less; `last`
    the same ratio of the last build to this one, where both were measured.
    """

    what: str
    rival: str
    ours: float
    theirs: float
    processor_ratio: float
    floor: float
    goal: float
    remark: str = ""
    last: float | None = None

    def __post_init__(self) -> None:
        for seconds in (self.ours, self.theirs, self.processor_ratio):
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{self.what}: {seconds} seconds is no time")

    @property
    def ratio(self) -> float:
        """How many times as long the rival takes."""
        return self.theirs / self.ours

    @property
    def verdict(self) -> str:
        """What the ratio meets."""
        return GOAL if self.ratio >= self.goal else FLOOR if self.ratio >= self.floor else NOT_MET

    def cells(self) -> list[str]:
        """Return the row as texts."""
        return [
            *(self.what, self.rival, shown(self.ours), shown(self.theirs)),
            *(f"{self.ratio:.1f}×", f"{self.processor_ratio:.1f}×", _times(self.last)),
            *(f"{self.floor:g}×", f"{self.goal:g}×"),
            *(self.verdict, self.remark),
        ]


@dataclass(frozen=True)
class Limit:
    """Our seconds and the largest memory of the process; of each the floor, then the goal.

    An ask that was stopped before its end has met nothing: its figures are lower bounds. `last`:
    how many times as long the last build took.
    """

    what: str
    seconds: float
    gib: float
    most_gib: tuple[float, float]
    most_seconds: tuple[float, float]
    is_over: bool = True
    remark: str = ""
    last: float | None = None

    @property
    def verdict(self) -> str:
        """Whether both stay below their limits."""
        met = [
            self.is_over and self.gib <= gib and self.seconds <= seconds
            for gib, seconds in zip(self.most_gib, self.most_seconds, strict=True)
        ]
        return GOAL if met[1] else FLOOR if met[0] else NOT_MET

    def cells(self) -> list[str]:
        """Return the row as texts."""
        more = "" if self.is_over else "> "
        limits = [
            f"{seconds:g} s, {gib:g} GiB"
            for gib, seconds in zip(self.most_gib, self.most_seconds, strict=True)
        ]
        return [
            *(self.what, "—", more + shown(self.seconds), "—", f"{more}{self.gib:.2f} GiB", "—"),
            *(_times(self.last), *limits, self.verdict, self.remark),
        ]


@dataclass(frozen=True)
class Missing:
    """A row that could not be measured here, and why."""

    what: str
    rival: str
    floor: float
    goal: float
    reason: str

    @property
    def verdict(self) -> str:
        """`not measured`."""
        return NOT_MEASURED

    def cells(self) -> list[str]:
        """Return the row as texts."""
        goals = (f"{self.floor:g}×", f"{self.goal:g}×")
        verdict = f"{self.verdict}: {self.reason}"
        return [self.what, self.rival, *["—"] * 5, *goals, verdict, ""]


def _times(ratio: float | None) -> str:
    return "—" if ratio is None else f"{ratio:.1f}×"


KINDS = {kind.__name__: kind for kind in (Race, Limit, Missing)}


def packed(measured: Race | Limit | Missing) -> dict[str, object]:
    """Return a row as plain JSON."""
    return {"kind": type(measured).__name__, **asdict(measured)}


def unpacked(fields: dict) -> Race | Limit | Missing:
    """Read a row back."""
    read = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if k != "kind"}
    return KINDS[fields["kind"]](**read)


def markdown(headings: tuple[str, ...], rows: list[list[str]]) -> str:
    """Return a table as Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
