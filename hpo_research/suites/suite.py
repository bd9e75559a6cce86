"""A suite: a frozen sequence of problems that belong together, and what it takes to run them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from hpo_research.analysis.baselines import Baseline, Scale
from hpo_research.experiment.budget import Budget
from hpo_research.problems.protocol import Problem
from hpo_research.suites.measured import baselines, is_stored


@dataclass(frozen=True)
class Source:
    """Where a suite's problems come from: a sentence each, and how to cite them."""

    origin: str
    licence: str
    cite: str
    noise: str = "none: a configuration has one value"


@dataclass(frozen=True)
class Suite(Sequence[Problem]):
    """Problems that belong together, as `Experiment(problems=suite("bbob-5d"))` takes them.

    `budget` is what a run is meant to have, `scale` that of scores: `log` where regret falls by
    orders of magnitude. Two suites of the same name and options hold the same problems.
    """

    name: str
    description: str
    problems: tuple[Problem, ...]
    budget: Budget
    source: Source
    scale: Scale = "linear"

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Problem, ...]: ...
    def __getitem__(self, index: int | slice) -> Problem | tuple[Problem, ...]:
        """Return a problem, or a part as a tuple."""
        return self.problems[index]

    def __len__(self) -> int:
        return len(self.problems)

    @cached_property
    def baselines(self) -> Mapping[str, Baseline]:
        """What scores are measured between, by the names of the problems.

        Those that are not stored are measured now, which takes 250 evaluations a problem; a problem
        whose optimum is unknown has none unless it is stored.
        """
        return baselines(self.problems, self.scale)

    @property
    def has_stored_baselines(self) -> bool:
        """Whether nothing has to be measured."""
        return all(map(is_stored, self.problems))
