"""Who is stopped at a rung: by the rules of Syne Tune and Ray, once, or judged until it reports.

Syne Tune and Ray judge a trial once a rung, when it reports: beside what the others had reported
there by then. So the order of reports counts, and a decision stands. `Trial.arrivals` tells it.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Literal

from hpo_research.records import Direction, Run, Trial, sign
from hpo_research.rows import kept
from hpo_research.strategies.halving.rungs import Ladders, value_at
from hpo_research.strategies.ordered import Ordered
from hpo_research.strategies.stop_decisions import StopDecision

Rule = Literal["syne-tune", "ray"]
RULES = ("syne-tune", "ray")


def once(run: Run, ladders: Ladders, eta: int, rule: Rule) -> list[StopDecision]:
    """Return the decision on each running trial at its last report, in order of id.

    A report counts at the highest rung that it reaches and that has none of its trial: reports at
    `max_epochs` apart, which end a trial. Each rung has the values of all that reported there
    before, whatever became of them, of the same bracket.

    - `"syne-tune"`: of the n values, its own among them, more than n/η are strictly better: stop
      (`AsynchronousSuccessiveHalving` of Syne Tune 0.16.0). The bound is the worst value that is
      not stopped.
    - `"ray"`: it is worse than the 1/η quantile of the values before it, linearly interpolated, in
      NumPy's arithmetic: stop (`AsyncHyperBandScheduler` of Ray 2.60.0). That is the bound.

    The first at a rung goes on unjudged. What a trial reports after a stop counts nowhere.
    """
    name = (Judge, rule, eta, run.direction, run.max_epochs, ladders)
    with kept(
        run.trials, name, lambda: Judge(ladders, eta, rule, run.direction, run.max_epochs)
    ) as judge:
        judge.settle()
        found = (judge.decisions.get(trial.id) for trial in run.running)
        return [decision for decision in found if decision is not None]


def continual(run: Run, ladders: Ladders, eta: int) -> list[StopDecision]:
    """Judge each running trial whose last report was its first at a rung, in order of id.

    The bound is the 1/η quantile, linearly interpolated, of the values at that rung so far, its
    own included: what is worse is stopped. With fewer than two values nothing is.
    """
    name = (Standings, run.direction, ladders)
    with kept(run.trials, name, lambda: Standings(ladders, run.direction)) as standings:
        return list(_continual(run, ladders, eta, standings))


class Judge:
    """Reports in the order in which they came, and what was said of each: an index of trials.

    Losses are measured as rewards, as in Ray: higher is better.
    """

    def __init__(
        self, ladders: Ladders, eta: int, rule: Rule, direction: Direction, max_epochs: int
    ) -> None:
        self._ladders, self._eta, self._max_epochs = ladders, eta, max_epochs
        self._bound = _syne_tune if rule == "syne-tune" else _ray
        self._sign = -sign(direction)
        self._rewards: list[dict[int, Ordered[float]]] = [
            {epochs: Ordered() for epochs in rungs} for rungs in ladders.rungs
        ]
        self._left: dict[int, list[int]] = {}  # the rungs at which a trial has yet to count
        self._waiting: list[tuple[tuple[int, int, int], int, float]] = []
        self._last = (-1, 0, 0)
        self.decisions: dict[int, StopDecision | None] = {}

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in a trial's further reports; False where one is other, or older than one judged."""
        known = 0 if old is None else len(old.epochs)
        if old is not None and _reports(old, known) != _reports(new, known):
            return False
        came = new.arrivals or new.epochs
        for i in range(known, len(new.epochs)):
            at = (came[i], number, i)
            if at <= self._last:
                return False
            self._waiting.append((at, new.epochs[i], new.values[i]))
        return True

    def settle(self) -> None:
        """Judge what was reported since the last time, in its order."""
        for at, epoch, value in sorted(self._waiting):
            self._last = at
            self._judge(at[1], epoch, value)
        self._waiting.clear()

    def _judge(self, trial: int, epoch: int, value: float) -> None:
        before = self.decisions.get(trial)
        if before is not None and before.stops:
            return
        self.decisions[trial] = None
        if trial not in self._left:
            self._left[trial] = list(self._ladders.rungs_of(trial))
        left = self._left[trial]
        place = bisect_right(left, epoch) - 1
        if place < 0 or epoch >= self._max_epochs:
            return
        rung = left.pop(place)
        rewards = self._rewards[self._ladders.bracket(trial)][rung]
        reward = self._sign * value
        if len(rewards):
            bound = self._bound(rewards, self._eta)
            if bound is not None:
                stops = reward < bound
                self.decisions[trial] = StopDecision(trial, rung, value, self._sign * bound, stops)
        rewards.add(reward)


