"""A batch-parallel research toolkit for hyperparameter optimisation."""

from importlib import metadata

from hpo_research import errors, habits
from hpo_research.analysis.result import Result
from hpo_research.errors import CodeChangedWarning, HpoError
from hpo_research.experiment import Budget, Experiment, Progress, run
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Problem
from hpo_research.problems.registry import problem
from hpo_research.problems.tabulated import Tabulated
from hpo_research.records import Ask, Proposal, Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.curve_stopping import CurveStopping
from hpo_research.strategies.early_discarding import EarlyDiscarding
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.hyperband import Hyperband
from hpo_research.strategies.median_stopping import MedianStopping
from hpo_research.strategies.model_hyperband import ModelHyperband
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.strategies.successive_halving import SuccessiveHalving
from hpo_research.study import Study
from hpo_research.tune import tune

__version__ = metadata.version("hpo_research")

__all__ = [
    "ASHA",
    "Ask",
    "AsynchronousHyperband",
    "Bayesian",
    "Budget",
    "Categorical",
    "CodeChangedWarning",
    "CurveStopping",
    "EarlyDiscarding",
    "Experiment",
    "Float",
    "FreezeThaw",
    "FunctionProblem",
    "Grid",
    "HpoError",
    "Hyperband",
    "Integer",
    "MedianStopping",
    "ModelHyperband",
    "Problem",
    "Progress",
    "Proposal",
    "Random",
    "Result",
    "Run",
    "SearchSpace",
    "Strategy",
    "Study",
    "SuccessiveHalving",
    "Tabulated",
    "Trial",
    "__version__",
    "errors",
    "problem",
    "run",
    "tune",
]

_DOORS = (
    *(ASHA, AsynchronousHyperband, Bayesian, CurveStopping, EarlyDiscarding, FreezeThaw, Grid),
    *(Hyperband, MedianStopping, ModelHyperband, Random, SuccessiveHalving),
    *(Float, Integer, Categorical, SearchSpace, FunctionProblem, Tabulated),
    *(Budget, Experiment, Study),
)
for _door in _DOORS:
    habits.answering(_door)
habits.attributes(Trial)
# Set by its name: type checkers, which would let pass any name, need not know of it.
globals()["__getattr__"] = habits.unknown_in(__all__)
