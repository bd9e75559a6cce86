"""Marks that mean the same in every picture of a study."""

from typing import Any

from hpo_research.figures.style import look


def best_mark() -> dict[str, Any]:
    """Return how the best trial is drawn: a star."""
    star = {"linestyle": "none", "marker": "*", "markersize": 9, "color": look(1).color}
    return star | {"markeredgecolor": "white", "markeredgewidth": 0.5}


def failed_mark() -> dict[str, Any]:
    """Return how a failure is drawn where it has no value: a tick at the foot."""
    tick = {"linestyle": "none", "marker": "|", "markersize": 6, "color": look(1).color}
    return tick | {"clip_on": False}
