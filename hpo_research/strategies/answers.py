"""What a strategy may say of itself beside `ask`, and what stands for an answer it leaves out.

A strategy needs `ask` alone. Each of these may be left out, and where one is, the strategy that
this one *wraps* answers in its place; where there is none, the last column holds:

| answer | what it says | else |
| --- | --- | --- |
| `wraps` | the strategy that this one passes runs on to, as they are; None for none | see below |
| `batch` | how many trials train at once if `parallel=None`; None: as many as wanted | None |
| `needs_total` | whether its plan needs the budget in trials, which cannot grow then | any part |
| `needs_length` | whether its plan needs the last epoch, which can be left open | any part |
| `with_one_epoch` | what it is left with where a trial has one epoch; "" if it needs none | "" |
| `draws` | whether its configurations are draws, in an order as good as any other | False |
| `sets_epochs` | whether its trials must be trained just as far as it says: not on rungs | False |
| `recommend(runs)` | of each run the id of a trial to use in the end, or None | None |
| `believe(run, chosen)` | its model of a run, for figures (a `View`), or None | None |

All but the last two are attributes or properties. A strategy without `wraps` wraps its field
`inner`, or the only field that holds a strategy: a rule of one's own around `Bayesian` need not say
so. Who shows a strategy within anything but the run as it is (values at one epoch, say) writes
`recommend`, and sets `believe = None`: a method that is None is an answer, that there is none. A
plan needs the total where that of any strategy in its fields does.

Everything here asks the object, never its class. A strategy that raises, or answers what none may,
ends in a `StrategyError` that names it and the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from inspect import getattr_static
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hpo_research import heavy
from hpo_research.errors import HpoError, StrategyError
from hpo_research.options import as_integer
from hpo_research.origin import told
from hpo_research.records import Run
from hpo_research.rng import Stream
from hpo_research.space import Config
from hpo_research.strategies.protocol import Strategy
from hpo_research.text import quoted

_LEFT_OUT = object()
_DEEPEST = 50  # strategies around one another


@dataclass(frozen=True)
class Belief:
    """Predictions in the user's own metric: the median, and the middle 95 % of the function.

    The noise of single observations is left out. Shape: q each.
    """

    median: "heavy.jaxtyping.Float64[np.ndarray, ' q']"
    low: "heavy.jaxtyping.Float64[np.ndarray, ' q']"
    high: "heavy.jaxtyping.Float64[np.ndarray, ' q']"


@runtime_checkable
class View(Protocol):
    """A model of a run, to look at: `figures.draw_belief` and its like draw it.

    `acquisition_name` is `"qlogei"`, `"qlognei"`, `"qei"` or `"ucb"`, `run` what the model was
    fitted to, `chosen` the points of the batch in the order of their choice.
    """

    @property
    def acquisition_name(self) -> str: ...  # noqa: D102
    @property
    def run(self) -> Run: ...  # noqa: D102
    @property
    def chosen(self) -> tuple[Config, ...]: ...  # noqa: D102

    def believe(self, cube: "heavy.jaxtyping.Float64[np.ndarray, 'q p']") -> Belief:
        """Predict at points of the unit cube, one column a hyperparameter."""
        ...

    def acquisition(
        self, cube: "heavy.jaxtyping.Float64[np.ndarray, 'q p']", pending: int = 0
    ) -> "heavy.jaxtyping.Float64[np.ndarray, ' q']":
        """Evaluate the acquisition function with the first points of the batch pending."""
        ...


@dataclass(frozen=True)
class Judged:
    """Values that came, against what a model had foreseen of them, noise included. Shape: q each.

    `residual` counts standard deviations on the model's own scale, on which its forecast is normal;
    positive where the metric is above its forecast's median. `log_density` is that of the value in
    the metric's units, in nats; NaN where the model has no density there.
    """

    residual: "heavy.jaxtyping.Float64[np.ndarray, ' q']"
    log_density: "heavy.jaxtyping.Float64[np.ndarray, ' q']"


@runtime_checkable
class PosteriorView(View, Protocol):
    """A view of a model that is a posterior over functions; what figures need it, say so."""

    def judge(
        self,
        cube: "heavy.jaxtyping.Float64[np.ndarray, 'q p']",
        values: "heavy.jaxtyping.Float64[np.ndarray, ' q']",
    ) -> Judged:
        """Compare values of the metric at points of the unit cube with the forecasts there."""
        ...

    def draw(
        self, cube: "heavy.jaxtyping.Float64[np.ndarray, 'q p']", count: int, stream: Stream
    ) -> "heavy.jaxtyping.Float64[np.ndarray, 'm q']":
        """Draw functions, on the model's own scale, at points of the unit cube."""
        ...


