"""The records: what a strategy says, what an executor is given and gives back, what is known.

All of them are immutable. A trial is named by (run, id); ids count per run from 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal, NoReturn, TypeVar

import numpy as np

from hpo_research import habits, shown
from hpo_research.rng import Stream
from hpo_research.rows import Best, Values, kept
from hpo_research.space import Config, SearchSpace
from hpo_research.space.parameters import Value
from hpo_research.states.state import State as State
from hpo_research.text import storable

Direction = Literal["minimize", "maximize"]
Task = Literal["same", "related"]
Status = Literal["running", "paused", "finished", "stopped", "failed"]
Key = tuple[int, int]
"""(run, trial): the name of a trial in an experiment."""


ENQUEUED, ADDED, PRIOR = "enqueued", "added", "prior"
"""The origins that no strategy has: the user wanted it, trained it elsewhere, in an earlier run."""

OPEN = 2**62
"""The last epoch of trials whose length is open, and their `until` until they have finished."""


def sign(direction: Direction) -> int:
    """Return what makes a loss of a value: 1 where lower is better, -1 where higher is."""
    return 1 if direction == "minimize" else -1


def best_value(values: Iterable[float], direction: Direction) -> float:
    """Return the best of one value or more."""
    return min(values) if sign(direction) > 0 else max(values)


class Fixed(dict[str, Value]):
    """The configuration of a trial: a dict that cannot be changed, since the run's books share it.

    Raises `TypeError` where somebody tries; `dict(config)` is a copy that can be changed.
    """

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a trial's configuration cannot be changed; change a copy, dict(config)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type["Fixed"], tuple[Config]]:
        return Fixed, (dict(self),)


@dataclass(frozen=True)
class Start:
    """A new trial: `config`, trained until an epoch; `origin` says why it was chosen.

    `origin` is kept as `text.storable` writes it. `trial` is the id that the run's books give it,
    None in a strategy's answer, and no part of what proposals are compared by.
    """

    config: Config
    until: int
    origin: str = ""
    trial: int | None = field(default=None, compare=False)
    kind: ClassVar[Literal["start"]] = "start"
    start: ClassVar[int] = 0
    attempt: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if isinstance(self.origin, str) and self.origin:
            object.__setattr__(self, "origin", storable(self.origin))


@dataclass(frozen=True)
class Resume:
    """A paused trial trained on, until another epoch.

    The run's books say after which epoch its segment begins, `start`, and the number of the
    trial's `attempt`; neither is part of what proposals are compared by.
    """

    trial: int
    until: int
    start: int = field(default=0, compare=False)
    attempt: int = field(default=0, compare=False)
    kind: ClassVar[Literal["resume"]] = "resume"
    config: ClassVar[None] = None
    origin: ClassVar[str] = ""


@dataclass(frozen=True)
class Stop:
    """The end of a running trial."""

    trial: int
    kind: ClassVar[Literal["stop"]] = "stop"
    until: ClassVar[int] = 0
    start: ClassVar[int] = 0
    attempt: ClassVar[int] = 0
    config: ClassVar[None] = None
    origin: ClassVar[str] = ""


Proposal = Start | Resume | Stop
"""One thing a run is told. Build it with `start`, `resume` or `stop`."""


def start(config: Config, until: int, origin: str) -> Start:
    """Propose a new trial; `origin` says why this configuration was chosen."""
    return Start(config, until, origin)


def resume(trial: int, until: int) -> Resume:
    """Propose to train a paused trial on, until another epoch."""
    return Resume(trial, until)


def stop(trial: int) -> Stop:
    """Propose to stop a running trial."""
    return Stop(trial)


Record = TypeVar("Record")


def with_fields(record: Record, fields: Mapping[str, object]) -> Record:
    """Return a record of which some fields are others, in a tenth of the time of `replace`.

    For fields that were checked: nothing that the class does to make a record is done again.
    """
    other = object.__new__(type(record))
    other.__dict__.update(record.__dict__)
    other.__dict__.update(fields)
    return other


Note = float | str | list[float]


@dataclass(frozen=True)
class Ask:
    """What one run is told. No proposals: wait if trials are running, finished if none are.

    `notes` are plain numbers that say why (fitted hyperparameters, the figures a stop compared);
    they are stored and later asks can read them. A key `"note"` may hold a sentence for people.
    `seconds` is what the parts of the ask took; it is stored, and no part of what asks are
    compared by. `ends`, where it is no empty string, says why the run is over: its running trials
    are stopped, and no proposal begins.
    """

    proposals: tuple[Proposal, ...] = ()
    notes: Mapping[str, Note] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    ends: str = ""


@dataclass(frozen=True)
class Segment:
    """Work for an executor: train `config` over the epochs (start, until].

    `stream` is the trial's own random stream, the same for every strategy of a seed. `state` is
    what the trial carried at epoch `start`, or None when it begins from nothing; it is the
    segment's own, on the CPU, and may be changed in place. Reports up to
    epoch `known` (at least `start`) are stored already: they are computed again in silence.
    `begun` is the run's clock at epoch `known`. `attempt` counts the times that the trial was begun
    anew, because its process was lost. `folder` is where a user's function may keep
    files of its own.
    """

    run: int
    trial: int
    config: Config
    until: int
    stream: Stream
    start: int = 0
    attempt: int = 0
    known: int = 0
    begun: float = 0.0
    folder: str | None = None
    state: State | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        """The trial's name: (run, trial)."""
        return (self.run, self.trial)


