"""Programs as problems: what they are handed, what is read of what they print, how they end."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

import hpo_research as hpo
from hpo_research.errors import ArgumentError, MachineError, ProblemError
from hpo_research.executors.scripts import ScriptExecutor, place
from hpo_research.jobs import arguments
from hpo_research.jobs.endings import ending_of
from hpo_research.jobs.jobs import Jobs
from hpo_research.jobs.keeper import JOB
from hpo_research.jobs.keeper import marked as marked_by_keeper
from hpo_research.jobs.lines import LONGEST, Lines
from hpo_research.jobs.metrics import Metrics
from hpo_research.problems.script import Script
from hpo_research.records import OPEN, Outcome, Report, Segment
from hpo_research.rng import Stream
from hpo_research.testing import problems as laws

SPACE = hpo.SearchSpace(lr=hpo.Float(0, 1), kind=hpo.Categorical(["a", "b"]))
CONFIG = {"lr": 0.25, "kind": "a"}
PYTHON = (sys.executable, "-I", "-S", "-u", "-c")
MARK = "HPO_TEST_MARK"


def script(code: str, **options) -> Script:
    """Return a script of Python code."""
    return Script((*PYTHON, dedent(code)), SPACE, **{"metrics": {"loss": r"loss=(\S+)"}, **options})


def segment(trial: int = 0, until: int = OPEN, known: int = 0) -> Segment:
    return Segment(1, trial, CONFIG, until, Stream(0).at("trial", trial), known=known)


@contextmanager
def opened(problem: Script, **options) -> Iterator[ScriptExecutor]:
    """Make an executor, and see that nothing of its programs is left behind."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    executor = ScriptExecutor(problem, inherited={**os.environ, MARK: mark}, **options)
    try:
        yield executor
        assert_empty(mark, but_for_the_keeper=True)
    finally:
        executor.close()
    assert_empty(mark)


