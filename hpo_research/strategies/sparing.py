"""Strategies that spare epochs, and what they need: trials that have more than one."""

from typing import Any

from hpo_research.strategies.answers import is_strategy, with_one_epoch


def epochs_mistake(strategy: Any, max_epochs: object) -> str:
    """Say that a strategy has nothing to spare where a trial has one epoch; empty elsewhere.

    For doors with a single problem. An experiment may have some problems with epochs and others
    without, and its report says where two strategies are the same.
    """
    if not isinstance(max_epochs, int) or max_epochs != 1:
        return ""
    if not is_strategy(strategy) or not with_one_epoch(strategy):
        return ""
    return (
        f"{type(strategy).__name__} decides by what trials report after each epoch, and "
        "max_epochs=1 leaves it nothing to decide; give max_epochs= and report every epoch, or "
        "take a strategy that needs none, such as Random() or Bayesian()"
    )
