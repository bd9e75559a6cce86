"""Worker processes: who is let go on and when, and that they give what this process gives."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import torch
from waiting import SPACE, assert_all_gone, drain, is_gone, plain, segment, values

from hpo_research.device import Compute
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.executors.protocol import Poll
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Direction, Outcome, Report, Segment
from hpo_research.space import SearchSpace


@dataclasses.dataclass(frozen=True)
class Walk:
    """A problem that is no function: a random walk that can be trained on from a state."""

    name: str = "walk"
    space: SearchSpace = SPACE
    metric: str = "loss"
    direction: Direction = "minimize"
    max_epochs: int = 6
    can_resume: bool = True
    optimum: float | None = None
    has_recorded_seconds: bool = False

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        states = {s.key: torch.zeros(3) if s.state is None else s.state["w"] for s in segments}
        live = {s.key: s for s in segments}
        epoch = 0
        while live:
            epoch += 1
            reports = []
            for key, s in live.items():
                at = s.start + epoch
                noise = s.stream.at("step", at).normal(3, like=states[key])
                states[key] = w = torch.tanh(states[key] + noise * float(s.config["x"]))
                metrics = {"loss": float(w.sum())}
                reports.append(Report(*key, at, metrics, state=lambda w=w: {"w": w}))
            dropped = (yield reports) or ()
            live = {
                key: s
                for key, s in live.items()
                if key not in dropped and s.start + epoch < s.until
            }


def deeds() -> Callable[..., object]:
    """A function whose configuration says what it does. Local, so it is sent by value."""

    def counts(config, report):
        for epoch in range(report.start + 1, report.until + 1):
            if not report(epoch, config["x"] + 1 / epoch):
                return

    def sleeps(config, report):
        for epoch in range(1, report.until + 1):
            time.sleep(config["x"])
            report(epoch, config["x"])

    def logs(config, report):
        for epoch in range(1, report.until + 1):
            with open(config["log"], "a") as file:
                file.write(f"{epoch}\n")
            report(epoch, os.getpid())

    def obeys(config, report):
        for epoch in range(1, report.until + 1):
            if not report(epoch, os.getpid()):
                with open(config["log"], "a") as file:
                    file.write("told\n")
                return

    def sticks(config, report):
        report(1, os.getpid())
        time.sleep(600)

    def threads(config, report):
        import torch

        return {"loss": torch.get_num_threads(), "env": float(os.environ["OMP_NUM_THREADS"])}

    def draws(config, report):
        import random

        import numpy as np

        report(1, {"loss": np.random.random(), "python": random.random()})

    named = {f.__name__: f for f in (counts, sleeps, logs, obeys, sticks, threads, draws)}
    return lambda config, report: named[config["does"]](config, report)


def doing(trial: int, deed: str, until: int = 9, **fields) -> Segment:
    known = fields.pop("known", 0)
    return segment(trial, until=until, known=known, config={"does": deed, **fields})


def workers(count: int, lock_step: bool) -> Iterator[ProcessExecutor]:
    started: list[ProcessId] = []
    problem = FunctionProblem(deeds(), SPACE, max_epochs=9)
    executor = ProcessExecutor(problem, workers=count, lock_step=lock_step, on_start=started.append)
    with closing(executor):
        yield executor
    assert_all_gone(started)


@pytest.fixture(scope="module")
def lone() -> Iterator[ProcessExecutor]:
    yield from workers(1, lock_step=True)


@pytest.fixture(scope="module")
def three() -> Iterator[ProcessExecutor]:
    yield from workers(3, lock_step=True)


@pytest.fixture(scope="module")
def racing() -> Iterator[ProcessExecutor]:
    yield from workers(2, lock_step=False)


@pytest.fixture(params=["lone", "three"])
def executor(request: pytest.FixtureRequest) -> Iterator[ProcessExecutor]:
    """A lock-step executor, with nothing running before and after."""
    executor = request.getfixturevalue(request.param)
    assert executor.poll() == Poll()
    yield executor
    executor.stop(list(executor._running))
    executor.poll()


def test_lock_step_advances_every_trial_by_one_epoch_in_order(executor: ProcessExecutor) -> None:
    untils = [2, 3, 9, 2, 3]
    segments = [doing(i, "counts", until, x=0.1 * i) for i, until in enumerate(untils)]
    executor.submit([dataclasses.replace(s, run=s.trial % 2) for s in segments])
    keys = sorted((i % 2, i) for i in range(5))
    for epoch in range(1, 10):
        poll = executor.poll()
        expected = [(run, i, epoch) for run, i in keys if epoch <= untils[i]]
        assert [(r.run, r.trial, r.epoch) for r in poll.reports] == expected
        ended = [
            Outcome(run, i, "finished" if epoch == 9 else "paused", epoch)
            for run, i in keys
            if epoch == untils[i]
        ]
        assert list(poll.outcomes) == ended
    assert executor.poll() == Poll()


def test_a_poll_out_of_time_returns_nothing_and_loses_nothing(executor: ProcessExecutor) -> None:
    executor.submit([doing(i, "sleeps", 2, x=0.8 * i) for i in range(2)])
    assert executor.poll(timeout=0.0) == Poll()
    assert executor.poll(timeout=0.2) == Poll()
    reports, _ = drain(executor)
    assert [(r.trial, r.epoch) for r in reports] == [(0, 1), (1, 1), (0, 2), (1, 2)]


def test_known_reports_are_silent(executor: ProcessExecutor) -> None:
    executor.submit([doing(i, "counts", x=0.5, known=known) for i, known in enumerate([7, 9])])
    first = executor.poll()
    assert [(r.trial, r.epoch) for r in first.reports] == [(0, 8)]
    assert first.outcomes == (Outcome(0, 1, "finished", 9),)
    reports, outcomes = drain(executor)
    assert [(r.trial, r.epoch) for r in reports] == [(0, 9)]
    assert outcomes == {(0, 0): Outcome(0, 0, "finished", 9)}


def test_a_stop_ends_what_waits_in_the_queue_and_keeps_what_was_reported(
    three: ProcessExecutor,
) -> None:
    configs = [0.0, 0.5, 0.0]
    three.submit([doing(i, "sleeps", 2, x=x) for i, x in enumerate(configs)])
    three.stop([(0, 2)])
    while not three._reports:
        three.poll(timeout=0.05)
    three.stop([(0, 0)])
    poll = three.poll()
    assert [(r.trial, r.epoch) for r in poll.reports] == [(0, 1), (1, 1)]
    assert poll.ended == ((0, 0), (0, 2))
    reports, outcomes = drain(three)
    assert [(r.trial, r.epoch) for r in reports] == [(1, 2)]
    assert list(outcomes) == [(0, 1)]


def test_a_stopped_trial_has_ended_when_it_has_returned_and_its_worker_is_used_again(
    lone: ProcessExecutor, tmp_path: Path
) -> None:
    lone.submit([doing(0, "obeys", log=str(tmp_path / "log"))])
    (report,) = lone.poll().reports
    lone.stop([(0, 0), (9, 9)])
    assert lone.poll() == Poll(ended=((0, 0),))
    assert (tmp_path / "log").read_text() == "told\n"
    assert lone.poll() == Poll()
    lone.submit([doing(1, "obeys", 2, log=str(tmp_path / "log"))])
    assert [(r.trial, r.metrics) for r in lone.poll().reports] == [(1, report.metrics)]
    lone.stop([(0, 1)])
    assert lone.poll().ended == ((0, 1),)


def test_a_function_that_ignores_the_stop_ends_at_its_next_report(
    lone: ProcessExecutor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    lone.submit([doing(0, "logs", log=str(log))])
    lone.poll()
    lone.stop([(0, 0)])
    assert lone.poll() == Poll(ended=((0, 0),))
    assert log.read_text() == "1\n2\n"


def test_what_a_trial_reports_after_it_was_stopped_counts_until_it_has_ended(
    racing: ProcessExecutor,
) -> None:
    racing.submit([doing(0, "sleeps", 3, x=0.3)])
    while not any(worker.can_begin for worker in racing._running.values()):
        racing.poll(timeout=0.02)
    time.sleep(0.1)
    racing.stop([(0, 0)])
    poll = racing.poll()
    assert [(r.trial, r.epoch) for r in poll.reports] == [(0, 1)]
    assert (poll if poll.ended else racing.poll()).ended == ((0, 0),)


@pytest.mark.parametrize("is_parked", [True, False], ids=["in its report", "computing"])
def test_a_function_that_does_not_return_when_stopped_is_killed(
    racing: ProcessExecutor, is_parked: bool
) -> None:
    racing.submit([doing(0, "sticks")])
    (report,) = racing.poll().reports
    if not is_parked:
        assert racing.poll(timeout=0.1) == Poll()
    began = time.monotonic()
    racing.stop([(0, 0)])
    assert racing.poll(timeout=0.1) == Poll()
    assert not is_gone(int(report.metrics["loss"]), within=0.1)
    assert racing.poll() == Poll(ended=((0, 0),))
    assert 1.9 < time.monotonic() - began < 10
    assert is_gone(int(report.metrics["loss"]))


def test_a_slow_trial_does_not_hold_up_the_others_asynchronously(racing: ProcessExecutor) -> None:
    racing.submit([doing(0, "sleeps", 3, x=1.5)])
    racing.submit([doing(i, "sleeps", 3, x=0.0) for i in (1, 2)])
    reports, outcomes = drain(racing)
    order = [(report.trial, report.epoch) for report in reports]
    assert order.index((2, 3)) < order.index((0, 1))
    assert list(outcomes)[-1] == (0, 0)
    assert sorted(order) == [(i, epoch) for i in range(3) for epoch in (1, 2, 3)]


def test_a_trial_goes_on_at_the_poll_after_its_report(
    racing: ProcessExecutor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    racing.submit([doing(0, "logs", 3, log=str(log))])
    assert [r.epoch for r in racing.poll().reports] == [1]
    time.sleep(0.3)
    assert log.read_text() == "1\n"
    reports, _ = drain(racing)
    assert [r.epoch for r in reports] == [2, 3]


def test_workers_do_not_share_the_global_random_numbers(three: ProcessExecutor) -> None:
    three.submit([doing(i, "draws", 2) for i in range(3)])
    reports = three.poll().reports
    for name in ("loss", "python"):
        assert len({report.metrics[name] for report in reports}) == 3
    three.stop([(0, i) for i in range(3)])
    assert len(three.poll().ended) == 3


def test_workers_have_one_thread(lone: ProcessExecutor) -> None:
    lone.submit([doing(0, "threads", 1)])
    reports, _ = drain(lone)
    assert [report.metrics for report in reports] == [{"loss": 1, "env": 1}]


def test_workers_have_the_threads_they_were_given() -> None:
    problem = FunctionProblem(deeds(), SPACE, max_epochs=9)
    with closing(ProcessExecutor(problem, workers=1, compute=Compute(threads=2))) as executor:
        executor.submit([doing(0, "threads", 1)])
        reports, _ = drain(executor)
    assert [report.metrics for report in reports] == [{"loss": 2, "env": 2}]


def test_more_trials_than_may_be_under_way_wait_for_their_turn(
    executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_most", 2)
    executor.submit([doing(i, "counts", 2, x=0.0) for i in range(5)])
    polls = [[(r.trial, r.epoch) for r in executor.poll().reports] for _ in range(5)]
    assert polls == [
        [(0, 1), (1, 1)],
        [(0, 2), (1, 2), (2, 1), (3, 1)],
        [(2, 2), (3, 2), (4, 1)],
        [(4, 2)],
        [],
    ]


def test_one_worker_and_three_give_the_same_polls(
    lone: ProcessExecutor, three: ProcessExecutor
) -> None:
    polls = []
    for executor in (lone, three):
        executor.submit([doing(i, "counts", 1 + i % 4, x=0.3 * i) for i in range(7)])
        polls.append([executor.poll() for _ in range(5)])
    one, several = polls
    assert [plain(poll.reports) for poll in one] == [plain(poll.reports) for poll in several]
    assert [poll.outcomes for poll in one] == [poll.outcomes for poll in several]


def test_any_problem_gives_in_a_worker_what_it_gives_in_this_process() -> None:
    segments = [segment(i, until=3) for i in range(3)]
    here = [report for reports in Walk().evaluate(segments) for report in reports]
    with closing(ProcessExecutor(Walk(), workers=2)) as executor:
        executor.submit(segments)
        there, outcomes = drain(executor)
        assert values(there) == values(here)
        assert {o.status for o in outcomes.values()} == {"paused"}
        states = {r.trial: r.state() for r in there if r.epoch == 3 and r.state is not None}
        later = [segment(i, start=3, until=6, known=3, state=states[i]) for i in range(3)]
        executor.submit(later)
        continued, _ = drain(executor)
    whole = Walk().evaluate([segment(i, until=6) for i in range(3)])
    assert values([*there, *continued]) == values([r for reports in whole for r in reports])


def test_a_function_finds_its_files_and_its_epoch_when_it_is_resumed(tmp_path: Path) -> None:
    def f(config, report):
        file = report.folder / "deep" / "total.txt"
        total = float(file.read_text()) if report.start else 0.0
        assert report.start or not any(report.folder.iterdir())
        for epoch in range(report.start + 1, report.until + 1):
            total += config["x"] * epoch
            file.parent.mkdir(exist_ok=True)
            file.write_text(repr(total))
            report(epoch, total)

    problem = FunctionProblem(f, SPACE, max_epochs=9, can_resume=True)
    with closing(ProcessExecutor(problem, workers=2)) as executor:
        executor.submit([segment(1, until=9, run=2)])
        whole, outcomes = drain(executor)
        assert outcomes == {(2, 1): Outcome(2, 1, "finished", 9)}
        assert whole[-1].state is None
        for run, folder in enumerate([str(tmp_path), None]):
            executor.submit([segment(1, until=3, run=run, folder=folder)])
            early, _ = drain(executor)
            state = early[-1].state
            assert state is not None and early[0].state is None
            later = {"start": 3, "until": 9, "known": 3, "state": state()}
            executor.submit([segment(1, run=run, folder=folder, **later)])
            late, outcomes = drain(executor)
            assert outcomes == {(run, 1): Outcome(run, 1, "finished", 9)}
            assert [(r.epoch, r.metrics) for r in [*early, *late]] == [
                (r.epoch, r.metrics) for r in whole
            ]
    assert list(tmp_path.iterdir()) == []