def marked(mark: str) -> dict[int, bool]:
    """Return the processes with a mark that live, and whether each belongs to a job."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "environ").read_bytes()
            except OSError:  # gone, or somebody else's; of a zombie it is empty
                continue
            if f"{MARK}={mark}\0".encode() in words:
                found[int(process.name)] = f"{JOB}=".encode() in words
    return found


def assert_empty(mark: str, *, but_for_the_keeper: bool = False) -> None:
    left = [pid for pid, is_job in marked(mark).items() if is_job or not but_for_the_keeper]
    assert left == []


def drain(executor: ScriptExecutor, count: int = 1) -> tuple[list[Report], list[Outcome]]:
    """Poll until so many segments have ended."""
    reports, outcomes, ended = [], [], 0
    deadline = time.monotonic() + 60
    while ended < count:
        assert time.monotonic() < deadline, "the programs do not end"
        poll = executor.poll(1.0)
        reports += poll.reports
        outcomes += poll.outcomes
        ended += len(poll.outcomes) + len(poll.ended)
    return reports, outcomes


def trained(problem: Script, *, lock_step: bool = False, until: int = OPEN):
    """Train one segment; return its values and its outcome."""
    with opened(problem, lock_step=lock_step) as executor:
        executor.submit([segment(until=until)])
        reports, (outcome,) = drain(executor)
    return [(report.epoch, report.metrics["loss"]) for report in reports], outcome


# -- lines and values


def lines_of(*chunks: bytes) -> list[str]:
    lines = Lines()
    return [line for chunk in chunks for line in lines.take(chunk)] + lines.end()


@pytest.mark.parametrize(
    "chunks, expected",
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"1\r2\r\n", b"3\r\r\n"], ["2", "3"]),
        ([b"1%\r2%", b"\r   \r\n"], ["2%"]),
        ([b"\xff\xfe loss=1\n"], ["\ufffd\ufffd loss=1"]),
        ([b"\xe2\x82", b"\xac\n"], ["\u20ac"]),
        ([b"\n\n"], ["", ""]),
    ],
)
def test_bytes_are_lines_as_a_terminal_shows_them(chunks, expected):
    assert lines_of(*chunks) == expected


@pytest.mark.parametrize("step", [1000, 1 << 16, 10**7])
def test_of_a_very_long_line_the_first_characters_count_and_no_number_is_cut(step):
    data = b"loss=1 " + b"x" * (LONGEST - 17) + b" loss=0.123456789" + b"y" * 10**6 + b"\nloss=2\n"
    lines = lines_of(*(data[i : i + step] for i in range(0, len(data), step)))
    assert lines == ["loss=1 " + "x" * (LONGEST - 17) + " loss=", "loss=2"]


def test_a_progress_bar_without_an_end_is_what_it_shows_last_and_holds_no_memory():
    lines = Lines()
    for i in range(20_000):
        assert lines.take(b"\r%d%% loss=%d" % (i, i)) == []
    assert lines.end() == ["19999% loss=19999"]


def values_of(text: str, **patterns: str) -> list[tuple[int, dict[str, float]]]:
    metrics = Metrics(patterns, "loss", is_timed=False)
    found = metrics.read(text.split("\n"), 0.0) + metrics.end()
    return [(value.epoch, dict(value.metrics)) for value in found]


@pytest.mark.parametrize(
    "text",
    ["loss=1 acc=2\nloss=3 acc=4", "acc=2\nloss=1\nacc=4\nloss=3", "loss=1\nacc=2\nloss=3\nacc=4"],
)
def test_an_epoch_has_the_metrics_beside_its_objective_whatever_comes_first(text):
    assert values_of(text, loss=r"loss=(\S+)", acc=r"acc=(\S+)", other=r"other=(\S+)") == [
        (1, {"loss": 1.0, "acc": 2.0}),
        (2, {"loss": 3.0, "acc": 4.0}),
    ]


def test_of_a_metric_that_is_printed_more_often_the_latest_counts():
    text = "train=5\ntrain=4\nloss=1\ntrain=3\ntrain=2\nloss=0\ntrain=9"
    patterns = {"loss": r"loss=(\S+)", "train": r"train=(\S+)"}
    assert values_of(text, **patterns) == [
        (1, {"train": 4.0, "loss": 1.0}),
        (2, {"train": 2.0, "loss": 0.0}),
    ]


def test_what_is_no_number_is_no_value_and_is_remembered():
    metrics = Metrics({"loss": r"loss=(\S+)"}, "loss", is_timed=False)
    assert metrics.read(["loss=0.5,", "loss=", "loss=nan"], 0.0)[0].epoch == 1
    assert metrics.unread == {"loss": "0.5,"}


@pytest.mark.parametrize("step", [1, 2, 5])
def test_values_do_not_depend_on_how_the_lines_come(step):
    text = "acc=1 loss=1\nacc=x loss=2\nloss=x acc=9\nacc=4\nloss=3 acc=5\nloss=4 acc=6\n"
    lines = text.split("\n")
    metrics = Metrics({"acc": r"acc=(\S+)", "loss": r"loss=(\S+)"}, "loss", is_timed=False)
    found = []
    for i in range(0, len(lines), step):
        found += metrics.read(lines[i : i + step], 0.0)
    epochs = [(own.epoch, str(sorted(own.metrics.items()))) for own in found + metrics.end()]
    assert epochs == [
        (1, "[('acc', 1.0), ('loss', 1.0)]"),
        (2, "[('acc', nan), ('loss', 2.0)]"),
        (3, "[('acc', 5.0), ('loss', 3.0)]"),
        (4, "[('acc', 6.0), ('loss', 4.0)]"),
    ]


def test_many_values_are_thinned_out_but_for_the_first_and_the_last():
    found = values_of("\n".join(f"loss={i}" for i in range(1, 50_001)), loss=r"loss=(\S+)")
    epochs = [epoch for epoch, _ in found]
    assert epochs[:1000] == list(range(1, 1001))
    assert epochs[-1] == 50_000
    assert len(epochs) < 6000
    assert all(later <= epoch * 1.001 + 1 for epoch, later in pairwise(epochs))
    assert all(metrics["loss"] == epoch for epoch, metrics in found)


# -- what a program is handed


def echoed(problem: Script, tmp_path: Path) -> dict:
    """Run a program that prints what it was handed, and return that."""
    with opened(problem, folder=tmp_path) as executor:
        executor.submit([segment(7)])
        drain(executor)
    return json.loads((tmp_path / place(1, 7) / "output.log").read_text().splitlines()[0])


ECHO = """
    import json, os, sys
    config = os.environ["SM_INPUT_CONFIG_DIR"] + "/hyperparameters.json"
    print(json.dumps([sys.argv[1:], dict(os.environ), json.load(open(config))]))
    open(os.environ["SM_MODEL_DIR"] + "/weights", "w").close()
    print("loss=1")
