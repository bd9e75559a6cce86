"""Optimisers that are kept between asks, and made again where they are not.

An engine is found by a digest of what it was made for and of all it was asked and told. One that
is not there, since the process is another, is made anew and asked and told the same again. Nothing
depends on which of the two it was; `clear` may be called at any time.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock

from hpo_research.errors import StrategyError
from hpo_research.rivals.axes import Axes
from hpo_research.rivals.conversation import Asking, Conversation, Step, Telling, digest
from hpo_research.rivals.engines.protocol import Suggestion
from hpo_research.rivals.places import Seat
from hpo_research.rng import Stream
from hpo_research.space import Config

_MOST = 1024

SeatOf = Callable[[int], Seat]
"""Makes an engine, whose global draws begin at a seed."""


class _Kept:
    """Engines by digest, the least recently used dropped first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seats: OrderedDict[bytes, Seat] = OrderedDict()

    def take(self, key: bytes) -> Seat | None:
        with self._lock:
            seat = self._seats.pop(key, None)
        return seat if seat is not None and seat.is_alive else None

    def put(self, key: bytes, seat: Seat) -> None:
        with self._lock:
            self._seats[key] = seat
            while len(self._seats) > _MOST:
                self._seats.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._seats.clear()


_kept = _Kept()


def clear() -> None:
    """Drop every engine that is kept; no answer changes."""
    _kept.clear()


@dataclass(frozen=True)
class Suggested:
    """A suggestion as the run takes it: a new configuration, or the number of a known trial."""

    what: Config | int
    until: int
    clipped: int = 0


@dataclass(frozen=True)
class Answer:
    """What an engine suggests, and the seconds it took."""

    suggested: Sequence[Suggested]
    seconds: float


@dataclass(frozen=True)
class Exchange:
    """One run's engine: how it is made, `made_for`, and how what it says is read."""

    name: str
    made_for: object
    axes: Axes
    stream: Stream
    is_by_epoch: bool

    def answer(self, seat_of: SeatOf, talk: Conversation, count: int) -> Answer:
        """Tell what is new, and ask for up to so many trials.

        Raises `StrategyError` where an engine that is made again says something else than before.
        """
        before = talk.steps[: len(talk.steps) - len(talk.fresh)]
        seat = _kept.take(digest(self.made_for, before))
        known = 0.0
        if seat is None:
            seat = seat_of(self._seed(-1))
            # What it says once more was paid for already; the first time it counts as it is made.
            known = self._replayed(seat, before) if before else 0.0
        else:
            known = seat.seconds
        self._tell(seat, talk.fresh, len(before))
        step = len(talk.steps)
        found = self._read(seat.ask(count, self._seed(step)))
        if found:
            asking = Asking(count, tuple((one.what, one.until) for one in found))
            _kept.put(digest(self.made_for, [*talk.steps, asking]), seat)
        return Answer(found, seat.seconds - known)

    def _seed(self, step: int) -> int:
        return self.stream.at("step", step + 1).integer() % 2**31

    def _replayed(self, seat: Seat, steps: Sequence[Step]) -> float:
        """Ask and tell an engine what is known; return the seconds it has taken by then."""
        begun = 0
        for is_asking, own in groupby(steps, lambda step: isinstance(step, Asking)):
            group = list(own)
            if not is_asking:
                self._tell(seat, [step for step in group if isinstance(step, Telling)], begun)
            for i, step in enumerate(group):
                if isinstance(step, Asking):
                    found = self._read(seat.ask(step.count, self._seed(begun + i)))
                    self._compare(step, found)
            begun += len(group)
        return seat.seconds

    def _compare(self, step: Asking, found: Sequence[Suggested]) -> None:
        said = tuple((one.what, one.until) for one in found)
        if said[: len(step.granted)] != step.granted:
            raise StrategyError(
                f"{self.name}: asked again from the beginning, it says {said!r:.200}, where it "
                f"once said {step.granted!r:.200}; it repeats itself on the machine and with the "
                "versions that it began with: go on there, or begin the run anew"
            )

    def _tell(self, seat: Seat, tellings: Sequence[Telling], first: int) -> None:
        for is_own, group in _grouped(tellings):
            seed = self._seed(first)
            first += len(group)
            if is_own:
                seat.tell(
                    [(t.number, t.epoch, t.loss, t.is_over) for t in group if t.number is not None],
                    seed,
                )
                continue
            points = [(self.axes.point(telling.config), telling.loss) for telling in group]
            inside = [(point, loss) for point, loss in points if point is not None]
            if inside:
                seat.add(inside, seed)

    def _read(self, suggestions: Sequence[Suggestion]) -> list[Suggested]:
        found = []
        for one in suggestions:
            until = one.until if self.is_by_epoch else 0
            if one.point is None:
                found.append(Suggested(one.number, until))
            else:
                placed = self.axes.config(one.point)
                found.append(Suggested(placed.config, until, placed.clipped))
        return found


def _grouped(tellings: Sequence[Telling]) -> Iterator[tuple[bool, list[Telling]]]:
    for is_own, group in groupby(tellings, lambda telling: telling.number is not None):
        yield is_own, list(group)
