import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cli.experiments import FAILING, LONG, SMALL
from typer.testing import CliRunner

from hpo_research.analysis.result import Result
from hpo_research.cli import app
from hpo_research.cli.loading import load
from hpo_research.store import Store


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with the experiment files."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"small": SMALL, "failing": FAILING, "long": LONG}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def hpo(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(done, message: str, code: int = 1) -> None:
    """The command ended with one readable message and nothing else."""
    assert done.exit_code == code
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.output


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of a run of the small experiment that was not told where, and what it printed."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.py").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, hpo("run", "small.py")


@pytest.fixture
def again(small, monkeypatch):
    """The same, to run it once more: that changes nothing."""
    monkeypatch.chdir(small[0])
    return small[0]


# -- what a run leaves


def test_a_run_ends_with_a_line_that_says_where_the_results_are(small):
    place, done = small
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == (
        "results are in results/small (the report: results/small/report.html)"
    )
    folder = place / "results/small"
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".pdf", ".png", ".svg"}
    assert {path.suffix for path in (folder / "tables").iterdir()} == {".csv", ".md", ".tex"}
    assert (folder / "report.html").exists() and (folder / "manifest.json").exists()
    assert Result.read(place / "results/small").is_finished


def test_a_run_prints_a_row_for_each_problem_and_strategy(small):
    table = small[1].stdout
    # 2 seeds x 4 evaluations of 3 epochs; a fitted grid of 4 points, trained to the end.
    assert re.search(r"branin +grid +2 +\S+ +8 +0 +8 *\n", table)
    assert re.search(r"curves +grid +2 +\S+ +8 +0 +24 *\n", table)
    assert len(re.findall(r"(?:branin|curves) +(?:grid|random|hyperband) ", table)) == 6


def test_lines_are_plain_where_there_is_no_terminal(small):
    text = small[1].stdout
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.startswith("small: 12 runs on cpu, in results/small\n")
    lines = [line for line in text.splitlines() if re.match(r"\d+ s: ", line)]
    assert 1 <= len(lines) <= 11
    best = r"best value \S+ \(\S+\)"
    assert re.search(rf"100%, \d+ trials; branin {best}; curves {best}$", lines[-1])
    assert "\nwriting the report ...\n" in text


def test_quiet_prints_the_last_line_alone_and_without_a_report_no_page(place):
    narrow = ("--quiet", "--out", "here", "--only", "random", "--seeds", "1", "--no-report")
    done = hpo("run", "small.py", *narrow)
    assert done.stdout == "results are in here\n"
    assert done.stderr == ""
    assert not (place / "here" / "report.html").exists()
    assert Result.read(place / "here").is_finished


def test_a_second_run_changes_nothing_and_adds_no_note(again):
    before = Result.read(again / "results/small")
    assert hpo("run", "small.py", "--quiet", "--no-report").exit_code == 0
    after = Result.read(again / "results/small")
    assert after.frame().equals(before.frame())
    assert len(after.provenance) == 1


def test_the_store_keeps_the_file_and_how_the_command_narrowed_it(place):
    (place / "small.py").write_bytes(b"# coding: latin-1\n# caf\xe9\n" + SMALL.encode())
    hpo("run", "small.py", "--seeds", "3", "--only", "random", "--threads", "2", "--no-report")
    (note,) = Result.read(place / "results/small").provenance
    assert note["file"] == {
        "name": "small.py",
        "text": "# coding: latin-1\n# café\n" + SMALL,
        "options": ["--threads", "2", "--seeds", "3", "--only", "random"],
    }


def test_seeds_and_names_choose_a_part(place):
    chosen = ("--seeds", "3,5:7", "--only", "random", "--only", "branin")
    done = hpo("run", "small.py", *chosen, "--no-report")
    assert done.exit_code == 0, done.output
    names = Result.read(place / "results/small").runs
    assert sorted(names) == [("branin", "random", seed) for seed in (3, 5, 6)]


def test_naming_a_problem_keeps_every_strategy(place):
    hpo("run", "small.py", "--only", "branin", "--seeds", "0", "--no-report")
    names = Result.read(place / "results/small").runs
    assert {name.strategy for name in names} == {"grid", "random", "hyperband"}
    assert {name.problem for name in names} == {"branin"}


def test_a_module_beside_the_file_can_be_imported(place):
    (place / "beside_it.py").write_text("NAME = 'aside'")
    text = SMALL.replace('name="small"', "name=beside_it.NAME")
    (place / "small.py").write_text("import beside_it\n" + text)
    assert load(place / "small.py").name == "aside"


def test_functions_of_a_file_have_a_stable_qualified_name(place):
    text = "import hpo_research as hpo\ndef loss(config): return config['x']\n"
    text += "experiment = hpo.Experiment(name='f', strategies={'r': hpo.Random()}, seeds=[0], "
    text += "problems=[hpo.FunctionProblem(loss, hpo.SearchSpace(x=hpo.Float(0, 1)))], "
    text += "budget=hpo.Budget(trials=2))\n"
    (place / "a").mkdir()
    for path in (place / "my-file.py", place / "a" / "my-file.py"):
        path.write_text(text)
    first, second = load(place / "my-file.py"), load(place / "a" / "my-file.py")
    assert "experiment_my_file.loss" in str(first.description())
    assert first.description() == second.description()


# -- exit codes and messages


