"""Which of our strategies a document asks for.

The service's Hyperband is asynchronous, stops and never resumes: `ASHA` with the options of Syne
Tune, whose authors built the service. Its early stopping is its own median rule, its criteria of
completion are `Completion`.
"""

from hpo_research import strategies
from hpo_research.errors import DocumentError, StrategyError
from hpo_research.sagemaker.wire import Config, Criteria
from hpo_research.strategies.completion import Completion
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.asha import ASHA
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.median import MedianStopping

ETA = 3
CONVERGED = 0.01
"""The share of the best value that a job which has converged can hardly gain any more."""


def strategy_of(config: Config) -> Strategy:
    """Return the strategy of a document that obeys the rules."""
    found = _inner(config)
    if config.TrainingJobEarlyStoppingType == "Auto":
        found = MedianStopping(found, kind="sagemaker")
    criteria = config.TuningJobCompletionCriteria or Criteria()
    target, stale = criteria.TargetObjectiveMetricValue, criteria.BestObjectiveNotImproving
    patience = stale.MaxNumberOfTrainingJobsNotImproving if stale else None
    on = criteria.ConvergenceDetected and criteria.ConvergenceDetected.CompleteOnConvergence
    share = CONVERGED if on == "Enabled" else None
    if target is patience is share is None:
        return found
    try:
        return Completion(found, target=target, not_improving=patience, convergence=share)
    except StrategyError as error:
        raise DocumentError(
            f"TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence = {on!r}: is "
            f"not judged for {config.Strategy}, which has neither a model nor draws; write Disabled"
        ) from error


def _inner(config: Config) -> Strategy:
    match config.Strategy:
        case "Grid":
            return Grid()
        case "Random":
            return Random()
        case "Bayesian":
            bayesian: Strategy = strategies.bayesian.Bayesian()
            return bayesian
        case "Hyperband":
            least = config.hyperband.MinResource or 1
            return ASHA(kind="stop", rule="syne-tune", eta=ETA, min_epochs=least, inner=Random())
        case None:
            raise DocumentError("Strategy: the document names none")
