"""What an optimiser was asked and told in a run, in that order, read from the run alone.

Each ask of a rival notes what was told before it, as parallel lists, a number a telling:

- `rival_trials`: the trial; an earlier run's k-th is −1 − k;
- `rival_epochs`: the epoch that it had reached; `rival_over`: 1 where it cannot be trained on;
- `rival_losses`: the loss that was told, which of a failed trial is the worst told before;

and `rival_count`, how many trials were asked for, and `rival_new`, how many new ones were answered:
a budget or a strategy around this one may begin fewer. So the conversation does not depend on what
the trials came to since.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo_research.records import ENQUEUED, Ask, Note, Resume, Run, Start, Trial
from hpo_research.space import Config

_LISTS = ("rival_trials", "rival_epochs", "rival_over", "rival_losses")
_COUNT, _NEW = "rival_count", "rival_new"


@dataclass(frozen=True)
class Telling:
    """A loss that is told: of a trial by the engine's own number, or of a configuration."""

    number: int | None
    config: Config
    epoch: int
    loss: float
    is_over: bool


@dataclass(frozen=True)
class Asking:
    """So many trials asked for, and what of the answer became trials, in order.

    Of each a new one's configuration, or a known one's number, and the epoch to train to; that is
    0 where it is always the last.
    """

    count: int
    granted: tuple[tuple[Config | int, int], ...] = ()


Step = Telling | Asking


@dataclass
class Conversation:
    """The steps so far, and what follows of them: a book of one run, filled once.

    `fresh` are what is to be told now, and `waiting` the failed trials that cannot be told since no
    loss is known that they could stand for. `first` is how many trials the run had when this
    strategy was first asked.
    """

    run: Run
    is_by_epoch: bool
    steps: list[Step] = field(default_factory=list)
    fresh: list[Telling] = field(default_factory=list)
    waiting: list[Trial] = field(default_factory=list)
    first: int | None = None
    numbers: dict[int, int] = field(default_factory=dict)
    _told: dict[int, tuple[int, bool]] = field(default_factory=dict)
    _suggested: int = 0
    _worst: float = -math.inf
    _rows: list[tuple[int, Telling]] = field(default_factory=list)

    def __post_init__(self) -> None:
        begun = 0
        for ask in self.run.asks:
            starts = [p for p in ask.proposals if isinstance(p, Start)]
            if _COUNT in ask.notes:
                self.first = begun if self.first is None else self.first
                self._replay(ask, begun)
            begun += len(starts)
        if self.first is None:
            self.first = len(self.run.trials)
        self._tell_what_is_new()

    # -- what was said

    def _replay(self, ask: Ask, begun: int) -> None:
        columns: list[Any] = [ask.notes.get(name, []) for name in _LISTS]
        for trial, epoch, over, loss in zip(*columns, strict=True):
            self._tell(int(trial), int(epoch), float(loss), is_over=bool(over))
        granted: list[tuple[Config | int, int]] = []
        own = self._suggested
        for proposal in ask.proposals:
            if isinstance(proposal, Start):
                trial = begun if proposal.trial is None else proposal.trial
                begun += 1
                if proposal.origin != ENQUEUED:
                    self.numbers[trial] = own
                    own += 1
                    granted.append((proposal.config, self._until(proposal)))
            elif isinstance(proposal, Resume) and self.is_by_epoch:
                granted.append((self.numbers[proposal.trial], proposal.until))
        self._suggested += int(ask.notes[_NEW])  # type: ignore[arg-type]
        self.steps.append(Asking(int(ask.notes[_COUNT]), tuple(granted)))  # type: ignore[arg-type]

    def _until(self, proposal: Start) -> int:
        return proposal.until if self.is_by_epoch else 0

    def _tell(self, trial: int, epoch: int, loss: float, *, is_over: bool) -> Telling:
        known = self.run.prior[-1 - trial] if trial < 0 else self.run.trials[trial]
        telling = Telling(self.numbers.get(trial), known.config, epoch, loss, is_over)
        self._told[trial] = (epoch, is_over)
        self._worst = max(self._worst, loss)
        self.steps.append(telling)
        return telling

    # -- what is to be said

    def _tell_what_is_new(self) -> None:
        for trial, known in self._new():
            loss = _loss(self.run, known)
            if loss is None and not math.isfinite(self._worst):
                self.waiting.append(known)
                continue
            self._say(trial, known, self._worst if loss is None else loss)

    def tell_anything(self, loss: float) -> None:
        """Tell the failed trials that wait as such a loss: nothing else is known of the problem."""
        for known in self.waiting:
            self._say(known.id, known, loss)
        self.waiting.clear()

    def _say(self, trial: int, known: Trial, loss: float) -> None:
        is_over = known.status != "paused" or not self.is_by_epoch
        epoch = known.reached + (known.status == "failed")
        telling = self._tell(trial, epoch, loss, is_over=is_over)
        self._rows.append((trial, telling))
        self.fresh.append(telling)

    def _new(self) -> Iterator[tuple[int, Trial]]:
        if not self.steps:
            known = enumerate(self.run.prior)
            yield from ((-1 - k, t) for k, t in known if _loss(self.run, t) is not None)
        ended = [trial for trial in self.run.trials if not trial.is_running]
        for trial in sorted(ended, key=_order):
            is_own = trial.id in self.numbers
            if not is_own and self.is_by_epoch and trial.reached < self.run.max_epochs:
                continue  # somebody else's, not trained to the end: no loss to compare with
            epoch, is_over = self._told.get(trial.id, (0, False))
            is_more = trial.reached > epoch or trial.status != "paused"
            if not is_over and is_more and (self.is_by_epoch or trial.id not in self._told):
                yield trial.id, trial

    def notes(self, count: int, new: int) -> dict[str, Note]:
        """Return the notes of an ask for so many trials, of which so many are new."""
        columns: list[Note] = [
            [float(trial) for trial, _ in self._rows],
            [float(telling.epoch) for _, telling in self._rows],
            [float(telling.is_over) for _, telling in self._rows],
            [telling.loss for _, telling in self._rows],
        ]
        named = dict(zip(_LISTS, columns, strict=True)) if self._rows else {}
        return {**named, _COUNT: float(count), _NEW: float(new)}

    @property
    def trials(self) -> dict[int, int]:
        """The run's trials by the engine's numbers."""
        return {number: trial for trial, number in self.numbers.items()}


def _order(trial: Trial) -> tuple[float, int]:
    return (math.inf if trial.place is None else trial.place, trial.id)


def _loss(run: Run, trial: Trial) -> float | None:
    """Return a trial's loss: its value where it has ended, its last one where it waits."""
    if trial.status == "failed":
        return None
    value = trial.values[-1] if trial.status == "paused" and trial.values else trial.value
    return None if value is None or not math.isfinite(value) else run.sign * value


def digest(what: object, steps: Sequence[Step]) -> bytes:
    """Return a digest of a conversation with an engine that was made for something."""
    text = hashlib.blake2b(repr(what).encode(), digest_size=16)
    for step in steps:
        text.update(repr(step).encode())
    return text.digest()
