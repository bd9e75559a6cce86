"""Completion: a run that is over before its budget, since nothing more is to be gained.

A rule reads the run alone, so that one that was killed and one that was not end at the same ask.
What convergence looked at stands in the notes of the asks, where later asks count the rounds.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from hpo_research import habits
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, flag, number, optional, whole
from hpo_research.records import Ask, Run, Start, Trial
from hpo_research.rows import kept
from hpo_research.strategies.answers import Belief, draws, has, is_strategy, view_of
from hpo_research.strategies.protocol import A_STRATEGY, Strategy
from hpo_research.strategies.stop_decisions import name_of

_PLACES = 512  # where a model is asked for what may be gained, beside what is proposed and running
_NORMAL_95 = 1.959963984540054
_LARGEST = float(np.finfo(float).max)
_MOST, _FAR = 1e300, 1e17  # a number; widths from the mean, where nothing is left to be gained
_AT_ZERO = 1 / math.sqrt(2 * math.pi)  # the density of a standard normal at 0


@habits.answering
@dataclass(frozen=True)
class Completion:
    """End a run at a target, where nothing improves any more, or once it has converged.

    Whatever `inner` would still try, as soon as one of these is met:

    - `target`: a trial that has not failed has reported this value or a better one, at any epoch;
      with `final_only` the value of a trial that has ended counts alone.
    - `not_improving`: so many finished trials in a row were no better than the best before them,
      by `improvement` times |best| (0: plainly better). Those that failed or were stopped are not
      counted; a better one of them begins the count anew.
    - `convergence`: at each of the last `rounds` asks, no more could be expected to be gained than
      this share of |best|. That is where Jones, Schonlau and Welch (1998, section 4.3) stop, at
      0.01; `rounds=None` is one more than there are hyperparameters, as Huang, Allen, Notz and Zeng
      (2006, section 3.4) ask for, against stopping by chance. What is to be gained is the expected
      improvement under the model that `inner` believes in (`strategies.answers`), the largest of
      what is proposed, what is running and 512 draws. Where `inner` has no model and draws its
      configurations (`Random`, and what halves over it), it is what the second half of the trials
      has gained in the mean over all orders: since the expected best of n draws is convex in n, as
      many again gain no more. It is judged from d + 2 trials with values on, d counting
      hyperparameters.

    Running trials are stopped, and the reason is stored: a run that is over stays over whatever
    budget is added. Around strategies that halve, not within them. Raises `StrategyError` without a
    criterion, and for `convergence` of a strategy that neither has a model to show nor draws.
    """

    inner: Strategy
    target: float | None = None
    not_improving: int | None = None
    convergence: float | None = None
    improvement: float = 0.0
    rounds: int | None = None
    final_only: bool = False

    def __post_init__(self) -> None:
        mistakes = Mistakes.of(
            self,
            {
                **{"inner": A_STRATEGY, "target": optional(number())},
                **{"not_improving": optional(whole()), "improvement": number(least=0)},
                "convergence": optional(number("share of the best value", above=0, below=1)),
                **{"rounds": optional(whole()), "final_only": flag},
            },
        )
        if self.target is self.not_improving is self.convergence is None:
            mistakes.add("(): expected target, not_improving or convergence, got none")
        for option, default, criterion in (
            ("improvement", 0, "not_improving"),
            ("rounds", None, "convergence"),
            ("final_only", False, "target"),
        ):
            value = getattr(self, option)
            if value != default and getattr(self, criterion) is None:
                mistakes.add(f"({option}={value!r}): is for {criterion}, which is not given")
        if self.convergence is not None and is_strategy(self.inner) and not self._can_converge:
            mistakes.add(
                f"(convergence={self.convergence!r}): {type(self.inner).__name__} has no model to "
                "show and does not draw its configurations, so nobody can say what is still to be "
                "gained; take not_improving"
            )
        mistakes.refuse(StrategyError)

    @property
    def _can_converge(self) -> bool:
        return has(self.inner, "believe") or draws(self.inner)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return what `inner` wants for runs that go on, and the end of those that are over."""
        ends = [self._target(run) or self._not_improving(run) for run in runs]
        asks = [Ask(ends=reason) for reason in ends]
        going = [i for i, reason in enumerate(ends) if not reason]
        found = self.inner.ask([runs[i] for i in going], [slots[i] for i in going])
        for i, ask in zip(going, found, strict=True):
            asks[i] = ask if self.convergence is None else self._converged(runs[i], ask)
        return asks

    # -- values

    def _target(self, run: Run) -> str:
        if self.target is None:
            return ""
        sign, target, is_final = run.sign, self.target, self.final_only
        name = (_Reached, sign, target, is_final)
        with kept(run.trials, name, lambda: _Reached(sign, target, is_final)) as reached:
            first = reached.first
        if first is None:
            return ""
        at = f" at epoch {first.epoch}" if run.max_epochs > 1 else ""
        return f"the target {target:g} is reached: trial {first.trial} reported {first.value!r}{at}"

    def _not_improving(self, run: Run) -> str:
        if self.not_improving is None:
            return ""
        sign, share = run.sign, self.improvement
        with kept(run.trials, (_Streak, sign, share), lambda: _Streak(sign, share)) as streak:
            count, best = streak.count, streak.best
        if best is None or count < self.not_improving:
            return ""
        by = f" by {share:.3g} of it" if share else ""
        return (
            f"no improvement: {count} finished trials in a row did not beat the best value, "
            f"{best.value!r} of trial {best.id},{by}".rstrip(",")
        )

    # -- convergence

    def _converged(self, run: Run, ask: Ask) -> Ask:
        """Return an ask with what it could gain in its notes, and the end where that is little."""
        best, valued = run.best(), int(np.isfinite(run.values).sum())
        is_asked = any(proposal.kind != "stop" for proposal in ask.proposals)
        if ask.ends or not is_asked or best is None or valued < run.space.dimension + 2:
            return ask
        assert best.value is not None and self.convergence is not None
        gain = self._gain(run, ask, best.value)
        bound = self.convergence * abs(best.value)
        name = name_of("completion", self)
        notes = {**ask.notes, f"{name}_gain": gain, f"{name}_bound": bound}
        ask, rounds = replace(ask, notes=notes), self.rounds or run.space.dimension + 1
        if gain > bound or self._calm(run, name) + 1 < rounds:
            return ask
        return replace(
            ask,
            ends=f"converged: at {rounds} asks in a row at most {self.convergence:.3g} of the best "
            f"value, {best.value!r} of trial {best.id}, could be expected to be gained; "
            f"{gain:.3g} at the last",
        )

    def _calm(self, run: Run, name: str) -> int:
        """Count the last asks at which little could be gained."""
        count = 0
        for ask in reversed(run.asks):
            gain, bound = ask.notes.get(f"{name}_gain"), ask.notes.get(f"{name}_bound")
            if gain is None or bound is None:
                continue  # it only stopped
            if not gain <= bound:  # type: ignore[operator]
                return count
            count += 1
        return count

    def _gain(self, run: Run, ask: Ask, best: float) -> float:
        if not has(self.inner, "believe"):
            return gain_of_draws(run)
        view = view_of(self.inner, run)
        if view is None:  # of parts of BoTorch
            raise StrategyError(
                f"Completion(convergence={self.convergence!r}): {self.inner!r} has no model to "
                "show; take not_improving"
            )
        cube = run.stream.at("completion").generator().random((_PLACES, run.space.dimension))
        places = [p.config for p in ask.proposals if isinstance(p, Start)]
        places += [trial.config for trial in run.running] + run.space.from_uniform(cube)
        belief = view.believe(run.space.encode([dict(place) for place in places]))
        return float(expected_improvement(belief, best, run.sign).max())