def wrapped(strategy: Strategy) -> Strategy | None:
    """Return the strategy that this one wraps, None for none."""
    found: Any = _answer(strategy, "wraps")
    if found is _LEFT_OUT:
        within = {name: part for name, part in _fields(strategy) if is_strategy(part)}
        if "inner" in within or len(within) == 1:
            only: Strategy = within.get("inner", next(iter(within.values())))
            return only
        return None
    if found is not None and not is_strategy(found):
        raise _wrong(strategy, "wraps", "a strategy or None, as an attribute or a property", found)
    one: Strategy | None = found
    return one


def chain(strategy: Strategy) -> Iterator[Strategy]:
    """Yield a strategy, the one that it wraps, and so on. Raises `StrategyError` for a circle."""
    link: Strategy | None = strategy
    for _ in range(_DEEPEST):
        if link is None:
            return
        yield link
        link = wrapped(link)
    raise StrategyError(
        f"{_name(strategy)}.wraps: more than {_DEEPEST} strategies around one another; does one of "
        "them wrap itself?"
    )


def has(strategy: Strategy, answer: str) -> bool:
    """Return whether anybody in the chain gives an answer, one that is not None."""
    who = answering(strategy, answer)
    return who is not None and _answer(who, answer) is not None


def answering(strategy: Strategy, answer: str) -> Strategy | None:
    """Return the first strategy of the chain that gives an answer itself, None for none."""
    links = (link for link in chain(strategy) if _answer(link, answer) is not _LEFT_OUT)
    return next(links, None)


def batch_of(strategy: Strategy) -> int | None:
    """Return how many slots a strategy wants where the experiment leaves it open, None for all.

    As it is said: who uses it checks it, since elsewhere the name is free for other things.
    """
    who = answering(strategy, "batch")
    batch: int | None = None if who is None else _answer(who, "batch")
    return batch


def needs_total(strategy: Strategy) -> bool:
    """Return whether a plan needs the run's budget in trials."""
    own = _answer(strategy, "needs_total")
    if own is _LEFT_OUT:
        own = any(needs_total(part) for part in _parts(strategy))
    if not isinstance(own, bool):
        raise _wrong(strategy, "needs_total", "True or False", own)
    return own


def needs_length(strategy: Strategy) -> str:
    """Return the name of who in a strategy plans by the last epoch of a trial; empty for none."""
    own = _answer(strategy, "needs_length")
    if own is _LEFT_OUT:
        return next((who for part in _parts(strategy) if (who := needs_length(part))), "")
    if not isinstance(own, bool):
        raise _wrong(strategy, "needs_length", "True or False", own)
    return _name(strategy) if own else ""


def with_one_epoch(strategy: Strategy) -> str:
    """Return what a strategy is left with where trials have one epoch; empty if it needs none."""
    who = answering(strategy, "with_one_epoch")
    if who is None:
        return ""
    said = _answer(who, "with_one_epoch")
    if not isinstance(said, str):
        raise _wrong(who, "with_one_epoch", "a string, such as 'one rung there'", said)
    return said


def draws(strategy: Strategy) -> bool:
    """Return whether configurations are drawn, so that each could have come at any time."""
    return _is(strategy, "draws")


def sets_epochs(strategy: Strategy) -> bool:
    """Return whether a strategy must have its trials trained as far as it says, no less or more."""
    return _is(strategy, "sets_epochs")


def _is(strategy: Strategy, answer: str) -> bool:
    who = answering(strategy, answer)
    own = False if who is None else _answer(who, answer)
    if who is not None and not isinstance(own, bool):
        raise _wrong(who, answer, "True or False", own)
    return bool(own)


def unspared(strategy: Strategy) -> Strategy | None:
    """Return the strategy whose trials this one cuts short: what the one that spares epochs wraps.

    Where none of the chain says that it does, it is the one that the strategy itself wraps.
    """
    who = answering(strategy, "with_one_epoch")
    return wrapped(strategy if who is None else who)