@dataclass(frozen=True)
class Report:
    """A trial's metrics after an epoch.

    `seconds` is what the epoch cost: recorded by the problem where it replays a table, otherwise
    None from a problem and filled by the executor (its share of the batch's wall time). `state`
    gives the trial's state after this epoch; it may be called until the next epoch is asked for.
    A state is a dict of tensors (of any dtype and layout, sharing memory or not), NumPy arrays,
    numbers, strings, bytes and None, in dicts, lists, tuples and sets: all that `state_dict()`
    gives. One that holds anything else fails the trial where it pauses. `attempt` is that of the
    trial; the loop knows it.
    """

    run: int
    trial: int
    epoch: int
    metrics: Mapping[str, float]
    seconds: float | None = None
    clock: float = 0.0
    attempt: int = 0
    state: Callable[[], State] | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        """The trial's name: (run, trial)."""
        return (self.run, self.trial)


@dataclass(frozen=True)
class Outcome:
    """How a segment ended, and the last epoch it reached.

    `finished` at the problem's last epoch (where its length is open: at the last one that it
    reports), `paused` at an earlier `until`, `stopped` by the
    strategy, `failed` with a reason, which is kept as `text.storable` writes it: whatever an
    exception says, the store, the report and a terminal take it.
    """

    run: int
    trial: int
    status: Literal["finished", "paused", "stopped", "failed"]
    epoch: int
    reason: str = ""
    clock: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.reason:
            object.__setattr__(self, "reason", storable(self.reason))

    @property
    def key(self) -> Key:
        """The trial's name: (run, trial)."""
        return (self.run, self.trial)


@habits.attributes
@dataclass(frozen=True)
class Trial:
    """One configuration in a run, with every value of the objective it has reported.

    `epochs`, `values` and `arrivals` are parallel, epochs ascending. `arrivals` says the order in
    which the reports of all trials came: the first report of the run is 0, the next one 1 (by hand
    it may be left empty: reports then count as come by epoch, and by id within one); trials are
    equal whenever they reported. `value` is the trial's value by the experiment's rule (last or
    best), None before any report and for a failed trial. `until` is the epoch it is to reach,
    `seconds` what its epochs cost, `origin` why it was proposed. `place` is its place among the
    run's trials that have ended (finished, stopped or failed): 0 the first to end, None before.
    `attempt` counts how often it was begun anew, asynchronously, after its process was lost: its
    curve is that of this attempt, its `seconds` those of all.
    """

    id: int
    config: Config
    status: Status
    until: int
    epochs: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    value: float | None = None
    seconds: float = 0.0
    origin: str = ""
    reason: str = ""
    arrivals: tuple[int, ...] = field(default=(), compare=False)
    place: int | None = field(default=None, compare=False)
    attempt: int = 0

    def __post_init__(self) -> None:
        """Fix the configuration."""
        if type(self.config) is not Fixed:
            object.__setattr__(self, "config", Fixed(self.config))

    def __repr__(self) -> str:
        return shown.trial_line(self)

    def _repr_html_(self) -> str:
        return shown.trial_html(self)

    @property
    def reached(self) -> int:
        """The last epoch that was reported, 0 before any."""
        return self.epochs[-1] if self.epochs else 0

    @property
    def is_running(self) -> bool:
        """Whether the trial has been asked for and not yet ended or paused."""
        return self.status == "running"

    def value_at(self, epoch: int) -> float | None:
        """Return the value reported at exactly this epoch, or None."""
        for known, value in zip(reversed(self.epochs), reversed(self.values), strict=True):
            if known == epoch:
                return value
        return None


