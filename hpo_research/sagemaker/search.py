"""Which of our strategies a document asks for.

The service's Hyperband is asynchronous, stops and never resumes: `ASHA` with the options of Syne
Tune, whose authors built the service. Its early stopping is its own median rule.
"""

from hpo_research import strategies
from hpo_research.errors import DocumentError
from hpo_research.sagemaker.wire import Config
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.asha import ASHA
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.median import MedianStopping

ETA = 3


def strategy_of(config: Config) -> Strategy:
    """Return the strategy of a document that obeys the rules."""
    inner = _inner(config)
    if config.TrainingJobEarlyStoppingType == "Auto":
        return MedianStopping(inner, kind="sagemaker")
    return inner


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