"""
STATICS = {"epochs": "3", "sagemaker_program": '"train.py"', "optimizer": '"adam"', "b": "true"}


def test_a_program_is_called_as_in_script_mode(tmp_path):
    problem = script(
        ECHO,
        statics={**STATICS, "_tuning_objective_metric": '"loss"'},
        environment={"OWN": "1"},
        channels={"train": "/data"},
    )
    argv, variables, file = echoed(problem, tmp_path)
    called = ["-b", "True", "--epochs", "3", "--kind", "a", "--lr", "0.25", "--optimizer", "adam"]
    assert argv == called
    own = {"epochs": 3, "optimizer": "adam", "b": True, "lr": 0.25, "kind": "a"}
    assert json.loads(variables["SM_HPS"]) == own
    assert json.loads(variables["SM_USER_ARGS"]) == called
    assert variables["SM_HP_OPTIMIZER"] == "adam"
    assert variables["SM_HP_LR"] == "0.25"
    assert variables["SM_CHANNEL_TRAIN"] == "/data"
    assert variables["OWN"] == "1"
    assert int(variables["HPO_SEED"]) == Stream(0).at("trial", 7, "function").integer() % 2**32
    assert file == {**STATICS, "lr": "0.25", "kind": "a", "_tuning_objective_metric": '"loss"'}
    assert (tmp_path / "jobs" / "007" / "model" / "weights").exists()


def test_other_programs_are_called_with_values_as_they_stand(tmp_path):
    argv, _, file = echoed(script(ECHO, statics={"b": "true", "q": '"x"'}), tmp_path)
    assert argv == ["--b", "true", "--kind", "a", "--lr", "0.25", "--q", '"x"']
    assert file["_tuning_objective_metric"] == "loss"


@pytest.mark.parametrize("said, expected", [(True, "True"), (False, "true")])
def test_how_values_are_read_can_be_said(said, expected):
    problem = script("", statics={"sagemaker_program": "x", "flag": "true"}, script_mode=said)
    values = {**problem.statics}
    if problem.is_script_mode:
        values = arguments.decoded(values)
    made = arguments.command_of(("p",), values, script_mode=problem.is_script_mode)
    assert made == ("p", "--flag", expected)


def test_a_command_may_say_where_values_go():
    values = {"lr": 0.1, "kind": "a"}
    command = ("train", "{kind}.cfg", "--rate={lr}", "{print}")
    made = arguments.command_of(command, values, script_mode=False)
    assert made == ("train", "a.cfg", "--rate=0.1", "{print}")


WRONG = {
    "a command that is a string": (
        {"command": "python train.py"},
        "command must be a sequence of a program and its first arguments; write ",
    ),
    "no command": ({"command": ()}, "write ('python', 'train.py')"),
    "a value left out": (
        {"command": ("t", "{lr}")},
        "the command says where to put lr, but not kind; add {kind}, or leave all out",
    ),
    "an unknown value": ({"command": ("t", "{lr}{kind}{rl}")}, "rl is no hyperparameter"),
    "a metric that is not defined": (
        {"metric": "acc"},
        "metric must be one of the metrics, 'loss'",
    ),
    "no group": ({"metrics": {"loss": "loss="}}, r"whose first group is the number, as in r'loss="),
    "no expression": ({"metrics": {"loss": "("}}, "the regular expression is wrong: missing )"),
    "a static number": ({"statics": {"epochs": 3}}, "a value must be a string; write '3'"),
    "a variable": ({"environment": {"A=B": "3"}}, "the name of a variable has no '='"),
    "a channel": ({"channels": {"A=B": "3"}}, "the name of a variable has no '='"),
    "half a character": ({"statics": {"a": "\ud800"}}, "no program can be handed this text"),
    "half of an argument": ({"command": ("p", "\ud800")}, "is no program or argument"),
    "a limit": ({"timeout_seconds": 0}, "timeout_seconds must be a finite number of seconds > 0"),
    "two": ({"workers": 0, "grace_seconds": -1}, "grace_seconds must be"),
}


@pytest.mark.parametrize("options, message", WRONG.values(), ids=WRONG)
def test_a_script_says_what_is_wrong_with_it(options, message):
    fields = {"command": ("p",), "space": SPACE, "metrics": {"loss": "(.)"}, **options}
    with pytest.raises(ProblemError) as error:
        Script(**fields)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1 + ("workers" in options)


def test_without_an_expression_a_metric_is_found_by_its_name():
    problem = Script(("p",), SPACE, metric="val loss")
    text = "val loss: -1.5e-3, x\nmy_val loss=9\nval loss = nan\nval loss=.5"
    found = values_of(text, loss=problem.metrics["val loss"])
    assert str([own["loss"] for _, own in found]) == "[-0.0015, nan, 0.5]"


@pytest.mark.parametrize("text", ["NAN", "-nan", "Inf", "-Infinity", "INF"])
def test_what_other_languages_print_for_no_number_is_an_epoch(text):
    found = values_of(f"loss=1\nloss={text}", loss=Script(("p",), SPACE).metrics["loss"])
    assert not math.isfinite(found[1][1]["loss"])
    assert values_of(f"loss: {text}OMATION", loss=Script(("p",), SPACE).metrics["loss"]) == []


@pytest.mark.parametrize("text", ["1,234.5", "-12,345", "1,234,567"])
def test_a_number_with_commas_between_thousands_is_not_cut_short(text):
    metrics = Metrics(Script(("p",), SPACE).metrics, "loss", is_timed=False)
    assert metrics.read([f"loss={text}, acc=2"], 0.0) + metrics.end() == []
    assert metrics.unread == {"loss": text}
    (value,) = metrics.read(["loss=0.5,100"], 0.0) + metrics.end()
    assert value.metrics == {"loss": 0.5}


@pytest.mark.parametrize("half", ["\ud800", "\udce4"])
def test_half_a_character_in_a_configuration_costs_that_trial_alone(half, tmp_path):
    space = hpo.SearchSpace(kind=hpo.Categorical([half, "b"]))
    problem = Script((*PYTHON, "print('loss=1')"), space)
    with opened(problem, folder=tmp_path) as executor:
        segments = [
            Segment(1, trial, {"kind": kind}, OPEN, Stream(0).at("trial", trial))
            for trial, kind in enumerate(space.parameters["kind"].values)
        ]
        executor.submit(segments)
        _, outcomes = drain(executor, 2)
    assert {o.trial: o.status for o in outcomes}[1] == "finished"
    place = tmp_path / "jobs/000/input/config/hyperparameters.json"
    assert json.loads(place.read_text("utf-8"))["kind"] == half


# -- how programs end

PRINTS = "print('loss=3'); print('loss=2', flush=True)\n"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
ENDS = {
    "well": (PRINTS, "finished", 2, ""),
    "without a line's end": ("print('loss=2', end='')", "finished", 1, ""),
    "on stderr": ("import sys; print('loss=2', file=sys.stderr)", "finished", 1, ""),
    "NaN before the last": ("print('loss=nan\\nloss=2')", "finished", 2, ""),
    "binary": (
        "import os; os.write(1, bytes(range(256)) * 999 + b'\\nloss=2\\n')",
        "finished",
        1,
        "",
    ),
    "NaN last": (PRINTS + "print('loss=nan')", "failed", 3, "ObjectiveFailed"),
    "infinity last": ("print('loss=1\\nloss=inf')", "failed", 2, "ObjectiveFailed"),
    "no value": ("print('lost=2')", "failed", 0, "ObjectiveFailed"),
    "nothing": ("", "failed", 0, "ObjectiveFailed"),
    "no number": ("print('loss=0.5,')", "failed", 0, "ObjectiveFailed"),
    "exit code": (PRINTS + "raise SystemExit(3)", "failed", 2, "JobFailed"),
    "crash": (PRINTS + "import os; os.abort()", "failed", 2, "JobFailed"),
    "half a number": (
        "import os; os.write(1, b'loss=2\\nloss=1'); os.abort()",
        "failed",
        1,
        "JobFailed",
    ),
}


LOCK_STEP = ["well", "NaN before the last", "NaN last", "nothing", "exit code"]
HOW = [*((name, False) for name in ENDS), *((name, True) for name in LOCK_STEP)]


@pytest.mark.parametrize("name, lock_step", HOW)
def test_a_program_ends_as(name, lock_step):
    code, status, epoch, ending = ENDS[name]
    values, outcome = trained(script(code), lock_step=lock_step)
    assert (outcome.status, outcome.epoch) == (status, epoch)
    assert (ending_of(outcome.reason) or "") == ending
    assert len(values) == epoch


def test_a_failed_job_says_its_last_lines_and_where_its_log_is(tmp_path):
    problem = script("import sys; print('loss=1'); sys.exit('no such device')")
    with opened(problem, folder=tmp_path) as executor:
        executor.submit([segment(3)])
        _, (outcome,) = drain(executor)
    assert outcome.reason == (
        "JobFailed: exit code 1; log: jobs/003/output.log; it printed last:\nloss=1\nno such device"
    )
    assert (tmp_path / "jobs/003/output.log").read_text() == "loss=1\nno such device\n"


def test_a_program_that_is_not_there_is_a_failed_job():
    problem = Script(("nothing-of-this-name",), SPACE)
    _, outcome = trained(problem)
    assert outcome.reason.startswith("JobFailed: it could not be started: [Errno 2]")


def test_a_program_that_removes_its_folder_has_the_values_that_it_printed(tmp_path):
    code = """
        import os, shutil
        print("loss=1")
        shutil.rmtree(os.path.dirname(os.environ["SM_MODEL_DIR"]))
        raise SystemExit(4)
    """
    with opened(script(code), folder=tmp_path) as executor:
        executor.submit([segment()])
        reports, (outcome,) = drain(executor)
    assert [report.metrics["loss"] for report in reports] == [1.0]
    assert outcome.reason.startswith("JobFailed: exit code 4")


def test_a_program_that_prints_without_end_is_ended_and_hurts_no_other():
    code = """
        import os, sys, time
        if float(os.environ["SM_HP_LR"]) > 0.5:
            print("loss=1")
        else:
            while True:
                sys.stdout.write("nothing to be seen here\\n" * 1000)
                time.sleep(0.001)
    """
    problem = script(code, timeout_seconds=0.5, grace_seconds=0.1)
    other = Segment(1, 1, {"lr": 0.9, "kind": "a"}, OPEN, Stream(0))
    with opened(problem) as executor:
        executor.submit([segment(), other])
        _, outcomes = drain(executor, 2)
    ends = {outcome.trial: outcome.status for outcome in outcomes}
    assert ends == {0: "stopped", 1: "finished"}


def test_a_program_that_hangs_is_stopped_at_its_limit():
    problem = script(PRINTS + STUBBORN + "time.sleep(60)", timeout_seconds=0.4, grace_seconds=0.2)
    values, outcome = trained(problem)
    assert values == [(1, 3.0), (2, 2.0)]
    assert outcome == Outcome(1, 0, "stopped", 2, outcome.reason)
    assert outcome.reason == "MaxRuntimeExceeded: it ran for more than 0.4 seconds"


ENDLESS = "import time\nn = 0\nwhile True:\n    n += 1; print(f'loss={n}'); time.sleep(0.01)\n"


@pytest.mark.parametrize("lock_step", [True, False], ids=["lock-step", "asynchronous"])
def test_at_the_last_epoch_a_program_that_goes_on_is_stopped(lock_step):
    problem = script(ENDLESS, max_epochs=3, grace_seconds=0.05)
    values, outcome = trained(problem, lock_step=lock_step, until=3)
    assert values == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert (outcome.status, ending_of(outcome.reason)) == ("finished", "MaxResourceReached")


@pytest.mark.parametrize("end, status", [("0", "finished"), ("5", "failed")])
def test_at_the_last_epoch_a_program_may_end_by_itself(end, status):
    code = f"import time\nprint('loss=1\\nloss=2'); time.sleep(0.2); raise SystemExit({end})"
    _, outcome = trained(script(code, max_epochs=2), until=2)
    assert (outcome.status, outcome.epoch) == (status, 2)
    assert ending_of(outcome.reason) == (None if end == "0" else "JobFailed")


def test_a_program_that_ends_early_has_finished_there():
    _, outcome = trained(script(PRINTS, max_epochs=9), until=9)
    assert (outcome.status, outcome.epoch, outcome.reason) == ("finished", 2, "")


@pytest.mark.parametrize("lock_step", [True, False], ids=["lock-step", "asynchronous"])
def test_at_a_rung_a_program_pauses_and_begins_anew_in_silence(lock_step):
    problem = script(ENDLESS, max_epochs=9, grace_seconds=0.05)
    with opened(problem, lock_step=lock_step) as executor:
        executor.submit([segment(until=2)])
        reports, (outcome,) = drain(executor)
        assert (outcome.status, outcome.epoch) == ("paused", 2)
        executor.submit([segment(until=4, known=2)])
        more, (outcome,) = drain(executor)
    assert [r.epoch for r in reports + more] == [1, 2, 3, 4]
    assert outcome.status == "paused"


@pytest.mark.parametrize("lock_step", [True, False], ids=["lock-step", "asynchronous"])
def test_what_a_program_does_after_a_rung_that_it_pauses_at_has_not_happened(lock_step):
    problem = script(PRINTS + "raise SystemExit(3)", max_epochs=9)
    values, outcome = trained(problem, lock_step=lock_step, until=1)
    assert (values, outcome.status, outcome.epoch) == ([(1, 3.0)], "paused", 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_programs_run_than_there_are_workers(workers):
    code = "import time\nprint('loss=%r' % time.time()); time.sleep(0.1)\n" * 2
    with opened(script(code, workers=workers), lock_step=False) as executor:
        executor.submit([segment(trial) for trial in range(5)])
        reports, outcomes = drain(executor, 5)
    began = sorted(r.metrics["loss"] for r in reports if r.epoch == 1)
    assert len(outcomes) == 5
    assert all(later - own > 0.19 for own, later in zip(began, began[workers:], strict=False))


# A daemon in a session of its own, that has let go of its parent and ignores SIGTERM.
DAEMON = STUBBORN + dedent("""
    import os
    def daemon():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        os.wait()
    daemon()
    if os.fork() == 0:
        time.sleep(60)