@dataclass(frozen=True)
class Run:
    """One problem × strategy × seed: all that a strategy may know, and nothing else.

    `total` is the run's whole budget in trials (None when it has none): for `Grid("fit")` alone.
    `left` is what remains, in epochs; infinite when the budget does not count them. `prior` holds
    trials of earlier runs of the same task: data like the run's own. `related` holds those of other
    tasks, a tuple each, whose values are comparable among themselves only. `max_epochs` is `OPEN`
    where the length of trials is open. `id` tells runs apart; no decision may depend on it.
    `trials` and `asks` are tuples where a run is made by hand, and `Rows` in an experiment: a run
    that comes from another shares what did not change, and what a strategy kept of it
    (`hpo_research.rows.kept`).
    """

    space: SearchSpace
    direction: Direction = "minimize"
    max_epochs: int = 1
    seed: int = 0
    trials: Sequence[Trial] = ()
    asks: Sequence[Ask] = ()
    total: int | None = None
    left: float = float("inf")
    prior: tuple[Trial, ...] = ()
    related: tuple[tuple[Trial, ...], ...] = ()
    id: int = 0

    def __repr__(self) -> str:
        return f"<Run, seed {self.seed}: {len(self.trials)} trials, {len(self.asks)} asks>"

    @property
    def sign(self) -> int:
        """What makes a loss of a value: 1 where lower is better, -1 where higher is."""
        return sign(self.direction)

    @property
    def stream(self) -> Stream:
        """The root of the run's random streams; it depends on the seed alone."""
        return Stream(self.seed)

    @cached_property
    def values(self) -> np.ndarray:
        """Each trial's value as the user's metric, NaN where there is none. Shape: n."""
        with kept(self.trials, "values", Values) as index:
            return _fixed(index.values[: len(self.trials)].copy())

    @cached_property
    def losses(self) -> np.ndarray:
        """Each trial's value with the direction flipped so that lower is better. Shape: n."""
        return self.values if self.sign > 0 else _fixed(-self.values)

    @cached_property
    def running(self) -> tuple[Trial, ...]:
        """The trials that are running, in order of id."""
        with kept(self.trials, "running", _Running) as index:
            return tuple(index.trials[number] for number in sorted(index.trials))

    def best(self) -> Trial | None:
        """Return the trial with the best value, the lowest id among equals; None without any."""
        with kept(self.trials, ("best", self.sign), lambda: Best(self.sign)) as index:
            return index.of(self.trials)


class _Running:
    """The trials that are running, by id: an index."""

    def __init__(self) -> None:
        self.trials: dict[int, Trial] = {}

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        if new.is_running:
            self.trials[number] = new
        elif old is not None:
            self.trials.pop(number, None)
        return True


def _fixed(array: np.ndarray) -> np.ndarray:
    """Return an array that was just made, closed for writing: others will read it too."""
    array.flags.writeable = False
    return array


def ranked(trials: Sequence[Trial], losses: Sequence[float | None]) -> list[Trial]:
    """Sort trials from best to worst: lower loss first, no loss last, ties to the lower id."""
    order = sorted(
        range(len(trials)),
        key=lambda i: (losses[i] is None, losses[i] if losses[i] is not None else 0, trials[i].id),
    )
    return [trials[i] for i in order]
