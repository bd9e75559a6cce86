"""A user's function behind a wrapper has the limits and the files that it has by itself."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from waiting import SPACE, drain, segment

from hpo_research.executors.processes import worker
from hpo_research.executors.processes.channel import Channel
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.messages import Answer, Ended, Reported, from_worker, tell
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Problem
from hpo_research.problems.wrappers import Discretised, Noisy
from hpo_research.records import Segment

WRAPPERS: dict[str, Callable[[Problem], Problem]] = {
    "alone": lambda problem: problem,
    "noisy": lambda problem: Noisy(problem, 0.0),
    "discretised": lambda problem: Discretised(problem, 8),
    "both": lambda problem: Noisy(Discretised(problem, 8), 0.0),
}


def fails() -> Callable[..., object]:
    """A function that fails as its trial's configuration says."""

    def f(config, report):
        report(1, 0.5)
        if config["how"] == "hangs":
            time.sleep(60)
        if config["how"] == "eats memory":
            blocks = [b"x" * 10_000_000 for _ in range(200)]
            time.sleep(60)
            return len(blocks)
        if config["how"] == "raises":
            raise ValueError("bad width")
        return float("nan")

    return f


def totals() -> Callable[..., object]:
    """A function that cannot be right unless it finds its files."""

    def f(config, report):
        file = report.folder / "total.txt"
        total = float(file.read_text()) if report.start else 0.0
        for epoch in range(report.start + 1, report.until + 1):
            total += config["x"] * epoch
            file.write_text(repr(total))
            report(epoch, {"loss": total, "place": float("/trial/files" in str(file))})

    return f


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_limits_and_reasons_are_kept(wrapper: str) -> None:
    problem = FunctionProblem(fails(), SPACE, max_epochs=3, timeout=3, memory="800 MB")
    reasons = {
        "hangs": "timeout: no report and no return for 3 seconds",
        "eats memory": "the limit is 0.80 GB",
        "raises": "ValueError: bad width (test_behind_wrappers.py:",
        "returns": "returned nan for 'loss', expected a finite number",
    }
    with closing(ProcessExecutor(WRAPPERS[wrapper](problem), workers=2)) as executor:
        executor.submit([segment(i, until=3, config={"how": how}) for i, how in enumerate(reasons)])
        _, outcomes = drain(executor)
    for trial, reason in enumerate(reasons.values()):
        assert outcomes[0, trial].status == "failed"
        assert reason in outcomes[0, trial].reason


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_resumed_function_finds_its_files(wrapper: str, tmp_path: Path) -> None:
    problem = WRAPPERS[wrapper](FunctionProblem(totals(), SPACE, max_epochs=9, can_resume=True))
    folder = str(tmp_path / "trial")
    with closing(ProcessExecutor(problem, workers=1)) as executor:
        executor.submit([segment(1, until=3, folder=folder)])
        early, _ = drain(executor)
        state = early[-1].state
        assert state is not None
        later = {"start": 3, "known": 3, "state": state(), "folder": folder}
        executor.submit([segment(1, until=9, **later)])
        late, _ = drain(executor)
    joined = [*early, *late]
    assert [report.metrics["loss"] for report in joined] == pytest.approx(
        [sum(range(1, epoch + 1)) / 8 for epoch in range(1, 10)]
    )
    assert {report.metrics["place"] for report in joined} == {1.0}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def said(problem: Problem, work: Segment) -> list[Reported | Ended]:
    """What a worker says about a segment."""
    ours, theirs = map(Channel, socket.socketpair())
    turn = worker._Turn(theirs, problem, work, "cpu")
    thread = threading.Thread(target=turn.train)
    thread.start()
    messages: list[Reported | Ended] = []
    with closing(ours), closing(theirs):
        while not messages or not isinstance(messages[-1], Ended):
            messages.append(from_worker(ours.receive()))
            if isinstance(messages[-1], Reported):
                tell(ours, Answer(True))
        thread.join()
    return messages


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_states_come_within_a_segment_that_trains_to_the_last_epoch(
    wrapper: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def totals(config, report):
        file = report.folder / "total.txt"
        total = float(file.read_text()) if report.start else 0.0
        for epoch in range(report.start + 1, report.until + 1):
            total += config["x"] * epoch
            file.write_text(repr(total))
            time.sleep(0.01)
            report(epoch, total)

    problem = WRAPPERS[wrapper](FunctionProblem(totals, SPACE, max_epochs=5, can_resume=True))
    folder = str(tmp_path / "trial")
    monkeypatch.setattr(worker, "STATE_SECONDS", -1.0)
    *reports, ended = said(problem, segment(1, until=5, folder=folder))
    assert isinstance(ended, Ended) and ended.final is not None
    assert ended.final.state is None
    assert len(reports) == 4
    for report in reports:
        work = {"start": report.report.epoch, "known": report.report.epoch}
        *_, again = said(problem, segment(1, until=5, folder=folder, state=report.state, **work))
        assert again.final.report.metrics == ended.final.report.metrics
    monkeypatch.setattr(worker, "STATE_SECONDS", 30.0)
    *reports, _ = said(problem, segment(1, until=5, folder=folder))
    assert {report.state for report in reports} == {None}
