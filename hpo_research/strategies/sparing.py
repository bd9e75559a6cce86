"""Strategies that spare epochs, and what they need: trials with a known number of them, above 1."""

from typing import Any

from hpo_research.strategies.answers import is_strategy, needs_length, with_one_epoch


def length_mistake(strategy: Any, problem: str) -> str:
    """Say that a strategy plans by a length that a problem leaves open; empty where it does not."""
    if not is_strategy(strategy) or not (who := needs_length(strategy)):
        return ""
    return (
        f"{who} plans by the last epoch of a trial, which {problem} leaves open; give max_epochs=, "
        "or take a strategy that needs none, such as Random(), Bayesian() or MedianStopping()"
    )


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
