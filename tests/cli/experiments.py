"""Experiment files that the command-line tests write."""

SMALL = """
import hpo_research as hpo
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.synthetic import Synthetic

experiment = hpo.Experiment(
    name="small",
    problems=[Synthetic("branin"), LearningCurves("branin", max_epochs=3, name="curves")],
    strategies={"grid": hpo.Grid("fit"), "random": hpo.Random(), "hyperband": hpo.Hyperband()},
    seeds=range(2),
    budget=hpo.Budget(evaluations=4),
)
"""

FAILING = '''
from dataclasses import dataclass

import hpo_research as hpo
from hpo_research.records import Report


@dataclass(frozen=True)
class Broken:
    """Every trial is NaN at its first epoch."""

    name: str = "broken"
    metric: str = "loss"
    direction: str = "minimize"
    max_epochs: int = 2
    can_resume: bool = True
    optimum: float | None = None
    has_recorded_seconds: bool = False
    space: hpo.SearchSpace = hpo.SearchSpace(x=hpo.Float(0, 1))

    def evaluate(self, segments, device="cpu"):
        yield [Report(s.run, s.trial, 1, {"loss": float("nan")}, state=dict) for s in segments]


experiment = hpo.Experiment(
    name="failing",
    problems=[Broken()],
    strategies={"random": hpo.Random()},
    seeds=[0],
    budget=hpo.Budget(evaluations=3),
)
'''

LONG = """
import hpo_research as hpo
from hpo_research.problems.curves import LearningCurves

experiment = hpo.Experiment(
    name="long",
    problems=[LearningCurves("branin", max_epochs=100, name="curves")],
    strategies={"random": hpo.Random()},
    seeds=[0],
    budget=hpo.Budget(evaluations=100_000),
    parallel=2,
)
"""
