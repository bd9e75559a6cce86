"""What the package has; see `hpo_research/__init__.pyi`."""

from .budget import Budget
from .ending import deadline
from .experiment import Experiment
from .loop import run

__all__ = ["Budget", "Experiment", "deadline", "run"]
