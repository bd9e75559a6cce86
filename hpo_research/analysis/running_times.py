"""Running times: how many evaluations it takes to reach targets (the fixed-target view of COCO).

Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff, "COCO: a platform for comparing continuous
optimizers in a black-box setting", Optimization Methods and Software 36 (2021), section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.extremes import located
from hpo_research.analysis.pooled import RESAMPLES, Pooled, pooled, weights
from hpo_research.analysis.result import Result
from hpo_research.analysis.trajectories import Trajectories, trajectories
from hpo_research.store.facts import ProblemFacts

COCO_TARGETS: Float[np.ndarray, " t"] = 10.0 ** (np.arange(10, -41, -1) / 5)
"""COCO's 51 distances from the optimum, from 10² to 10⁻⁸, five in a power of ten."""

TARGETS = 51
"""As many are laid on problems that are not COCO's."""

_FIRST = 5  # evaluations: where the worst strategy is then, the targets begin
_SPAN = 1e-8  # of the easiest target; the hardest is no nearer to the best known value

_NAMED = 8  # problems that a sentence can hold

Rule = Literal["COCO", "between"]


@dataclass(frozen=True)
class RunningTimes:
    """The running times of k strategies on n seeds of a problem, for t targets, in evaluations.

    `targets` are distances from `best`, a loss, ascending in difficulty: by the `rule` `COCO` those
    of COCO from the known optimum; by `between` as many, equally spaced on a log scale between the
    distance that the worst strategy has after 5 evaluations (its median over seeds) and the least
    that any run ends with above 0, though no nearer than 10⁻⁸ of the first. There, `best` is the
    known optimum, or the least loss of any run. `times` is infinite where a run has not reached
    a target, and `spent` what it had cost by then.
    """

    problem: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    dimension: int
    rule: Rule
    is_optimum: bool
    targets: Float[np.ndarray, " t"]
    times: Float[np.ndarray, "k n t"]
    spent: Float[np.ndarray, "k n"]

    @cached_property
    def expected(self) -> Float[np.ndarray, "k t"]:
        """The expected running time (ERT): all evaluations until then, a success each.

        The evaluations of all runs until they reached a target, or ended, by the number of runs
        that reached it; infinite where none did.
        """
        is_there = np.isfinite(self.times)
        until = np.where(is_there, self.times, self.spent[:, :, None]).sum(axis=1)
        reached = is_there.sum(axis=1)
        found: np.ndarray = np.where(reached > 0, until / np.maximum(reached, 1), np.inf)
        return found

    @cached_property
    def interval(self) -> Float[np.ndarray, "2 k t"]:
        """The 95 % percentile bootstrap of `expected` over seeds; NaN below `LEAST_SEEDS`.

        Its upper end is infinite where a resample holds no run that reached the target.
        """
        k, n, t = self.times.shape
        if n < LEAST_SEEDS:
            return np.full((2, k, t), np.nan)
        is_there = np.isfinite(self.times)
        until = np.where(is_there, self.times, self.spent[:, :, None])
        times = weights([n])[0]
        reached, cost = (times @ np.moveaxis(own, 1, 0).reshape(n, -1) for own in (is_there, until))
        found = np.where(reached > 0, cost / np.where(reached > 0, reached, 1), np.inf)
        at_least, at_most = int(0.025 * RESAMPLES), int(np.ceil(0.975 * RESAMPLES)) - 1
        bounds: np.ndarray = np.sort(found, axis=0)[[at_least, at_most]].reshape(2, k, t)
        return bounds

    @property
    def reached(self) -> Float[np.ndarray, "k t"]:
        """The share of runs that reached each target."""
        shares: np.ndarray = np.isfinite(self.times).mean(axis=1)
        return shares


@dataclass(frozen=True)
class Ecdf:
    """The share of targets reached within a cost, over problems, seeds and targets.

    `cost` is in evaluations by hyperparameter; `share` is the mean over problems, each weighted
    equally. `ends` is the median over runs of what each strategy had spent: beyond, its share is
    what is known at least.
    """

    strategies: tuple[str, ...]
    cost: Float[np.ndarray, " m"]
    share: Pooled
    ends: Float[np.ndarray, " k"]