def _reports(trial: Trial, count: int) -> tuple[tuple[float, ...], ...]:
    return trial.epochs[:count], trial.values[:count], trial.arrivals[:count]


def _syne_tune(rewards: Ordered[float], eta: int) -> float | None:
    """Return the least reward that, put beside these, has no more than 1/η of all above it."""
    places = (len(rewards) + 1) // eta
    return rewards[len(rewards) - 1 - places] if places < len(rewards) else None


def _ray(rewards: Ordered[float], eta: int) -> float:
    """Return `numpy.nanpercentile(rewards, (1 - 1 / eta) * 100)`, to the last bit."""
    place = (1 - 1 / eta) * 100 / 100 * (len(rewards) - 1)
    below = math.floor(place)
    a, b = rewards[below], rewards[min(below + 1, len(rewards) - 1)]
    part = place - below
    return b - (b - a) * (1 - part) if part >= 0.5 else a + (b - a) * part


class Standings:
    """The losses at every rung of every bracket, infinite for failures: an index of trials."""

    def __init__(self, ladders: Ladders, direction: Direction) -> None:
        self._ladders = ladders
        self._sign = sign(direction)
        self.losses: list[list[Ordered[float]]] = [
            [Ordered() for _ in rungs] for rungs in ladders.rungs
        ]

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed."""
        bracket = self._ladders.bracket(number)
        begun = 0
        for rung, epochs in enumerate(self._ladders.rungs[bracket]):
            before = None if old is None else self._loss(old, begun, epochs)
            after = self._loss(new, begun, epochs)
            if before != after:
                if before is not None:
                    self.losses[bracket][rung].remove(before)
                if after is not None:
                    self.losses[bracket][rung].add(after)
            begun = epochs
        return True

    def _loss(self, trial: Trial, begun: int, epochs: int) -> float | None:
        value = value_at(trial, epochs)
        if value is not None:
            return self._sign * value
        return math.inf if trial.status == "failed" and begun <= trial.reached else None


def _continual(
    run: Run, ladders: Ladders, eta: int, standings: Standings
) -> Iterator[StopDecision]:
    for trial in run.running:
        rungs = ladders.rungs_of(trial.id)
        before = trial.epochs[-2] if len(trial.epochs) > 1 else 0
        passed = [i for i, epochs in enumerate(rungs[:-1]) if before < epochs <= trial.reached]
        if not passed:
            continue
        losses = standings.losses[ladders.bracket(trial.id)][passed[-1]]
        value = value_at(trial, rungs[passed[-1]])
        if len(losses) < 2 or value is None:
            continue
        bound = _quantile(losses, eta)
        if math.isfinite(bound):
            stops = run.sign * value > bound
            yield StopDecision(trial.id, rungs[passed[-1]], value, run.sign * bound, stops)


def _quantile(losses: Ordered[float] | Sequence[float], eta: int) -> float:
    """Return the 1/η quantile by linear interpolation, in exact positions."""
    below, rest = divmod(len(losses) - 1, eta)
    if rest == 0:
        return losses[below]
    return losses[below] + (losses[below + 1] - losses[below]) * rest / eta
