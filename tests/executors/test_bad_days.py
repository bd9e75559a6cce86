"""Bad days: whatever a user's function does wrong is a failed outcome, and nothing stays behind."""

import dataclasses
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from waiting import SPACE, assert_all_gone, drain, is_gone, segment

from hpo_research.errors import MachineError, ProblemError
from hpo_research.executors.processes import process_tree
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.problems.function import FunctionProblem
from hpo_research.records import Outcome, Report

MEMORY = "600 MB"
TIMEOUT = 8


def bad_days() -> Callable[[dict], object]:
    """A function whose configuration says what it does wrong. Local, so it is sent by value."""

    def raises():
        raise ValueError("bad width")

    def hangs():
        while True:
            time.sleep(1)

    def eats_memory():
        blocks = []
        while True:
            blocks.append(b"x" * 10_000_000)

    def child_eats_memory():
        code = "import time; b = [b'x' * 50_000_000 for _ in range(12)]; time.sleep(600)"
        subprocess.run([sys.executable, "-c", code])
        return 1.0

    def kills_itself():
        os.kill(os.getpid(), signal.SIGKILL)

    def segfaults():
        os.kill(os.getpid(), signal.SIGSEGV)

    def exits():
        print("so long")
        os._exit(3)

    def interrupts():
        raise KeyboardInterrupt

    def shouts():
        for _ in range(2000):
            print("x" * 1000)
            os.write(1, b"\x00\xff" * 500)
            os.write(2, b"\x00\xff" * 500)
        return 0.5

    def closes_everything():
        os.closerange(0, 100)
        return 1.0

    days = {
        "raises": raises,
        "hangs": hangs,
        "eats memory": eats_memory,
        "its child eats memory": child_eats_memory,
        "kills itself": kills_itself,
        "segfaults": segfaults,
        "exits": exits,
        "calls sys.exit": lambda: sys.exit(2),
        "interrupts": interrupts,
        "shouts": shouts,
        "closes everything": closes_everything,
        "returns text": lambda: "0.5",
        "returns None": lambda: None,
        "returns NaN": lambda: float("nan"),
        "returns inf": lambda: float("inf"),
        "returns a truth value": lambda: True,
        "returns a dict without the metric": lambda: {"accuracy": 0.5},
        "returns what cannot be pickled": lambda: threading.Lock(),
        "returns a list": lambda: [0.5],
        "returns": lambda: 0.5,
    }
    return lambda config: days[config["day"]]()


BAD_DAYS = {
    "raises": r"ValueError: bad width \(test_bad_days.py:\d+, raises: raise ValueError",
    "hangs": r"timeout: no report and no return for 8 seconds",
    "eats memory": r"out of memory: it used 0\.\d\d GB, the limit is 0.60 GB",
    "its child eats memory": r"out of memory: it used \d\.\d\d GB, the limit is 0.60 GB",
    "kills itself": r"killed by SIGKILL",
    "segfaults": r"killed by SIGSEGV",
    "exits": r"ended itself with exit code 3; it printed last: so long",
    "calls sys.exit": r"SystemExit: 2",
    "interrupts": r"KeyboardInterrupt",
    "closes everything": r"the process closed or overwrote its connection to the experiment",
    "returns text": r"returned the string '0.5' for 'loss', expected a number",
    "returns None": r"returned None for 'loss', expected a number",
    "returns NaN": r"returned nan for 'loss', expected a finite number",
    "returns inf": r"returned inf for 'loss', expected a finite number",
    "returns a truth value": r"returned True for 'loss', expected a number",
    "returns a dict without the metric": r"returned a dict of \[accuracy\], without .* 'loss'",
    "returns what cannot be pickled": r"returned a lock for 'loss', expected a number",
    "returns a list": r"returned a list for 'loss', expected a number",
}
GOOD_DAYS = ("shouts", "returns")


@pytest.fixture(scope="module")
def bad_outcomes() -> Iterator[dict[str, tuple[Outcome, list[Report]]]]:
    """All bad days, side by side in three workers."""
    started: list[ProcessId] = []
    problem = FunctionProblem(bad_days(), SPACE, timeout=TIMEOUT, memory=MEMORY)
    executor = ProcessExecutor(problem, workers=3, lock_step=False, on_start=started.append)
    days = [*BAD_DAYS, *GOOD_DAYS]
    with closing(executor):
        executor.submit([segment(i, config={"day": day}) for i, day in enumerate(days)])
        reports, outcomes = drain(executor)
    assert_all_gone(started)
    yield {
        day: (outcomes[(0, i)], [report for report in reports if report.trial == i])
        for i, day in enumerate(days)
    }


