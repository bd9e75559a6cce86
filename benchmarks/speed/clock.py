"""Time: warm up, take turns, synchronise, and keep the median."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Call = Callable[[], object]


@dataclass(frozen=True)
class Contender:
    """Something to time. `prepare` returns the call; what it does itself is not timed.

    `units` is how many runs or models a call serves; `warm` is called before, once.
    """

    prepare: Callable[[], Call]
    times: int = 3
    units: float = 1.0
    warm: Call | None = None


@dataclass(frozen=True)
class Time:
    """Seconds by the clock, and of this process on its processors."""

    clock: float
    processor: float


def time_of(call: Call) -> Time:
    """Return the time of one call, the work it left on a device included."""
    _synchronise()
    began, busy = time.perf_counter(), time.process_time()
    call()
    _synchronise()
    return Time(time.perf_counter() - began, time.process_time() - busy)


def duel(*contenders: Contender) -> list[Time]:
    """Return each contender's median times a unit; they take turns, so noise meets them alike."""
    for contender in contenders:
        if contender.warm is not None:
            contender.warm()
        else:
            contender.prepare()()
    taken: list[list[Time]] = [[] for _ in contenders]
    for turn in range(max(contender.times for contender in contenders)):
        for own, contender in zip(taken, contenders, strict=True):
            if turn < contender.times:
                own.append(time_of(contender.prepare()))
    return [
        Time(
            statistics.median(t.clock for t in own) / contender.units,
            statistics.median(t.processor for t in own) / contender.units,
        )
        for own, contender in zip(taken, contenders, strict=True)
    ]


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
