"""The baselines of problems: as they are stored, or measured anew."""

import math
from collections.abc import Sequence

import numpy as np

from hpo_research.analysis.baselines import Baseline, Scale, key_of, stored
from hpo_research.analysis.noise_free import METRIC
from hpo_research.errors import ProblemError
from hpo_research.experiment.description import describe
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.records import Segment, sign
from hpo_research.rng import Stream
from hpo_research.space import Config
from hpo_research.strategies.sobol import sobol

POINTS, REPEATS = 5, 50
"""A start is the mean over so many repeats of the best of so many Sobol points."""


def key(problem: Problem) -> str:
    """Return what a stored baseline of a problem is found by."""
    return key_of(describe(problem, problem.name))


def baselines(problems: Sequence[Problem], scale: Scale) -> dict[str, Baseline]:
    """Return the baseline of each problem by its name: the stored one, or one measured now.

    A problem whose optimum is unknown has none unless it is stored.
    """
    known, found = stored(), {}
    for own in problems:
        if (kept := known.get(key(own))) is not None:
            found[own.name] = kept
        elif own.optimum is not None:
            found[own.name] = measured(own, scale)
    return found


def is_stored(problem: Problem) -> bool:
    """Return whether a problem's baseline comes with the package."""
    return key(problem) in stored()


def has_known_optimum(problem: Problem) -> bool:
    """Return whether an optimum is known, from what is stored where it is: tables are not read."""
    kept = stored().get(key(problem))
    return problem.optimum is not None if kept is None else kept.is_optimum


def measured(problem: Problem, scale: Scale, best: float | None = None) -> Baseline:
    """Measure the baseline of a problem; `best` is the best value known where it has no optimum.

    A repeat is a seed from 0 on: its points are the first of the sequence that a strategy of this
    seed begins with. Where values are noisy, the point with the best observed value counts, at its
    value without noise. Raises `ProblemError` where neither an optimum nor `best` is known.
    """
    optimum = problem.optimum
    target = best if optimum is None else optimum
    if target is None:
        raise ProblemError(
            f"{problem.name}: its optimum is unknown and no baseline is stored for it, so that "
            "there is nothing to measure scores by; use a suite with its own options"
        )
    starts = np.array([_best(problem, seed) for seed in range(REPEATS)])
    if scale == "log":
        flip = sign(problem.direction)
        regret = math.exp(np.log(np.maximum(flip * (starts - target), 1e-300)).mean())
        start = target + flip * regret
    else:
        start = float(starts.mean())
    return Baseline(problem.name, problem.direction, start, target, optimum is not None, scale)


def design(problem: Problem, seed: int) -> list[Config]:
    """Return the Sobol points of a repeat as configurations."""
    cube = sobol(Stream(seed), problem.space.dimension, first=0, count=POINTS)
    return problem.space.from_uniform(cube)


def _best(problem: Problem, seed: int) -> float:
    """Return the value of the point that looks best at its last epoch, without noise."""
    last = last_epoch(problem.max_epochs)
    segments = [
        Segment(0, i, config, last, Stream(seed).at("trial", i))
        for i, config in enumerate(design(problem, seed))
    ]
    flip, seen = sign(problem.direction), []
    for reports in problem.evaluate(segments):
        for report in reports:
            value = report.metrics.get(problem.metric, math.nan)
            if report.epoch == last and math.isfinite(value):
                seen.append((flip * value, report.metrics.get(METRIC, value)))
    if not seen:
        raise ProblemError(
            f"{problem.name}: none of the {POINTS} points of seed {seed} has a value"
        )
    return float(min(seen)[1])
