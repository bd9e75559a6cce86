"""Whatever a worker's process writes, closes or hands on, its own trial fails, and says why."""

import json
import os
import pickle
import socket
import stat
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import SPACE, assert_all_gone, drain, segment

from hpo_research.errors import ProblemError
from hpo_research.executors.processes import messages, pool
from hpo_research.executors.processes.channel import Channel, Frame, Garbled, pair
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.messages import (
    Ended,
    Exited,
    Ready,
    Refused,
    Reported,
    Spawned,
)
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.problems.function import FunctionProblem
from hpo_research.records import Outcome, Report
from hpo_research.states import pack


class Bomb:
    """Ends the process in which it is unpickled."""

    def __reduce__(self):
        return os._exit, (1,)


def framed(text: bytes, body: bytes = b"", claimed: int | None = None) -> bytes:
    """A frame as a malicious hand would make it."""
    check = zlib.crc32(body, zlib.crc32(text))
    header = struct.pack("!4sIQI", b"hpo\x01", len(text), claimed or len(body), check)
    return header + struct.pack("!I", zlib.crc32(header)) + text + body


def said(trial: int, epoch: int, body: bytes = b"", **others: object) -> bytes:
    fields = {"kind": "Reported", "key": [0, trial], "epoch": epoch, "metrics": {"loss": 0.0}}
    return framed(json.dumps({**fields, "seconds": 0.0, "at": 0.0, **others}).encode(), body)


BOMB = pickle.dumps(Bomb())
WRITTEN: dict[str, Callable[[int], bytes]] = {
    "nonsense": lambda trial: b"\xff" * 64,
    "a length of gigabytes": lambda trial: struct.pack("!i", 2**31 - 1),
    "a pickle that runs code": lambda trial: BOMB,
    "a message that is such a pickle": lambda trial: framed(b"", BOMB),
    "a state that is such a pickle": lambda trial: said(trial, 1, BOMB),
    "half a message": lambda trial: framed(b"{}")[:9],
    "a message that claims gigabytes": lambda trial: framed(b"{}", claimed=2**34),
    "a report of another trial": lambda trial: said(99, 1),
    "a report of a later epoch": lambda trial: said(trial, 99),
    "a report of words": lambda trial: said(trial, 1, metrics={"loss": "low"}),
    "a report without the metric": lambda trial: said(trial, 1, metrics={"cost": 1.0}),
}
NO_REPORT = "sent what is no report of its trial; a function must write only into files and"
REASONS = {
    **dict.fromkeys(WRITTEN, NO_REPORT),
    "an earlier trial's report": "the report of another trial was called: ",
    "a child's nonsense": NO_REPORT,
    "a file over its channel": "the process closed or overwrote its connection",
    "its report sent away": "report cannot be sent to another process",
    "a state that is such a pickle": "no report of its trial: a state that cannot be read",
    "a message that claims gigabytes": "half a message and no more for 1 seconds",
    "a report of another trial": "no report of its trial: a report of trial 99 of run 0",
    "a report of a later epoch": "no report of its trial: epoch 99 after epoch 0",
    "a report without the metric": "loss is not reported at epoch 1",
}
GOOD = ["a thread left behind", "reports from threads", "a report in a child"]