def recommended(strategy: Strategy, runs: Sequence[Run]) -> list[int | None]:
    """Return the id of the trial that each run recommends; None where none has a value.

    It is the strategy's own recommendation (`recommendation`), and where it has none
    (`Random`, `Grid`, parts of BoTorch, fewer than two values) the best observed trial, `Run.best`.

    `Bayesian` recommends by `best_believed`, `FreezeThaw` and `ModelHyperband` by `foreseen_best`;
    `Hyperband` and its like what their `inner` does of the trials trained furthest, and rules of
    stopping, like every strategy that only passes on, what the strategy within does. Raises
    `StrategyError` for a wrong answer of a user's own strategy.
    """
    chosen = recommendation(strategy, runs)
    return [
        best.id if own is None and (best := run.best()) is not None else own
        for run, own in zip(runs, chosen, strict=True)
    ]


def recommendation(strategy: Strategy, runs: Sequence[Run]) -> list[int | None]:
    """Return the trial that a strategy recommends for each run, None where it has no opinion.

    Each is the id of a trial of the run that has a value.
    """
    who = answering(strategy, "recommend")
    found = _LEFT_OUT if who is None else _called(who, "recommend", list(runs))
    if found is None or found is _LEFT_OUT or who is None:
        return [None] * len(runs)
    if not isinstance(found, list | tuple) or len(found) != len(runs):
        expected = f"a list of one trial id or None a run, {len(runs)} in all"
        raise _wrong(who, "recommend", expected, found)
    return [_trial(who, run, trial) for run, trial in zip(runs, found, strict=True)]


def view_of(strategy: Strategy, run: Run, chosen: Sequence[Config] = ()) -> View | None:
    """Return a strategy's model of a run, None where it has none to show.

    `chosen` are points of a batch, in the order of their choice.
    """
    who = answering(strategy, "believe")
    found = None if who is None else _called(who, "believe", run, tuple(chosen))
    if who is None or found is None:
        return None
    if not isinstance(found, View):
        expected = "a View (`strategies.answers` has its attributes and methods) or None"
        raise _wrong(who, "believe", expected, found)
    return found


def is_strategy(value: object) -> bool:
    """Return whether something is a strategy: an object, not a class, with a method `ask`."""
    return not isinstance(value, type) and callable(getattr(type(value), "ask", None))


def _parts(strategy: Strategy) -> Iterator[Strategy]:
    """Yield the strategies that stand in a strategy's fields, in lists and dicts too."""
    for _, value in _fields(strategy):
        items = value.values() if isinstance(value, Mapping) else value
        several = items if isinstance(value, Mapping | list | tuple) else (value,)
        yield from (part for part in several if is_strategy(part))


def _fields(strategy: Strategy) -> list[tuple[str, Any]]:
    if is_dataclass(strategy):
        return [(field.name, getattr(strategy, field.name, None)) for field in fields(strategy)]
    return list(getattr(strategy, "__dict__", {}).items())


def _answer(strategy: Strategy, name: str) -> Any:
    """Return what a strategy says, or `_LEFT_OUT`; what it forwards by `__getattr__` counts."""
    try:
        return getattr(strategy, name)
    except AttributeError as error:
        if getattr_static(strategy, name, _LEFT_OUT) is _LEFT_OUT:
            return _LEFT_OUT
        raise _raised(strategy, name, error) from error
    except HpoError:
        raise
    except Exception as error:
        raise _raised(strategy, name, error) from error


def _called(strategy: Strategy, name: str, *given: object) -> Any:
    method = _answer(strategy, name)
    if method is None:
        return None
    if not callable(method):
        raise _wrong(strategy, name, f"a method, or None for none; rename a field {name}", method)
    try:
        return method(*given)
    except HpoError:
        raise
    except Exception as error:
        raise _raised(strategy, name, error) from error


def _trial(strategy: Strategy, run: Run, trial: object) -> int | None:
    if trial is None:
        return None
    number = as_integer(trial)
    if number is None or not 0 <= number < len(run.trials) or run.trials[number].value is None:
        raise _wrong(strategy, "recommend", "the id of a trial of the run that has a value", trial)
    return number


def _name(strategy: object) -> str:
    return type(strategy).__name__


def _raised(strategy: Strategy, name: str, error: BaseException) -> StrategyError:
    return StrategyError(f"{_name(strategy)}.{name} raised {told(error)}")


def _wrong(strategy: Strategy, name: str, expected: str, got: object) -> StrategyError:
    return StrategyError(f"{_name(strategy)}.{name}: expected {expected}, got {quoted(got)}")