def running_times(result: Result) -> list[RunningTimes]:
    """Return the running times on every problem, over the seeds that all strategies have finished.

    A problem on which all came to the same at once has no targets and is left out.
    """
    found = [_of(own, result.facts.problems[own.problem]) for own in trajectories(result)]
    return [own for own in found if own is not None]


def ecdf(found: Sequence[RunningTimes], points: int = 200) -> Ecdf:
    """Return the empirical distribution of running times over some problems.

    At `points` costs, equally spaced on a log scale from the first evaluation to the last.
    """
    ends = [own.spent / own.dimension for own in found]
    low = min(1 / own.dimension for own in found)
    high = max(float(own.max()) for own in ends)
    # Rounding must not put a cost before the evaluation that it stands for.
    cost = np.geomspace(low, max(high, low), points) * (1 + 1e-12)
    share = pooled([reached_within(own.times / own.dimension, cost) for own in found])
    middle = np.median(np.concatenate(ends, axis=1), axis=1)
    return Ecdf(found[0].strategies, cost, share, middle)


def reached_within(
    times: Float[np.ndarray, "k n t"], cost: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "k n m"]:
    """Return the share of each run's targets that it reached within a cost."""
    ascending = np.sort(times, axis=2)
    k, n, t = times.shape
    counts = [np.searchsorted(own, cost, side="right") for own in ascending.reshape(k * n, t)]
    found: np.ndarray = np.reshape(counts, (k, n, len(cost))) / t
    return found


def targets_said(found: Sequence[RunningTimes]) -> list[str]:
    """Say what the targets are, and on which problems."""
    of_coco = [own.problem for own in found if own.rule == "COCO"]
    others = [own for own in found if own.rule != "COCO"]
    said = []
    if of_coco:
        said.append(
            f"Targets on {_named(of_coco, len(found))} are COCO's: 51 distances from the optimum, "
            "from 10² to 10⁻⁸."
        )
    if others:
        unknown = [own.problem for own in others if not own.is_optimum]
        best = "the optimum"
        if unknown:
            best += f", or on {_named(unknown, len(found))} the best value of any run here"
        said.append(
            f"Targets on {_named([own.problem for own in others], len(found))} are "
            f"{len(others[0].targets)} distances from {best}, equally spaced on a log scale from "
            "that of the worst strategy after 5 evaluations (median over seeds) to the least that "
            "a run ends with above 0 (no less than 10⁻⁸ of the first): they depend on who is "
            "compared."
        )
    return said


def _named(problems: Sequence[str], everything: int) -> str:
    if len(problems) == everything:
        return "all problems" if everything > 1 else problems[0]
    return ", ".join(problems) if len(problems) <= _NAMED else f"{len(problems)} problems"


def is_of_coco(facts: ProblemFacts) -> bool:
    """Whether a problem is one of COCO's functions, made by `problems.coco`."""
    made = facts.identity
    path = made.get("class", "") if isinstance(made, Mapping) else ""
    return path.startswith("hpo_research.problems.coco.") and facts.optimum is not None


def _of(own: Trajectories, facts: ProblemFacts) -> RunningTimes | None:
    known = np.concatenate([losses[np.isfinite(losses)] for losses in own.losses])
    if not known.size:
        return None
    best = float(known.min()) if own.optimum is None else own.optimum
    rule: Rule = "COCO" if is_of_coco(facts) else "between"
    distances = own.distances(best)
    targets = COCO_TARGETS if rule == "COCO" else _between(distances)
    if not targets.size:
        return None
    times = distances.times(np.broadcast_to(targets, (len(own.seeds), len(targets))))
    return RunningTimes(
        own.problem,
        own.strategies,
        own.seeds,
        own.dimension,
        rule,
        own.optimum is not None,
        targets,
        times,
        own.spent,
    )


def _between(own: Trajectories) -> Float[np.ndarray, " t"]:
    """Return distances between the worst strategy after a few evaluations and the best ends."""
    early = own.after(np.array([float(_FIRST)]))[:, :, 0]
    begun = located(lambda values: np.asarray(np.median(values, axis=1)), early)
    above = own.ends[np.isfinite(own.ends) & (own.ends > 0)]
    easiest = float(begun[np.isfinite(begun)].max(initial=0.0))
    if not above.size or not easiest > 0:
        return np.empty(0)
    hardest = max(float(above.min()), _SPAN * easiest)
    return np.geomspace(easiest, hardest, TARGETS) if hardest < easiest else np.empty(0)