@pytest.mark.parametrize("day", BAD_DAYS)
def test_a_bad_day_is_a_failed_outcome_with_its_reason(bad_outcomes, day: str) -> None:
    outcome, reports = bad_outcomes[day]
    assert (outcome.status, outcome.epoch, reports) == ("failed", 0, [])
    with pytest.raises(RuntimeError, match=BAD_DAYS[day]):
        raise RuntimeError(outcome.reason)
    assert str(Path.cwd()) not in outcome.reason


@pytest.mark.parametrize("day", GOOD_DAYS)
def test_bad_days_do_not_spoil_the_others(bad_outcomes, day: str) -> None:
    outcome, reports = bad_outcomes[day]
    assert outcome == Outcome(*outcome.key, "finished", 1)
    assert [report.metrics for report in reports] == [{"loss": 0.5}]
    assert reports[0].seconds > 0


def test_a_function_that_cannot_be_pickled_is_refused_at_submit() -> None:
    lock = threading.Lock()
    executor = ProcessExecutor(FunctionProblem(lambda config: lock, SPACE), workers=1)
    with (
        closing(executor),
        pytest.raises(ProblemError, match="function cannot be sent to a worker"),
    ):
        executor.submit([segment(0)])


def test_a_function_that_cannot_be_loaded_fails_its_trials() -> None:
    class Stubborn:
        def __call__(self, config):
            return 0.0

        def __reduce__(self):
            return (exec, ("raise ImportError('no module named nothing')",))

    with closing(ProcessExecutor(FunctionProblem(Stubborn(), SPACE), workers=2)) as executor:
        executor.submit([segment(i) for i in range(3)])
        reports, outcomes = drain(executor)
    assert reports == []
    assert [o.status for o in outcomes.values()] == ["failed"] * 3
    with pytest.raises(RuntimeError, match="could not load the function: ImportError: no module"):
        raise RuntimeError(outcomes[(0, 1)].reason)


def test_what_a_function_starts_ends_with_its_worker(tmp_path: Path) -> None:
    def f(config):
        child = subprocess.Popen(["sleep", "600"], start_new_session=config["x"] > 0.5)
        Path(config["note"]).write_text(str(child.pid))
        if config["hangs"]:
            time.sleep(600)
        return 1.0

    configs = [
        {"x": x, "hangs": hangs, "note": str(tmp_path / f"{x}{hangs}")}
        for x in (0.0, 1.0)
        for hangs in (False, True)
    ]
    with closing(ProcessExecutor(FunctionProblem(f, SPACE, timeout=2), workers=4)) as executor:
        executor.submit([segment(i, config=config) for i, config in enumerate(configs)])
        _, outcomes = drain(executor)
        statuses = [outcomes[(0, i)].status for i in range(4)]
        assert statuses == ["finished", "failed", "finished", "failed"]
        assert all(is_gone(int(path.read_text())) for path in tmp_path.iterdir())


def test_a_timeout_counts_from_the_last_report() -> None:
    def f(config, report):
        for epoch in (1, 2, 3):
            time.sleep(0.8 if epoch < 3 else 600)
            report(epoch, 0.0)

    problem = FunctionProblem(f, SPACE, max_epochs=3, timeout=1.5)
    with closing(ProcessExecutor(problem, workers=1)) as executor:
        executor.submit([segment(0, until=3)])
        reports, outcomes = drain(executor)
    assert [r.epoch for r in reports] == [1, 2]
    reason = "timeout: no report and no return for 1.5 seconds"
    assert dataclasses.replace(outcomes[0, 0], seconds=0) == Outcome(0, 0, "failed", 2, reason)
    assert 1.5 <= outcomes[0, 0].seconds < 1.5 + 0.8


# -- where functions come from


