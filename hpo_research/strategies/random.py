"""Random search: independent draws, or a scrambled Sobol sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_research import habits, heavy, strategies
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, one_of
from hpo_research.records import Ask, Proposal, Run, start
from hpo_research.space import Config
from hpo_research.strategies.tried import taken, untried

KINDS = ("uniform", "sobol")


@habits.answering
@dataclass(frozen=True)
class Random:
    """Random search (Bergstra and Bengio, JMLR 2012): trial i is drawn from the i-th stream.

    `kind="uniform"`: each parameter uniform on its scale, independently. `kind="sobol"`: trial i is
    point i of a scrambled Sobol sequence. Draws are keyed by trial number, so four asks for one
    trial equal one ask for four. In a finite space no configuration is proposed twice, nor anywhere
    one of an earlier run of the same task (`Run.prior`): a repeated one is replaced by uniform
    draws from the trial's own stream, and when every configuration has been tried there are no
    proposals. Raises `StrategyError`.
    """

    kind: str = "uniform"
    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Mistakes.of(self, {"kind": one_of(KINDS)}).refuse(StrategyError)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Fill every slot with a fresh configuration, trained to the last epoch."""
        return [
            Ask(tuple(self._proposals(run, free))) if free > 0 else Ask()
            for run, free in zip(runs, slots, strict=True)
        ]

    def _proposals(self, run: Run, slots: int) -> list[Proposal]:
        first = len(run.trials)
        if run.space.size is not None:
            slots = min(slots, run.space.size)
        if self.kind == "sobol":
            cube = strategies.sobol.sobol(run.stream, run.space.dimension, first=first, count=slots)
        else:
            cube = _uniform(run, first, slots)
        named = [(config, self.kind) for config in run.space.from_uniform(cube)]
        return begun(run, named, run.max_epochs)


def begun(run: Run, named: Sequence[tuple[Config, str]], until: int) -> list[Proposal]:
    """Start configurations, each with its origin, as a run's next trials.

    In a finite space, and where trials of earlier runs are known, one that was tried gives way to
    uniform draws from its trial's own stream; when every configuration has been tried there are no
    more proposals.
    """
    if run.space.size is None and not run.prior:
        return [start(config, until, origin) for config, origin in named]
    proposals: list[Proposal] = []
    with taken(run) as known:
        for i, (config, origin) in enumerate(named, start=len(run.trials)):
            if config in known:
                replaced = untried(known, run.stream.at("uniform", i).generator())
                if replaced is None:
                    break
                config, origin = replaced, "uniform"
            known.add(config)
            proposals.append(start(config, until, origin))
    return proposals


def _uniform(run: Run, first: int, count: int) -> "heavy.jaxtyping.Float64[np.ndarray, 'n d']":
    root = run.stream.at("uniform")
    d = run.space.dimension
    rows = [root.at(i).generator().random(d) for i in range(first, first + count)]
    return np.array(rows).reshape(count, d)
