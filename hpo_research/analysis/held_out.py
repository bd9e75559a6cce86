"""Final results on test images, which no strategy sees."""

import numpy as np

from hpo_research.analysis.finals import Finals, by_strategy, counted
from hpo_research.analysis.result import Result
from hpo_research.store import RunName

METRIC = "test_accuracy"
"""The metric under which a problem reports its accuracy on the test images."""


def on_test_images(result: Result) -> list[Finals]:
    """Return the test accuracies of the incumbents of every problem that reports them.

    A run's incumbent is its best trial by the metric that it optimised, on validation images; its
    test accuracy is that of the epoch that counts, its last by the rule `final="last"`.
    """
    found = []
    for problem in result.facts.problems:
        values = {name: _accuracy(result, name) for name in result.select(problem)}
        if any(not np.isnan(value) for value in values.values()):
            seeds, own = by_strategy(result, problem, values)
            found.append(Finals(problem, METRIC, "maximize", False, seeds, own))
    return found


def _accuracy(result: Result, name: RunName) -> float:
    best = result.runs[name].best()
    return np.nan if best is None else counted(result, name)[best.id].metrics.get(METRIC, np.nan)
