"""Strategies that spare epochs, and what they need: trials that have more than one."""

from hpo_research.strategies.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.curve_stopping import CurveStopping
from hpo_research.strategies.early_discarding import EarlyDiscarding
from hpo_research.strategies.freeze_thaw import FreezeThaw
from hpo_research.strategies.hyperband import Hyperband
from hpo_research.strategies.median_stopping import MedianStopping
from hpo_research.strategies.model_hyperband import ModelHyperband
from hpo_research.strategies.successive_halving import SuccessiveHalving

SPARING = (
    *(ASHA, AsynchronousHyperband, CurveStopping, EarlyDiscarding, FreezeThaw, Hyperband),
    *(MedianStopping, ModelHyperband, SuccessiveHalving),
)


def epochs_mistake(strategy: object, max_epochs: object) -> str:
    """Say that a strategy has nothing to spare where a trial has one epoch; empty elsewhere.

    For doors with a single problem. An experiment may have some problems with epochs and others
    without, and its report says where two strategies are the same.
    """
    if not isinstance(max_epochs, int) or max_epochs != 1 or not isinstance(strategy, SPARING):
        return ""
    return (
        f"{type(strategy).__name__} decides by what trials report after each epoch, and "
        "max_epochs=1 leaves it nothing to decide; give max_epochs= and report every epoch, or "
        "take a strategy that needs none, such as Random() or Bayesian()"
    )
