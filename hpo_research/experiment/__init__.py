"""Experiments: what is compared, and the loop that runs it."""

from hpo_research.experiment.budget import Budget
from hpo_research.experiment.ending import deadline
from hpo_research.experiment.experiment import Experiment
from hpo_research.experiment.loop import run
from hpo_research.experiment.progress import Progress, RunProgress

__all__ = ["Budget", "Experiment", "Progress", "RunProgress", "deadline", "run"]
