"""What the package has: type checkers read it, and `lazy_loader` as the program runs."""

from . import errors
from .analysis.result import Result
from .cluster.merging import merge
from .errors import CodeChangedWarning, HpoError
from .experiment import Budget, Experiment, run
from .experiment.priors import Prior
from .problems.function import FunctionProblem
from .problems.protocol import Problem
from .problems.registry import problem
from .problems.script import Script
from .problems.tabulated import Tabulated
from .progress.standing import Progress
from .records import Ask, Proposal, Run, Trial
from .rivals.registry import rival, rivals
from .space import Categorical, Float, Integer, SearchSpace
from .strategies.bayesian import Bayesian
from .strategies.completion import Completion
from .strategies.freeze_thaw import FreezeThaw
from .strategies.grid import Grid
from .strategies.halving.asha import ASHA, AsynchronousHyperband
from .strategies.halving.early_discarding import EarlyDiscarding
from .strategies.halving.hyperband import Hyperband
from .strategies.halving.successive_halving import SuccessiveHalving
from .strategies.model_hyperband import ModelHyperband
from .strategies.protocol import Strategy
from .strategies.random import Random
from .strategies.stopping.curve import CurveStopping
from .strategies.stopping.median import MedianStopping
from .study import Study
from .suites.catalog import suite, suites
from .suites.suite import Suite
from .tune import tune
from .version import __version__

__all__ = [
    "ASHA",
    "Ask",
    "AsynchronousHyperband",
    "Bayesian",
    "Budget",
    "Categorical",
    "CodeChangedWarning",
    "Completion",
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
    "Prior",
    "Problem",
    "Progress",
    "Proposal",
    "Random",
    "Result",
    "Run",
    "Script",
    "SearchSpace",
    "Strategy",
    "Study",
    "SuccessiveHalving",
    "Suite",
    "Tabulated",
    "Trial",
    "__version__",
    "errors",
    "merge",
    "problem",
    "rival",
    "rivals",
    "run",
    "suite",
    "suites",
    "tune",
]
