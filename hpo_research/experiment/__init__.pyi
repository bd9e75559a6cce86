"""What the package has; see `hpo_research/__init__.pyi`."""

from .budget import Budget
from .ending import deadline
from .experiment import Experiment
from .loop import run
from .priors import Prior

__all__ = ["Budget", "Experiment", "Prior", "deadline", "run"]