def deeds() -> Callable[..., object]:
    """A function whose configuration says what it does. Local, so it is sent by value."""
    kept = []  # the report of an earlier trial in the same process

    def write(data):
        for descriptor in range(3, 40):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, data)

    def lets_a_child_write(report):
        if os.fork() == 0:
            write(b"\xff" * 64)
            os._exit(0)
        time.sleep(60)

    def puts_a_file_over_its_channel(report):
        file = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3, 40):
            if descriptor != file:
                os.dup2(file, descriptor)
        report(1, 0.0)

    def calls_in_a_child(report):
        child = os.fork()
        if child == 0:
            with suppress(ProblemError):
                report(1, 0.0)
                os._exit(1)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    def leaves_a_thread_that_reports(report):
        def go_on():
            report(1, 1.0)
            is_over.wait()
            report(2, 1.0)

        kept.append(report)
        is_over = threading.Event()
        kept.append(is_over)
        threading.Thread(target=go_on, daemon=True).start()
        time.sleep(0.3)

    def calls_an_earlier_report(report):
        earlier, is_over = kept
        is_over.set()
        earlier(1, 0.0)

    def reports_from_threads(report):
        threads = [threading.Thread(target=report, args=(e, 1.0)) for e in (1, 2, 3)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in threads:
            thread.join()

    others = {
        "an earlier trial's report": calls_an_earlier_report,
        "a child's nonsense": lets_a_child_write,
        "a file over its channel": puts_a_file_over_its_channel,
        "its report sent away": pickle.dumps,
        "a report in a child": calls_in_a_child,
        "a thread left behind": leaves_a_thread_that_reports,
        "reports from threads": reports_from_threads,
    }

    def f(config, report):
        if config["writes"]:
            write(bytes.fromhex(config["writes"]))
            report(1, 0.0)
            time.sleep(60)
        others[config["does"]](report)
        return 0.5

    return f


@pytest.fixture(scope="module")
def ended() -> Iterator[dict[str, tuple[Outcome, list[Report]]]]:
    """All deeds, one after another; the first two share a process."""
    started: list[ProcessId] = []
    problem = FunctionProblem(deeds(), SPACE, max_epochs=5)
    names = ["a thread left behind", *sorted(REASONS, key="an earlier trial's report".__ne__)]
    names += GOOD[1:]
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_STALL", 1.0)
        with closing(ProcessExecutor(problem, workers=1, on_start=started.append)) as executor:
            for i, name in enumerate(names):
                data = WRITTEN[name](i).hex() if name in WRITTEN else ""
                executor.submit([segment(i, until=5, config={"does": name, "writes": data})])
                reports, outcomes = drain(executor)
                found[name] = outcomes[0, i], reports
    assert_all_gone(started)
    yield found


@pytest.mark.parametrize("deed", REASONS)
def test_a_worker_that_garbles_its_channel_fails_its_own_trial(ended, deed: str) -> None:
    outcome, _ = ended[deed]
    assert outcome.status == "failed"
    assert REASONS[deed] in outcome.reason
    assert len(outcome.reason) < 1000


@pytest.mark.parametrize(
    ("deed", "epochs"), [(GOOD[0], [1, 5]), (GOOD[1], [1, 2, 3, 5]), (GOOD[2], [5])], ids=GOOD
)
def test_threads_and_children_do_not_disturb_a_trial(ended, deed: str, epochs: list[int]) -> None:
    outcome, reports = ended[deed]
    assert (outcome.status, outcome.reason) == ("finished", "")
    assert [report.epoch for report in reports] == epochs


# -- the channel


def ends() -> tuple[Channel, Channel]:
    ours, theirs = pair()
    return ours, Channel(theirs)


def test_what_a_process_says_arrives_as_it_was_said() -> None:
    tied = torch.arange(6.0).reshape(2, 3)
    state = {"w": tied, "same": tied, "turned": tied.t(), "sparse": torch.eye(3).to_sparse()}
    report = Report(1, 2, 3, {"loss": 0.1 + 0.2, "other": float("nan")}, 1e-9)
    said = [
        Ready("\udcff no such module"),
        messages.Heartbeat((1, 2), 3),
        Reported(report, pack(state), "no reason"),
        Ended((1, 2), 3, final=Reported(report), seconds=0.5, is_spent=True),
    ]
    ours, theirs = ends()
    with closing(ours), closing(theirs):
        for message in said:
            messages.say(theirs, message)
        got = [messages.from_worker(frame) for frame in ours.arrived()]
    assert repr([got[0], got[1], got[3]]) == repr([said[0], said[1], said[3]])
    arrived = got[2].state
    assert repr(got[2].report) == repr(report)
    assert {name: torch.equal(arrived[name].to_dense(), state[name].to_dense()) for name in state}
    assert arrived["same"].data_ptr() == arrived["w"].data_ptr()
    assert arrived["turned"].stride() == (1, 3)


def test_what_a_fork_server_says_arrives_as_it_was_said() -> None:
    said = [Spawned(7), Refused("no room"), Exited(7, -9, "", "\ufffd so long")]
    ours, theirs = ends()
    with closing(ours), closing(theirs):
        for message in said:
            messages.say(theirs, message)
        assert [messages.from_server(frame) for frame in ours.arrived()] == said


@settings(max_examples=50)
@given(st.binary(max_size=80), st.integers(0, 40), st.booleans())
def test_no_bytes_are_taken_for_a_message(data: bytes, cut: int, begins_well: bool) -> None:
    if begins_well:
        data = framed(json.dumps({"kind": "Ready", "at": 1.0}).encode())[:cut] + data
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with closing(Channel(ours)) as channel, theirs:
        theirs.sendall(data)
        with suppress(Garbled):
            for frame in channel.arrived():
                messages.from_worker(frame)
            assert channel.half_since is not None or not data


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_a_message_of_the_wrong_shape_is_garbled(value: object) -> None:
    for name in ("kind", "key", "epoch", "metrics", "seconds", "at"):
        fields = {"kind": "Reported", "key": [0, 1], "epoch": 1, "metrics": {}, "seconds": 1.0}
        text = json.dumps({**fields, "at": 1.0, name: value}).encode()
        try:
            said = messages.from_worker(Frame(text))
        except Garbled:
            continue
        assert type(said) in (Reported, Ready)


def test_a_process_that_does_not_read_holds_nobody_up() -> None:
    ours, theirs = ends()
    big = Frame(b"", b"x" * 5_000_000)
    with closing(ours), closing(theirs):
        ours.post(big)
        ours.post(Frame(b"last"))
        assert ours.is_waiting
        got: list[Frame] = []
        reader = threading.Thread(target=lambda: got.extend(theirs.receive() for _ in range(2)))
        reader.start()
        while ours.is_waiting:
            ours.flush()
            time.sleep(0.001)
        reader.join()
    assert got == [big, Frame(b"last")]


def test_half_a_message_of_a_process_that_was_killed_is_no_message() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with closing(Channel(ours)) as channel:
        theirs.sendall(framed(b"{}", b"state")[:-2])
        theirs.close()
        assert channel.arrived() == []
        assert channel.is_over
        assert channel.half_since is None
