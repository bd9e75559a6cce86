"""What the executor, its fork server and its workers say to each other, and how it travels.

Down, to processes of ours, work is pickled. Up, from processes in which a user's code runs, there
is JSON, checked field by field, and packed states, which hold no code: whatever a worker sends,
nothing of it is executed in the executor's process. `at` is when a message was made,
on the machine's monotonic clock, which its processes share.
"""

import json
import math
import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo_research import states
from hpo_research.errors import StateError
from hpo_research.executors.processes.channel import Channel, Frame, Garbled
from hpo_research.options import is_integer
from hpo_research.records import Key, Report, Segment


@dataclass(frozen=True)
class Setup:
    """To the fork server, once: the pickled problem and what its workers may use.

    `modules` are imported before the first fork; `memory` is in bytes a worker.
    """

    problem: bytes
    modules: tuple[str, ...]
    memory: int | None
    device: str = "cpu"


@dataclass(frozen=True)
class Spawned:
    """From the fork server: the next worker that was asked for runs under this number."""

    pid: int


@dataclass(frozen=True)
class Refused:
    """From the fork server: the machine gave no process to the next worker that was asked for."""

    reason: str


@dataclass(frozen=True)
class Exited:
    """From the fork server: a worker ended. `status` is an exit code, or minus a signal.

    `cause` is why the fork server killed it, if it did; `output` the last line that it printed.
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
class Heartbeat:
    """From a worker: an epoch was done again in silence."""

    key: Key
    epoch: int
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Reported:
    """From a worker: a report, and the trial's packed state where it is due.

    `unkept` is why a state that was due could not be packed.
    """

    report: Report
    state: "states.Packed | None" = None
    unkept: str = ""
    at: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> Key:
        """The trial that it is about."""
        return self.report.key


@dataclass(frozen=True)
class Ended:
    """From a worker: the segment has ended, with its last report or a reason.

    With neither it was told to stop, or `has_finished`: its length was open, `epoch` its last one.
    `seconds` is the recorded cost of an epoch that failed.
    `is_spent`: the function left processes of its own behind, and this one must not be used again.
    """

    key: Key
    epoch: int
    reason: str = ""
    final: Reported | None = None
    seconds: float | None = None
    is_spent: bool = False
    has_finished: bool = False
    at: float = field(default_factory=time.monotonic)


FromWorker = Ready | Heartbeat | Reported | Ended
FromServer = Spawned | Refused | Exited

# -- down, to processes of ours


def tell(channel: Channel, message: Setup | Work | Answer) -> None:
    """Send a message down, and wait until it is read. Raises `OSError` where nobody is there."""
    channel.send(packed(message))


def packed(message: Setup | Work | Answer) -> Frame:
    """Return a message as it goes down."""
    return Frame(b"", pickle.dumps(message))


def told(channel: Channel) -> Any:
    """Wait for a message from above. Raises `EOFError` or `OSError` where nobody is there."""
    return pickle.loads(channel.receive().body)


# -- up, from processes in which anything may happen


def say(channel: Channel, message: FromWorker | FromServer) -> None:
    """Send a message up. Raises `OSError` where nobody is there."""
    fields: dict[str, object]
    state: states.Packed | None = None
    if isinstance(message, Reported):
        fields, state = _report(message), message.state
    elif isinstance(message, Ended):
        final = message.final
        fields = {**vars(message), "final": None if final is None else _report(final)}
        state = None if final is None else final.state
    else:
        fields = vars(message)
    text = json.dumps({"kind": type(message).__name__, **fields}, default=_plain)
    channel.send(Frame(text.encode(), b"" if state is None else state.content))


def from_worker(frame: Frame) -> FromWorker:
    """Return what a worker said. Raises `Garbled` where that is no message."""
    fields, kind = _fields(frame.text)
    at = fields.number("at")
    if kind == "Ready":
        return Ready(fields.text("reason"), at)
    if kind == "Heartbeat":
        return Heartbeat(fields.key(), fields.whole("epoch"), at)
    if kind == "Reported":
        return _said(fields, frame.body)
    if kind != "Ended":
        raise Garbled
    final = fields.values.get("final")
    return Ended(
        fields.key(),
        fields.whole("epoch"),
        fields.text("reason"),
        None if final is None else _said(_Fields(final), frame.body),
        fields.maybe("seconds"),
        fields.values.get("is_spent") is True,
        fields.values.get("has_finished") is True,
        at,
    )


def from_server(frame: Frame) -> FromServer:
    """Return what a fork server said. Raises `Garbled` where that is no message."""
    fields, kind = _fields(frame.text)
    if kind == "Spawned":
        return Spawned(fields.whole("pid"))
    if kind == "Refused":
        return Refused(fields.text("reason"))
    if kind != "Exited":
        raise Garbled
    cause, output = fields.text("cause"), fields.text("output")
    return Exited(fields.whole("pid"), fields.whole("status"), cause, output, fields.number("at"))


def _plain(number: Any) -> object:
    return number.item()  # NumPy scalars, and tensors without dimensions


def _report(said: Reported) -> dict[str, object]:
    report = said.report
    return {
        "key": report.key,
        "epoch": report.epoch,
        "metrics": {str(name): float(value) for name, value in report.metrics.items()},
        "seconds": report.seconds,
        "unkept": said.unkept,
        "at": said.at,
    }


def _said(fields: "_Fields", body: bytes) -> Reported:
    metrics = {name: _real(value) for name, value in fields.table("metrics").items()}
    report = Report(*fields.key(), fields.whole("epoch"), metrics, fields.maybe("seconds"))
    state = _state(body) if body else None
    unkept = fields.text("unkept") if "unkept" in fields.values else ""
    return Reported(report, state, unkept, fields.number("at"))


def _state(body: bytes) -> "states.Packed":
    try:
        states.unpack(body)
    except StateError as error:
        raise Garbled(f"a state that cannot be read ({error})") from error
    return states.Packed(body)


class _Fields:
    """The fields of a message, each checked when it is read."""

    def __init__(self, values: object) -> None:
        if not isinstance(values, dict):
            raise Garbled
        self.values = values

    def whole(self, name: str) -> int:
        return _whole(self.values.get(name))

    def number(self, name: str) -> float:
        number = _real(self.values.get(name))
        if not math.isfinite(number):
            raise Garbled
        return number

    def maybe(self, name: str) -> float | None:
        return None if self.values.get(name) is None else self.number(name)

    def text(self, name: str) -> str:
        text = self.values.get(name)
        if not isinstance(text, str):
            raise Garbled
        return text

    def table(self, name: str) -> Mapping[str, object]:
        return _Fields(self.values.get(name)).values

    def key(self) -> Key:
        key = self.values.get("key")
        if not isinstance(key, list) or len(key) != 2:
            raise Garbled
        return _whole(key[0]), _whole(key[1])


def _fields(text: bytes) -> tuple[_Fields, str]:
    try:
        fields = _Fields(json.loads(text))
    except (ValueError, RecursionError):
        raise Garbled from None
    return fields, fields.text("kind")


def _whole(value: object) -> int:
    if not is_integer(value):
        raise Garbled
    return value


def _real(value: object) -> float:
    if isinstance(value, float):
        return value
    raise Garbled
