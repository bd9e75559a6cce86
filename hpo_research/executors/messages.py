"""What the executor, its nursery and its workers say to each other; all of it is pickled.

`at` is when a message was made, on the machine's monotonic clock, which its processes share.
"""

import pickle
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from hpo_research.records import Report, Segment
from hpo_research.states import Packed


@dataclass(frozen=True)
class Orders:
    """To the nursery, once: the pickled problem and what its workers may use.

    `modules` are imported before the first fork; `memory` is in bytes a worker.
    """

    problem: bytes
    modules: tuple[str, ...]
    memory: int | None
    device: str = "cpu"


@dataclass(frozen=True)
class Born:
    """From the nursery: the next worker that was asked for runs under this number."""

    pid: int


@dataclass(frozen=True)
class Died:
    """From the nursery: a worker ended. `status` is an exit code, or minus a signal.

    `cause` is why the nursery killed it, if it did; `output` the last line that it printed.
    """

    pid: int
    status: int
    cause: str
    output: str
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Ready:
    """From a worker: the problem is loaded, or the reason why it could not be."""

    reason: str = ""
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Work:
    """To a worker: train this segment."""

    segment: Segment


@dataclass(frozen=True)
class Answer:
    """To a worker that waits in a report: whether the trial goes on."""

    goes_on: bool


@dataclass(frozen=True)
class Alive:
    """From a worker: an epoch was done again in silence."""

    epoch: int
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Said:
    """From a worker: a report, and the trial's packed state where it is due.

    `unkept` is why a state that was due could not be packed.
    """

    report: Report
    state: Packed | None = None
    unkept: str = ""
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Ended:
    """From a worker: the segment has ended, with its last report or a reason.

    With neither it was told to stop. `seconds` is the recorded cost of an epoch that failed.
    `is_spent`: the function left processes of its own behind, and this one must not be used again.
    """

    epoch: int
    reason: str = ""
    final: Said | None = None
    seconds: float | None = None
    is_spent: bool = False
    at: float = field(default_factory=time.monotonic)


def send(connection: Connection, message: object) -> None:
    """Send one message. Raises `OSError` where the other side is gone."""
    connection.send_bytes(pickle.dumps(message))


def receive(connection: Connection) -> Any:
    """Wait for one message. Raises `EOFError` or `OSError` where the other side is gone."""
    return pickle.loads(connection.recv_bytes())