def test_a_run_in_which_every_trial_failed_ends_with_3_and_says_why(place):
    done = hpo("run", "failing.py")
    assert done.exit_code == 3
    assert "warning: random on broken, seed 0: all " in done.stderr
    assert "nan at epoch 1" in done.stderr
    assert "results are in results/failing" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", r"wrong\.py: defines no `experiment`"),
        ("experiment = 3", r"`experiment` must be an hpo_research.Experiment, got 3"),
        ("x = 1\nif True\n  y = 2", r"wrong\.py:2: SyntaxError: expected ':'"),
        ("import nosuchmodule", r"wrong\.py:1: ModuleNotFoundError: No module named 'nosuchmod"),
        ("def f():\n    return 1 / 0\nf()", r"wrong\.py:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('bye')", r"wrong\.py:2: SystemExit: bye"),
        (
            "import hpo_research as hpo\n\nhpo.SearchSpace(x=hpo.Float(1, 0))",
            r"wrong\.py:3: hpo_research.errors.SpaceError: .*low must be below high",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_message_with_its_line(place, text, message):
    (place / "wrong.py").write_text(text)
    refused(hpo("run", "wrong.py"), message)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["run", "missing.py"], r"error: missing\.py: there is no such file", 1),
        (["run", "."], r"error: \.: is a folder; name a Python file", 1),
        (["run", "notes.txt"], r"error: notes\.txt: expected a Python file", 1),
        (["run", "small.py", "--only", "tpe"], r"--only tpe: expected a problem \(branin, curv", 1),
        (["run", "small.py", "--device", "tpu"], r"device='tpu': expected auto, cpu or cuda:N", 1),
        (["run", "small.py", "--device", "cuda:99"], r"this machine has \d+ CUDA devices", 1),
        (["run", "small.py", "--seeds", "1,a"], r"Invalid value for --seeds: '1,a': expected", 2),
        (["run", "small.py", "--seeds", "5:5"], r"5:5 contains no seed", 2),
        (["run", "small.py", "--seeds", "-1"], r"expected seeds such as 5", 2),
        (["run"], r"Missing argument '\{?FILE", 2),
        (["walk"], r"No such command 'walk'", 2),
        (["status", "."], r"error: \.: holds no store", 1),
        (["export", "nowhere"], r"error: nowhere: there is no such folder", 1),
        (["report", "nowhere"], r"error: nowhere: there is no such folder", 1),
        (["report"], r"Missing argument '\{?DIR\.\.\.", 2),
    ],
)
def test_wrong_input_is_one_message(place, arguments, message, code):
    (place / "notes.txt").write_text("")
    refused(hpo(*arguments), message, code)
    assert not (place / "results").exists()


def test_a_changed_experiment_is_refused_with_the_difference(again):
    (again / "other.py").write_text(SMALL.replace("hpo.Hyperband()", "hpo.Hyperband(eta=2)"))
    refused(hpo("run", "other.py"), r"strategies\['hyperband'\].eta: 3 became 2")


def test_a_folder_that_is_written_to_is_refused_with_its_holder(place):
    (place / "out").mkdir()
    with Store.write(place / "out"):
        refused(hpo("run", "small.py", "--out", "out"), rf"process {os.getpid()} on .*is writing")


def test_a_traceback_is_shown_where_it_is_wanted(place):
    (place / "wrong.py").write_text("def f():\n    return 1 / 0\nf()")
    done = hpo("run", "wrong.py", "--traceback")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr


# -- real processes


def begin(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from hpo_research.cli import main; main()", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        # A shell starts what it runs in the background deaf to Ctrl-C; these tests press it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on_and_keeps_what_it_did(place, number, code):
    process = begin("run", "long.py")
    deadline = time.monotonic() + 60
    while not (place / "results/long/store.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == code, err
    assert err == "interrupted: completed work is stored; run the same command again to resume\n"
    assert out.startswith("long: 1 run on cpu")
    status = hpo("status", "results/long")
    assert status.exit_code == 0
    assert "long: 0 of 1 run finished" in status.stdout


def test_a_wrong_file_ends_a_real_process_without_a_traceback(place):
    process = begin("run", "missing.py")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("error: missing.py: there is no such file")
    assert err.count("\n") == 1


def test_an_exception_in_a_strategy_is_one_line_and_the_same_command_goes_on(place):
    text = """
from dataclasses import dataclass
import hpo_research as hpo

@dataclass(frozen=True)
class Mine:
    def ask(self, runs, slots):
        if any(len(run.trials) == 2 for run in runs):
            1 / 0
        return hpo.Random().ask(runs, slots)

experiment = hpo.Experiment(
    name="own",
    problems=[hpo.problem("branin")],
    strategies={"mine": Mine()},
    seeds=[4],
    budget=hpo.Budget(trials=3),
    parallel=1,
)
"""
    (place / "own.py").write_text(text)
    done = hpo("run", "own.py")
    refused(
        done, r"^error: mine on branin, seed 4: ask raised ZeroDivisionError: .* \(own.py:9, in"
    )
    assert done.stderr.count("\n") == 1
    assert "in ask\n    1 / 0" in hpo("run", "own.py", "--traceback").stderr
    (place / "own.py").write_text(text.replace("1 / 0", "pass"))
    done = hpo("run", "own.py", "--quiet", "--no-report")
    assert done.exit_code == 0
    assert "(experiment_own.Mine.ask): trials 0 to 1 on branin, seed 4, were started" in done.stderr
    assert len(Result.read(place / "results/own").frame()) == 3
