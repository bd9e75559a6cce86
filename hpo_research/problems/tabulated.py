"""Recorded trainings as a problem: real learning curves that replay in microseconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hpo_research import habits
from hpo_research.errors import ProblemError
from hpo_research.problems import curve_table
from hpo_research.problems.curve_table import CurveTable
from hpo_research.problems.evaluation import in_step
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Direction, Report, Segment, best_value
from hpo_research.space import SearchSpace
from hpo_research.text import quoted


@habits.answering
@dataclass(frozen=True)
class Tabulated:
    """A finite list of configurations whose trainings were recorded with `hpo table`.

    `table` is the name of a table that comes with the package, or the path of a file. A trial
    replays one of the recorded seeds, which its own stream picks, epoch by epoch with all metrics
    and the recorded seconds (amortised). That is its noise: with several seeds, the mean over
    those that had not diverged is reported as `noise_free`. A training that diverged reports NaN
    from there on, and so fails as it did.

    `metric` is any recorded one that has a direction, by default that of the recorded problem.
    `optimum` is the best value at the last epoch of any configuration, noise-free; a single seed
    may pass it, and so may an earlier epoch where curves turn. `digest` tells tables apart by their
    content, wherever they lie. Raises `ProblemError`.
    """

    table: str = field(metadata={"identity": False})
    metric: str = ""
    name: str = ""
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        path = curve_table.place(self.table)
        object.__setattr__(self, "digest", curve_table.digest(path))
        name = name_of(f"Tabulated({quoted(self.table)})", self.name, f"{path.stem}-table")
        directions = self.recorded.directions
        is_text = isinstance(self.metric, str)
        if not is_text or (self.metric and self.metric not in directions):
            raise ProblemError(
                f"Tabulated({quoted(self.table)}, metric={quoted(self.metric)}): metric must be "
                f"one of {', '.join(directions)}"
            )
        object.__setattr__(self, "metric", self.metric or self.recorded.metric)
        object.__setattr__(self, "name", name)

    @property
    def recorded(self) -> CurveTable:
        """The table itself. Raises `ProblemError` where the file has changed."""
        path = curve_table.place(self.table)
        if (now := curve_table.digest(path)) != self.digest:
            raise ProblemError(
                f"{path}: holds another table ({now}) than when the problem was made "
                f"({self.digest}); make the problem again"
            )
        return curve_table.read(path)

    @property
    def space(self) -> SearchSpace:
        """The recorded configurations."""
        return self.recorded.space

    @property
    def direction(self) -> Direction:
        """That of the metric."""
        return self.recorded.directions[self.metric]

    @property
    def max_epochs(self) -> int:
        """As many as were recorded."""
        return self.recorded.epochs

    @property
    def can_resume(self) -> bool:
        """Trivially: a trial has no state."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """Yes: every report says what its epoch cost."""
        return True

    @property
    def optimum(self) -> float | None:
        """The best noise-free value at the last epoch; None where every training diverged."""
        return _optimum(self)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Replay what was recorded."""
        del device  # nothing is computed
        replay = _replay(self.recorded)
        rows = [replay.row(segment) for segment in segments]

        def report(i: int, epoch: int) -> Report:
            segment, (config, seed) = segments[i], rows[i]
            metrics = {name: own[config][seed][epoch - 1] for name, own in replay.metrics.items()}
            if replay.seeds > 1:
                metrics["noise_free"] = replay.means[self.metric][config][epoch - 1]
            seconds = replay.seconds[config][seed]
            return Report(*segment.key, epoch, metrics, seconds=seconds, state=dict)

        yield from in_step(segments, report)


@dataclass(frozen=True, eq=False)
class _Replay:
    """A table as Python numbers, which are read one at a time a hundred times as fast."""

    metrics: dict[str, list[list[list[float]]]]
    means: dict[str, list[list[float]]]
    seconds: list[list[float]]
    seeds: int
    space: SearchSpace

    def row(self, segment: Segment) -> tuple[int, int]:
        """Return the configuration and the seed that a trial replays."""
        config = self.space.positions[self.space.identity(segment.config)]
        if self.seeds == 1:
            return config, 0
        draws = segment.stream.at("recorded seed").generator()
        return config, int(draws.integers(self.seeds))


@lru_cache(maxsize=8)
def _replay(table: CurveTable) -> _Replay:
    """Return the table for replay; the same table gives the same object."""
    return _Replay(
        metrics={name: values.tolist() for name, values in table.metrics.items()},
        means={name: mean(table, name).tolist() for name in table.directions},
        seconds=table.seconds.tolist(),
        seeds=table.seeds,
        space=table.space,
    )


def mean(table: CurveTable, metric: str) -> np.ndarray:
    """Return the mean over the seeds that had not diverged, NaN where all had. Shape: c e."""
    values = table.metrics[metric].astype(float)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


@lru_cache(maxsize=64)
def _optimum(problem: Tabulated) -> float | None:
    final = mean(problem.recorded, problem.metric)[:, -1]
    known = final[~np.isnan(final)]
    return float(best_value(known, problem.direction)) if len(known) else None