""")
LIVES = {
    "goes on": "import time\n",
    "ignores SIGTERM": STUBBORN,
    "forks, with a daemon": DAEMON,
}


@pytest.mark.parametrize("lock_step", [True, False], ids=["lock-step", "asynchronous"])
@pytest.mark.parametrize("code", LIVES.values(), ids=LIVES)
def test_a_stopped_program_has_ended_when_nothing_of_it_is_left(code, lock_step):
    problem = script(code + "print('loss=1')\ntime.sleep(60)", grace_seconds=0.2)
    with opened(problem, lock_step=lock_step) as executor:
        executor.submit([segment()])
        assert [r.epoch for r in executor.poll(30).reports] == [1]
        executor.stop([(1, 0), (7, 7)])
        poll = executor.poll(30)
        while not poll.ended:
            poll = executor.poll(30)
        assert poll.ended == ((1, 0),)
        assert poll.outcomes == ()


def test_what_a_program_leaves_running_is_ended_with_it():
    _, outcome = trained(script(DAEMON + "print('loss=1')"))
    assert outcome.status in ("finished", "failed")


def test_a_daemon_without_any_mark_is_ended_with_the_last_job_that_it_can_belong_to(tmp_path):
    code = """
        import os, sys
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print("pid", os.getpid(), flush=True)
                os.execve(sys.executable, ["python", "-c", "import time; time.sleep(60)"], {})
            os._exit(0)
        os.wait()
        print("loss=1")
    """
    with opened(script(code), folder=tmp_path) as executor:
        executor.submit([segment()])
        drain(executor)
        log = (tmp_path / "jobs/000/output.log").read_text().split()
        assert not psutil.pid_exists(int(log[log.index("pid") + 1]))


def test_what_is_printed_between_the_stop_and_the_end_counts():
    code = """
        import signal, sys, time
        def end(*_):
            print("loss=2")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("loss=1")
        time.sleep(60)
    """
    with opened(script(code), lock_step=False) as executor:
        executor.submit([segment()])
        executor.poll(30)
        executor.stop([(1, 0)])
        reports, outcomes = drain(executor)
    assert [report.metrics["loss"] for report in reports] == [2.0]
    assert outcomes == []


def test_a_keeper_that_is_killed_fails_what_it_kept_and_another_goes_on():
    started = []
    problem = script(
        DAEMON + "import time\nprint('loss=1')\ntime.sleep(60)", workers=1, grace_seconds=0.1
    )
    with opened(problem, lock_step=False, on_start=started.append) as executor:
        executor.submit([segment(0), segment(1)])
        assert [report.trial for report in executor.poll(30).reports] == [0]
        family = psutil.Process(started[0].pid).children(recursive=True)
        name = family[0].environ()[JOB].partition(".")[0]
        assert len(marked_by_keeper(name)) == len(family) == 3
        os.kill(started[0].pid, signal.SIGKILL)
        poll = executor.poll(30)
        (outcome,) = poll.outcomes
        assert marked_by_keeper(name) == []
        assert outcome.reason == "JobFailed: the process that watches the programs was ended"
        reports = poll.reports or executor.poll(30).reports
        assert [report.trial for report in reports] == [1]
        executor.stop([(1, 1)])
        assert drain(executor) == ([], [])
    assert len(started) == 2


@pytest.mark.parametrize("program", ["false", "nothing of this name"])
def test_a_keeper_that_cannot_start_is_an_error_and_costs_no_trial(monkeypatch, program):
    has_gone = threading.Event()

    def slowly(jobs: Jobs, error: BaseException, fail=Jobs._fail) -> None:
        has_gone.set()
        time.sleep(0.1)  # long enough for a poll to see whatever else is known by now
        fail(jobs, error)

    monkeypatch.setattr(Jobs, "_fail", slowly)
    monkeypatch.setattr(sys, "executable", shutil.which(program) or program)
    with opened(script(PRINTS)) as executor, pytest.raises(MachineError, match="starts programs"):
        executor.submit([segment()])
        assert has_gone.wait(30)
        executor.poll(30)


# -- the script that is shipped

TRAIN = Path(__file__).parents[1] / "experiments" / "tuning_job" / "train.py"
METRICS = ("val_accuracy", "val_f1", "val_loss", "validation:rmse", "val_acc")


def test_the_shipped_script_learns_and_prints_the_metrics_of_all_documents(tmp_path):
    space = hpo.SearchSpace(learning_rate=hpo.Float(0.01, 0.02), unheard=hpo.Float(0, 1))
    problem = Script(
        (sys.executable, str(TRAIN)), space, metric="val_loss", statics={"epochs": "12"}
    )
    config = {"learning_rate": 0.02, "unheard": 0.5}
    with opened(problem, folder=tmp_path) as executor:
        executor.submit([Segment(1, 0, config, OPEN, Stream(0))])
        reports, (outcome,) = drain(executor)
    assert (outcome.status, outcome.epoch) == ("finished", 12)
    assert reports[-1].metrics["val_loss"] < 0.5 < reports[0].metrics["val_loss"]
    assert (tmp_path / "jobs/000/model/weights.npz").exists()
    log = (tmp_path / "jobs/000/output.log").read_text()
    assert log.count("passed over: --unheard 0.5") == 1
    for metric in METRICS:
        found = values_of(log, loss=Script(("p",), space, metric=metric).metrics[metric])
        assert len(found) == 12


# -- experiments of programs

SLOW = """
    import sys, time
    lr = float(sys.argv[sys.argv.index("--lr") + 1])
    for epoch in range(1, 6):
        print(f"loss={lr / epoch}", flush=True)
        time.sleep(0.1)