def test_a_function_of_a_file_loaded_under_another_name_can_be_run(tmp_path: Path) -> None:
    file = tmp_path / "my experiment.py"
    file.write_text("SHIFT = 2\ndef inner(x):\n    return x + SHIFT\n"
                    "def loss(config):\n    return inner(config['x'])\n")  # fmt: skip
    spec = importlib.util.spec_from_file_location("experiment_file_of_a_test", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with closing(ProcessExecutor(FunctionProblem(module.loss, SPACE), workers=1)) as executor:
        executor.submit([segment(4)])
        reports, _ = drain(executor)
    del sys.modules[spec.name]
    assert [report.metrics["loss"] for report in reports] == [2.5]


SCRIPT = """
import os, sys, time
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.problems.function import FunctionProblem
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace

def loss(config, report, hangs="hang" in sys.argv):
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    report(1, {"loss": os.getpid(), "child": child.pid})
    time.sleep(600 if hangs else 0)
    report(2, 0.0)

problem = FunctionProblem(loss, SearchSpace(x=Float(0, 1)), max_epochs=2)
ids = []
executor = ProcessExecutor(problem, workers=2, on_start=lambda known: ids.append(known.pid))
executor.submit([Segment(0, i, {"x": 0.5}, 2, Stream(0)) for i in range(2)])
first = executor.poll()
pids = [int(r.metrics[name]) for r in first.reports for name in ("loss", "child")]
print(*ids, *pids, flush=True)
print(len(executor.poll().outcomes), flush=True)
executor.close()
"""


@pytest.mark.parametrize("way", ["a script without a main guard", "python -c"])
def test_functions_of_a_main_program_can_be_run(tmp_path: Path, way: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    arguments = [str(path)] if "script" in way else ["-c", SCRIPT]
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    first, second = done.stdout.splitlines()
    assert (second, done.stderr) == ("2", "")
    assert all(is_gone(int(pid)) for pid in first.split())


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    arguments = [sys.executable, str(path), "hang"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        time.sleep(0.3)
        alive = [pid for pid in pids if psutil.pid_exists(pid)]
        process.kill()
    assert len(pids) == 3 + 4  # the fork server, two workers; the workers again, their children
    assert alive == pids
    assert [pid for pid in pids if not is_gone(pid)] == []


def test_trials_fail_and_the_next_ones_run_when_the_fork_server_is_killed() -> None:
    def f(config, report):
        report(1, 0.0)
        time.sleep(config["x"])
        report(3, 0.0)

    started: list[ProcessId] = []
    problem = FunctionProblem(f, SPACE, max_epochs=3)
    with closing(ProcessExecutor(problem, workers=2, on_start=started.append)) as executor:
        executor.submit([segment(i, until=3, config={"x": 600}) for i in range(2)])
        executor.poll()
        os.kill(started[0].pid, signal.SIGKILL)
        _, outcomes = drain(executor)
        assert {o.status for o in outcomes.values()} == {"failed"}
        assert {o.reason for o in outcomes.values()} == {
            "the process that watches the workers was ended"
        }
        executor.submit([segment(2, until=3, config={"x": 0})])
        _, outcomes = drain(executor)
        assert outcomes == {(0, 2): Outcome(0, 2, "finished", 3)}
    assert_all_gone(started)


@pytest.mark.parametrize("program", ["false", "nothing of this name"])
def test_an_interpreter_that_cannot_start_is_an_error_and_costs_no_trial(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which(program) or program)
    with closing(
        ProcessExecutor(FunctionProblem(lambda config: 0.0, SPACE), workers=2)
    ) as executor:
        executor.submit([segment(i) for i in range(3)])
        with pytest.raises(MachineError, match="process"):
            drain(executor)


# -- survivors


@pytest.mark.parametrize(
    "case", ["the same", "an older one", "another host", "untagged", "a copy's"]
)
def test_only_a_process_that_is_certainly_ours_is_ended_as_a_survivor(case: str) -> None:
    environment = {**os.environ, process_tree.TAG: "64:1"}
    if case == "untagged":
        del environment[process_tree.TAG]
    owner = "64:2" if case == "a copy's" else "64:1"
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as process:
        known = process_tree.identity(process.pid)
        assert known is not None
        if case == "an older one":
            known = dataclasses.replace(known, created=known.created - 60)
        if case == "another host":
            known = dataclasses.replace(known, host="elsewhere")
        ended = process_tree.end_survivors([known], owner)
        if case == "the same":
            assert ended == [known]
            assert is_gone(process.pid)
        else:
            assert ended == []
            assert process.poll() is None
            process.kill()
    assert process_tree.end_survivors([known], owner) == []


@pytest.mark.parametrize("everywhere", [True, False])
def test_of_a_process_that_is_gone_all_that_carries_its_tag_can_be_ended(everywhere: bool) -> None:
    environment = {**os.environ, process_tree.TAG: "64:3"}
    with subprocess.Popen(["true"], env=environment, start_new_session=True) as process:
        known = process_tree.identity(process.pid)
    assert known is not None
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as process:
        process_tree.end_survivors([known], "64:4", everywhere=True)
        assert process.poll() is None
        process_tree.end_survivors([known], "64:3", everywhere=everywhere)
        assert is_gone(process.pid) is everywhere
        process.kill()