def expected_improvement(belief: Belief, best: float, sign: int) -> np.ndarray:
    """Return by how much values are expected to improve on the best one, in its units. Shape: q.

    `sign` is 1 where lower is better, else -1. What is predicted is taken to be normal on either
    side of its median, as wide as its middle 95 % say: exact where the model is one of the values
    as they are, else the nearest that three numbers say.
    """
    # A power of the values may reach infinity within the middle 95 %.
    numbers = (belief.median, belief.low, belief.high)
    median, low, high = (np.clip(sign * own, -_MOST, _MOST) for own in numbers)
    good, bad = (low, high) if sign > 0 else (high, low)
    ahead = sign * best - median
    below, z, width = _standard(np.minimum(ahead, 0), (median - good) / _NORMAL_95)
    near = width * (_AT_ZERO * np.exp(-0.5 * z**2) + z * below)
    below, z, width = _standard(np.maximum(ahead, 0), (bad - median) / _NORMAL_95)
    far = width * (_AT_ZERO * np.expm1(-0.5 * z**2) + z * below)
    found: np.ndarray = np.maximum(near + far, 0)
    return found


def _standard(ahead: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the normal distribution at a place in widths from its mean, the place, and the width.

    The narrowest width is one beside which no number is told from its median.
    """
    width = np.maximum(width, 1e-17 * np.abs(ahead) + 1e-300)
    z = np.clip(ahead / width, -_FAR, _FAR)
    return np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in z]), z, width


def gain_of_draws(run: Run) -> float:
    """Return what the second half of a run's trials gained, in the mean over all orders of them.

    The best of m of n draws is the i-th best of all with probability C(n-i, m-1) / C(n, m). Failed
    trials are draws too, as bad as the worst; running ones are not counted.
    """
    failed = sum(trial.status == "failed" for trial in run.trials)
    values = [t.value for t in run.trials if t.value is not None and not t.is_running]
    if not values:
        return math.inf
    losses = np.sort(run.sign * np.array(values))
    losses = np.concatenate([losses, np.full(failed, losses[-1])])
    n, best = len(losses), float(losses[0])
    first, share, mean = n - n // 2, (n - n // 2) / n, 0.0
    for i, loss in enumerate(losses.tolist(), 1):
        mean += share * min(loss - best, _LARGEST)  # beyond it, 0 times that would be no number
        share *= (n - i - first + 1) / max(n - i, 1)
    return mean


class _First(NamedTuple):
    """The trial, epoch and value at which a target was reached."""

    trial: int
    epoch: int
    value: float


class _Reached:
    """The trials that have reached a target: an index of trials."""

    def __init__(self, sign: int, target: float, is_final: bool) -> None:
        self._sign, self._target, self._is_final = sign, target, is_final
        self._found: dict[int, _First] = {}

    @property
    def first(self) -> _First | None:
        """The one with the lowest id; None where there is none."""
        return self._found[min(self._found)] if self._found else None

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        count = 0 if old is None or number in self._found else len(old.epochs)
        if count and old is not None and old.values != new.values[:count]:
            count = 0
        self._found.pop(number, None)
        if new.status != "failed" and (found := self._at(new, count)):
            self._found[number] = found
        return True

    def _at(self, trial: Trial, known: int) -> _First | None:
        """Return where a trial reached it, after so many values that did not."""
        if self._is_final:
            is_over = trial.status in ("finished", "stopped") and trial.value is not None
            if not is_over or not self._holds(trial.value):
                return None
            return _First(trial.id, trial.reached, trial.value or 0.0)
        values = enumerate(trial.values[known:], known)
        return next(
            (_First(trial.id, trial.epochs[i], value) for i, value in values if self._holds(value)),
            None,
        )

    def _holds(self, value: float | None) -> bool:
        return value is not None and self._sign * value <= self._sign * self._target


class _Ended(NamedTuple):
    """A trial that has ended with a value, in the order of ending."""

    place: int
    id: int
    value: float
    is_finished: bool


@dataclass
class _Streak:
    """How many finished trials in a row were no better than the best before: an index of trials."""

    sign: int
    share: float
    count: int = 0
    best: _Ended | None = None
    _ended: list[_Ended] = field(default_factory=list)

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        if old is not None and _ended(old) is not None:
            return _ended(old) == _ended(new)
        one = _ended(new)
        if one is None:
            return True
        if self._ended and one < self._ended[-1]:
            insort(self._ended, one)
            self.count, self.best = 0, None
            for earlier in self._ended:
                self._follow(earlier)
        else:
            self._ended.append(one)
            self._follow(one)
        return True

    def _follow(self, one: _Ended) -> None:
        ahead = math.inf
        if self.best is not None:
            ahead = self.sign * (self.best.value - one.value)
        is_better = ahead > self.share * abs(self.best.value) if self.best is not None else True
        self.count = 0 if is_better else self.count + one.is_finished
        if ahead > 0:
            self.best = one


def _ended(trial: Trial) -> _Ended | None:
    """Return a trial as the streak counts it; None where it is not over, or has no value.

    By hand it may have no place among those that ended: then its last report has one.
    """
    if trial.status not in ("finished", "stopped") or trial.value is None:
        return None
    last = trial.arrivals[-1] if trial.arrivals else trial.id
    place = last if trial.place is None else trial.place
    return _Ended(place, trial.id, trial.value, trial.status == "finished")