"""


def experiment(execution: str, code: str = SLOW, *, trials: int = 6, **options) -> hpo.Experiment:
    return hpo.Experiment(
        name="programs",
        problems=[script(code, name="slow", **options)],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=trials),
        parallel=2,
        execution=execution,
    )


def ended(result: hpo.Result) -> list[tuple[str, tuple[int, ...], tuple[float, ...]]]:
    (run,) = result.runs.values()
    return [(trial.status, trial.epochs, trial.values) for trial in run.trials]


# Without what the other tests import, which takes seconds.
HARNESS = """
import json, sys
import hpo_research as hpo
command, execution, out = json.loads(sys.argv[1])
made = hpo.Experiment(
    name="programs",
    problems=[
        hpo.Script(
            tuple(command),
            hpo.SearchSpace(lr=hpo.Float(0, 1), kind=hpo.Categorical(["a", "b"])),
            metrics={"loss": r"loss=(\\S+)"},
            name="slow",
        )
    ],
    strategies={"random": hpo.Random()},
    seeds=[0],
    budget=hpo.Budget(trials=6),
    parallel=2,
    execution=execution,
)
hpo.run(made, out=out, progress=False)
"""


@pytest.mark.parametrize(
    "execution, victims", [("lock-step", "its keeper too"), ("asynchronous", "the experiment")]
)
def test_killed_an_experiment_leaves_nothing_behind_and_loses_nothing(execution, victims, tmp_path):
    mark = f"killed-{os.getpid()}-{time.monotonic_ns()}"
    out = tmp_path / "out"
    arguments = json.dumps([experiment(execution).problems[0].command, execution, str(out)])
    command, variables = [sys.executable, "-c", HARNESS, arguments], {**os.environ, MARK: mark}
    with subprocess.Popen(command, env=variables) as process:
        deadline = time.monotonic() + 60
        while not ((out / "jobs/003/output.log").exists() and any(marked(mark).values())):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        keepers = psutil.Process(process.pid).children()
        process.kill()
        if victims == "its keeper too":
            for keeper in keepers:
                keeper.kill()
    deadline = time.monotonic() + 10
    while marked(mark):
        assert time.monotonic() < deadline, "the programs outlive the experiment"
        time.sleep(0.02)
    before = hpo.Result.read(out)
    result = hpo.run(experiment(execution), out=out, progress=False)
    assert ended(result) == ended(hpo.run(experiment(execution), out=tmp_path / "whole"))
    (first,), (run,) = before.runs.values(), result.runs.values()
    done = [trial for trial in first.trials if trial.status == "finished"]
    assert done == [run.trials[trial.id] for trial in done]
    attempts = {trial.attempt for trial in run.trials if not trial.id < len(done)}
    assert attempts <= ({0} if execution == "lock-step" else {0, 1})


@pytest.mark.parametrize("execution", ["lock-step", "asynchronous"])
def test_any_strategy_tunes_a_program_and_stops_what_is_weak(execution, tmp_path):
    made = experiment(execution, ENDLESS_BY_RATE, trials=9, max_epochs=9, grace_seconds=0.2)
    stopping = hpo.ASHA(kind="stop", eta=3)
    made = hpo.Experiment(
        name="asha",
        problems=made.problems,
        strategies={"asha": stopping, "median": hpo.MedianStopping(hpo.Random())},
        seeds=[0],
        budget=hpo.Budget(trials=9),
        parallel=3,
        execution=execution,
    )
    result = hpo.run(made, out=tmp_path, progress=False)
    for run in result.runs.values():
        assert {trial.status for trial in run.trials} == {"finished", "stopped"}
        assert run.best().reached == 9


ENDLESS_BY_RATE = """
    import sys, time
    lr = float(sys.argv[sys.argv.index("--lr") + 1])
    for epoch in range(1, 10**9):
        print(f"loss={lr + 1 / epoch}", flush=True)
        time.sleep(0.03)
