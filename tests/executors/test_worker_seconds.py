"""What trials in worker processes are said to have cost, the failed ones included."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from waiting import SPACE, drain, epochs, segment

from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.problems.function import FunctionProblem

NAP = 0.4


def ends_badly() -> Callable[..., object]:
    """A function that works for a while and then fails as its configuration says."""

    def f(config, report):
        report(1, 0.5)
        time.sleep(NAP)
        if config["how"] == "raises":
            raise ValueError("bad width")
        if config["how"] == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if config["how"] == "eats memory":
            blocks = [b"x" * 10_000_000 for _ in range(200)]
            time.sleep(60)
            return len(blocks)
        if config["how"] == "hangs":
            time.sleep(60)
        return float("nan")

    return f


def naps() -> Callable[..., object]:
    """A function whose every epoch takes as long as the others."""

    def f(config, report):
        for epoch in range(1, report.until + 1):
            time.sleep(NAP)
            report(epoch, config["x"])

    return f


@pytest.mark.parametrize("lock_step", [True, False], ids=["lock-step", "asynchronous"])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "bad width"),
        ("is killed", "SIGKILL"),
        ("eats memory", "out of memory"),
        ("hangs", "timeout"),
        ("returns", "returned nan"),
    ],
)
def test_a_failed_trial_has_the_seconds_since_its_last_report(
    how: str, reason: str, lock_step: bool
) -> None:
    options = {"memory": "600 MB"} if how == "eats memory" else {"timeout": 2.0}
    problem = FunctionProblem(ends_badly(), SPACE, max_epochs=3, **options)
    with closing(ProcessExecutor(problem, workers=1, lock_step=lock_step)) as executor:
        executor.submit([segment(0, until=3, config={"how": how})])
        reports, outcomes = drain(executor)
    assert [report.epoch for report in reports] == [1]
    assert reason in outcomes[0, 0].reason
    least = 2.0 if how == "hangs" else NAP
    assert least <= outcomes[0, 0].seconds < least + 3


def test_a_trial_that_dies_in_its_report_has_cost_nothing_since() -> None:
    problem = FunctionProblem(ends_badly(), SPACE, max_epochs=3)
    with closing(ProcessExecutor(problem, workers=1)) as executor:
        executor.submit([segment(0, until=3, config={"how": "returns"})])
        executor.poll()
        (worker,) = executor._running.values()
        time.sleep(NAP)
        os.kill(worker.id.pid, signal.SIGKILL)
        time.sleep(NAP)
        _, outcomes = drain(executor)
    assert outcomes[0, 0].status == "failed"
    assert outcomes[0, 0].seconds < NAP


def test_a_function_that_cannot_be_loaded_costs_the_time_of_trying() -> None:
    class Unloadable:
        def __reduce__(self):
            return eval, ("__import__('time').sleep(0.4) or 1 / 0",)

    bad = Unloadable()
    problem = FunctionProblem(lambda config: bad, SPACE)
    with closing(ProcessExecutor(problem, workers=1)) as executor:
        executor.submit([segment(0)])
        _, outcomes = drain(executor)
    assert "ZeroDivisionError" in outcomes[0, 0].reason
    assert outcomes[0, 0].seconds >= 0.4


def test_lock_step_seconds_are_shares_of_the_wall_time() -> None:
    problem = FunctionProblem(naps(), SPACE, max_epochs=3)
    with closing(ProcessExecutor(problem, workers=4)) as executor:
        executor.submit([segment(i, until=3) for i in range(4)])
        executor.poll()  # starts the processes
        began = time.perf_counter()
        reports = executor.poll().reports
        wall = time.perf_counter() - began
    assert len(reports) == 4
    assert sum(report.seconds for report in reports) == pytest.approx(wall, abs=0.1)
    for report in reports:
        assert report.seconds == pytest.approx(NAP / 4, rel=0.5)


def test_one_worker_gives_each_trial_its_own_time() -> None:
    problem = FunctionProblem(naps(), SPACE, max_epochs=2)
    with closing(ProcessExecutor(problem, workers=1)) as executor:
        executor.submit([segment(i, until=2) for i in range(2)])
        reports, outcomes = drain(executor)
    assert all(report.seconds == pytest.approx(NAP, rel=0.5) for report in reports)
    assert {outcome.seconds for outcome in outcomes.values()} == {0.0}


def test_asynchronous_seconds_are_those_of_the_epoch() -> None:
    problem = FunctionProblem(naps(), SPACE, max_epochs=2)
    with closing(ProcessExecutor(problem, workers=3, lock_step=False)) as executor:
        executor.submit([segment(i, until=2) for i in range(3)])
        reports, _ = drain(executor)
    assert len(reports) == 6
    assert all(NAP <= report.seconds < 2 * NAP for report in reports)


def advances(
    executor: ProcessExecutor, sizes: dict[int, int]
) -> dict[int, list[list[tuple[int, int]]]]:
    """What each run sees: its trials and their epochs, poll by poll."""
    untils = {run: [3 + i % 2 for i in range(size)] for run, size in sizes.items()}
    executor.submit(
        [segment(i, run=run, until=until) for run in sizes for i, until in enumerate(untils[run])]
    )
    seen: dict[int, list[list[tuple[int, int]]]] = {run: [] for run in sizes}
    while poll := executor.poll():
        if not poll.reports:
            return seen
        for run in {report.run for report in poll.reports}:
            seen[run].append([(r.trial, r.epoch) for r in poll.reports if r.run == run])
    return seen


@pytest.mark.parametrize("workers", [1, 3])
def test_how_a_run_advances_depends_on_no_other_run(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = FunctionProblem(epochs(), SPACE, max_epochs=9)
    with closing(ProcessExecutor(problem, workers=workers)) as executor:
        monkeypatch.setattr(executor, "_most", 4)
        together = advances(executor, {1: 3, 0: 2, 3: 6, 2: 4})
        alone = {run: advances(executor, {run: n})[run] for run, n in {0: 2, 1: 3, 2: 4}.items()}
        alone[3] = advances(executor, {3: 6})[3]
    assert together == alone


def test_a_restart_lets_the_same_trials_of_a_large_run_advance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = FunctionProblem(epochs(), SPACE, max_epochs=9)
    untils = [3, 2, 5, 4, 3, 2, 4]

    def polls(executor: ProcessExecutor, known: dict[int, int]) -> list[list[tuple[int, int]]]:
        executor.submit(
            [
                segment(i, until=until, known=known.get(i, 0))
                for i, until in enumerate(untils)
                if known.get(i, 0) < until
            ]
        )
        rows = []
        while reports := executor.poll().reports:
            rows.append([(report.trial, report.epoch) for report in reports])
        return rows

    with closing(ProcessExecutor(problem, workers=2)) as executor:
        monkeypatch.setattr(executor, "_most", 3)
        whole = polls(executor, {})
        for cut in range(1, len(whole)):
            known = {trial: epoch for row in whole[:cut] for trial, epoch in row}
            assert polls(executor, known) == whole[cut:]