"""


def test_a_metric_beside_the_objective_may_be_no_number(tmp_path):
    code = "print('loss=1 acc=nan'); print('loss=nan acc=1'); print('loss=2 acc=oh')"
    metrics = {"loss": r"loss=(\S+)", "acc": r"acc=(\S+)"}
    made = experiment("asynchronous", code, trials=2, metrics=metrics)
    result = hpo.run(made, out=tmp_path, progress=False)
    assert ended(result) == [("finished", (1, 3), (1.0, 2.0))] * 2
    assert ended(hpo.run(made, out=tmp_path, progress=False)) == ended(result)


def test_tune_takes_a_script(tmp_path):
    problem = script("import sys; print('loss=' + sys.argv[4])")
    best = hpo.tune(problem, strategy=hpo.Random(), trials=5, parallel=2, path=tmp_path)
    assert best.value == best.config["lr"]
    assert len(list(tmp_path.glob("jobs/*/output.log"))) == 5
    again = hpo.tune(problem, strategy=hpo.Random(), trials=5, parallel=2, path=tmp_path)
    assert again == best


def test_tune_says_what_a_script_says_itself():
    problem = script("print('loss=1')", direction="maximize")
    message = r"^tune\(python3?\): give the Script its space and max_epochs$"
    with pytest.raises(ProblemError, match=message):
        hpo.tune(problem, SPACE.__class__(x=hpo.Float(0, 2)), max_epochs=3)
    with pytest.raises(ArgumentError, match="missing a required argument: 'space'"):
        hpo.tune(lambda config: 1.0)


def test_a_store_refuses_another_program_and_takes_another_limit(tmp_path):
    first = experiment("asynchronous", "print('loss=1')", trials=2)
    hpo.run(first, out=tmp_path, progress=False)
    other = experiment("asynchronous", "print('loss=2')", trials=2)
    with pytest.raises(hpo.errors.ExperimentError, match=r"identity.command\[5\]"):
        hpo.run(other, out=tmp_path, progress=False)
    longer = experiment("asynchronous", "print('loss=1')", trials=2, timeout_seconds=9)
    hpo.run(longer, out=tmp_path, progress=False)


DRAWS = """
    import os, random, sys
    lr, draws = float(sys.argv[sys.argv.index("--lr") + 1]), random.Random(os.environ["HPO_SEED"])
    for epoch in range(1 + int(4 * lr)):
        print(f"loss={lr * draws.random() if epoch != 1 else 'nan'}")
    print("loss=1")
"""


@pytest.mark.parametrize(
    "law",
    [laws.is_a_record, laws.reports_its_metric, laws.ends_are_final, laws.copies_are_equal],
    ids=lambda law: law.__name__,
)
def test_a_script_keeps_the_laws_of_problems(law):
    law(script(DRAWS))


def test_trials_that_are_dropped_change_no_others():
    laws.drops_are_silent(script(DRAWS, max_epochs=2, grace_seconds=0.0))


def test_the_python_that_runs_this_is_no_part_of_what_a_program_is(tmp_path):
    (tmp_path / "python3").symlink_to(sys.executable)
    said = {
        "python": ("python", "train.py"),
        "ours": (sys.executable, "train.py"),
        "by another name": (str(Path(sys.executable).with_name("python3.99")), "train.py"),
    }
    for command in said.values():
        assert Script(command, SPACE).command == ("python", "train.py")
    other = (str(tmp_path / "python3"), "train.py")  # of another environment
    assert Script(other, SPACE).command == other
    assert Script(("python3", "train.py"), SPACE).command == ("python3", "train.py")
