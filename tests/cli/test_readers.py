import json
import re
from functools import partial

import pandas as pd
import pytest
from cli.experiments import FAILING, SMALL
from typer.testing import CliRunner

import hpo_research
from hpo_research import Study
from hpo_research.analysis.result import Result
from hpo_research.cli import app, doctor, listings, status
from hpo_research.cli.loading import load
from hpo_research.doctor import Check, checks
from hpo_research.experiment import loop
from hpo_research.experiment import run as run_experiment
from hpo_research.figures.draw import attempt
from hpo_research.problems import registry
from hpo_research.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished experiment."""
    place = tmp_path_factory.mktemp("finished")
    (place / "small.py").write_text(SMALL)
    run_experiment(load(place / "small.py"), out=place / "out")
    return place / "out"


@pytest.fixture
def undrawn(finished, monkeypatch):
    """The same folder, in which a report draws no figure and nothing is remembered."""
    monkeypatch.setattr("hpo_research.report.report.attempt", lambda *_, **__: [])
    (finished / "report.json").unlink(missing_ok=True)
    yield finished
    (finished / "report.json").unlink(missing_ok=True)


@pytest.fixture
def finals_drawn(monkeypatch):
    """A report draws the final values alone."""
    only = partial(attempt, names=["finals"])
    monkeypatch.setattr("hpo_research.report.report.attempt", only)


COMMANDS = [command.callback.__name__ for command in app.registered_commands]


def hpo(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Halted(Exception):
    pass


@pytest.fixture
def halfway(tmp_path, monkeypatch):
    """The folder of an experiment that was cut off while trials were running."""
    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    (tmp_path / "small.py").write_text(SMALL)
    experiment = load(tmp_path / "small.py")

    def watch(progress):
        if any(0 < run.share < 1 for run in progress.runs):
            raise Halted

    with pytest.raises(Halted):
        run_experiment(experiment, out=tmp_path / "out", progress=watch)
    return tmp_path / "out"


# -- best


def test_best_says_whose_it_is_and_what_it_was(finished):
    found = Result.read(finished).best("branin")
    done = hpo("best", finished)
    assert done.exit_code == 0
    first, *rest = done.stdout.splitlines()
    assert first == (
        f"branin: value {found.value:.6g} (lower is better; best), strategy {found.strategy}, "
        f"seed {found.seed}, trial {found.trial}, epoch 1"
    )
    assert rest[0].split() == ["x1", repr(found.config["x1"])]
    assert any(line.startswith("curves: ") for line in rest)


def test_best_can_be_copied(finished):
    found = Result.read(finished).best("branin", strategy="random")
    chosen = ("best", finished, "--problem", "branin", "--strategy", "random")
    assert json.loads(hpo(*chosen, "--json").stdout) == found.document()
    assert eval(hpo(*chosen, "--python").stdout) == found.config
    assert hpo(*chosen, "--flags").stdout.startswith("--x1 ")
    assert hpo(*chosen, "--yaml").stdout.startswith("x1: ")


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--json"], 1, "--json: expected one problem; name it: --problem branin, curves"),
        (["--json", "--yaml"], 2, "expected one form, got --json and --yaml"),
        (["--problem", "brannin"], 1, "problem 'brannin': expected one of the stored: branin"),
        (["--seed", "9"], 1, "seed 9: expected one of the stored: 0, 1"),
    ],
)
def test_best_refuses_what_is_not_one_thing(finished, given, code, said):
    done = hpo("best", finished, *given)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_without_values_best_says_so(tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    run_experiment(load(tmp_path / "failing.py"), out=tmp_path / "out")
    done = hpo("best", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no trial has a value yet" in done.stderr


# -- status


def test_status_counts_runs_trials_and_epochs(finished):
    done = hpo("status", finished)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "small: 12 of 12 runs finished"
    (line,) = [line for line in done.stdout.splitlines() if "curves" in line and "grid" in line]
    assert line.split()[2] == "2"
    assert line.split()[4:] == ["8", "0", "24", "0", "2/2", "100%"]


def test_status_as_json_is_one_document(finished):
    facts = json.loads(hpo("status", finished, "--json").stdout)
    assert (facts["experiment"], facts["is_finished"], facts["messages"]) == ("small", True, [])
    pairs = [(row["problem"], row["strategy"]) for row in facts["rows"]]
    assert pairs == [(p, s) for p in ("branin", "curves") for s in ("grid", "random", "hyperband")]
    row = facts["rows"][3]
    result = Result.read(finished)
    best = [result.runs[name].best().value for name in result.runs if name[:2] == pairs[3]]
    assert row["best"] == pytest.approx(sum(best) / 2)
    assert {k: row[k] for k in ("runs", "over", "trials", "running", "failed", "epochs")} == {
        "runs": 2, "over": 2, "trials": 8, "running": 0, "failed": 0, "epochs": 24,
    }  # fmt: skip
    assert row["share"] == 1.0


def test_status_of_an_unfinished_experiment_shows_what_runs(halfway):
    facts = json.loads(hpo("status", halfway, "--json").stdout)
    assert not facts["is_finished"]
    assert any(row["running"] > 0 and 0 < row["share"] < 1 for row in facts["rows"])


def test_status_works_while_another_process_writes(finished):
    with Store.write(finished) as store, store._transaction():
        store._writer.text("note", "not yet committed")
        assert hpo("status", finished).exit_code == 0


def test_a_watch_of_what_is_over_is_one_line(finished):
    done = hpo("status", "--watch", finished)
    assert done.exit_code == 0
    assert done.stdout == hpo("status", finished).stdout.splitlines()[-1] + "\n"


def test_a_watch_says_what_changed_and_ends_with_ctrl_c(halfway, monkeypatch):
    pauses = iter([None, None, KeyboardInterrupt()])

    def sleep(_: float) -> None:
        if error := next(pauses):
            raise error

    monkeypatch.setattr(status.time, "sleep", sleep)
    done = hpo("status", "--watch", halfway)
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()  # nothing changed between the three looks
    assert re.fullmatch(r".+: \d+ of \d+ runs finished, [\d,]+ trials, [\d,]+ epochs", line)


def test_a_watch_prints_no_document():
    done = hpo("status", "--watch", "--json", "nowhere")
    assert done.exit_code == 2
    assert "leave out --watch" in done.stderr


def test_status_shows_runs_in_which_everything_failed(tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    run_experiment(load(tmp_path / "failing.py"), out=tmp_path / "out")
    done = hpo("status", tmp_path / "out")
    assert done.exit_code == 0
    assert "warning: random on broken, seed 0: all " in done.stderr
    assert json.loads(hpo("status", tmp_path / "out", "--json").stdout)["rows"][0]["best"] is None


def test_status_of_a_study_has_no_share(tmp_path):
    space = hpo_research.SearchSpace(x=hpo_research.Float(0, 1))
    with Study(space, hpo_research.Random(), path=tmp_path) as study:
        study.tell(study.ask()[0].id, 0.5)
    (row,) = json.loads(hpo("status", tmp_path, "--json").stdout)["rows"]
    assert (row["trials"], row["best"], row["share"]) == (1, 0.5, None)
    assert hpo("status", tmp_path).exit_code == 0


# -- export


def test_export_writes_the_frames_beside_the_store(finished):
    done = hpo("export", finished)
    assert done.exit_code == 0
    assert done.stdout == (
        f"wrote {finished}/export/trials.csv and {finished}/export/reports.csv\n"
    )
    trials = pd.read_csv(finished / "export/trials.csv", keep_default_na=False, na_values=[""])
    frame = Result.read(finished).frame()
    assert list(trials.columns) == list(frame.columns)
    assert trials["value"].equals(frame["value"])


def test_export_writes_parquet(finished):
    assert hpo("export", finished, "--format", "parquet").exit_code == 0
    reports = pd.read_parquet(finished / "export/reports.parquet")
    assert len(reports) == len(Result.read(finished).reports())


def test_an_unknown_format_is_one_message(finished):
    done = hpo("export", finished, "--format", "xlsx")
    assert done.exit_code == 1
    wanted = "csv, parquet, coco, iohprofiler, optuna"
    assert done.stderr == f"error: export(format='xlsx'): format must be one of {wanted}\n"


# -- report


def test_a_report_says_where_its_page_is(finished):
    done = hpo("report", finished)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"the report of small is {finished}/report.html\n"
    assert done.stderr == ""
    assert (finished / "report.html").exists() and (finished / "manifest.json").exists()


def test_a_folder_without_a_store_does_not_keep_the_others_from_their_reports(undrawn, tmp_path):
    finished = undrawn
    (finished / "report.html").unlink(missing_ok=True)
    done = hpo("report", tmp_path, finished, "--each")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}: holds no store (store.sqlite is missing); name a results folder"
    ]
    assert (finished / "report.html").exists()


@pytest.mark.usefixtures("finals_drawn")
def test_a_report_of_an_unfinished_experiment_says_what_is_left(halfway):
    done = hpo("report", halfway)
    assert done.exit_code == 0, done.output
    assert re.search(r"report\.html; not finished: \d+ of 12 runs$", done.stdout)
    assert "Not finished yet" in (halfway / "report.html").read_text()


def test_a_report_tests_against_a_control_and_refuses_another_name(undrawn):
    done = hpo("report", undrawn, "--control", "nobody")
    assert done.exit_code == 1
    assert re.fullmatch(r"error: no strategy 'nobody'; there are .+\n", done.stderr)
    name = next(iter(Result.read(undrawn).facts.strategies))
    assert hpo("report", undrawn, "--control", name).exit_code == 0
    assert f"Comparisons with {name}" in (undrawn / "report.html").read_text()


def test_a_report_remembers_its_labels_until_it_is_made_afresh(undrawn):
    name = next(iter(Result.read(undrawn).facts.strategies))
    assert hpo("report", undrawn, "--label", f"{name}=Chance=1").exit_code == 0
    again = hpo("report", undrawn)
    assert f"made as the last time: --label {name}=Chance=1; --fresh forgets" in again.stdout
    assert "<td>Chance=1</td>" in (undrawn / "report.html").read_text()
    assert hpo("report", undrawn, "--fresh").exit_code == 0
    assert "Chance=1" not in (undrawn / "report.html").read_text()
    assert not (undrawn / "report.json").exists()


@pytest.mark.parametrize("text", ["{", '{"options": {"labels": [1]}, "folders": []}', '{"a": 1}'])
def test_a_damaged_memory_of_a_report_is_named_and_left(undrawn, text):
    (undrawn / "report.json").write_text(text)
    done = hpo("report", undrawn)
    assert done.exit_code == 1
    assert "report.json: expected what the last report was made with" in done.stderr
    assert "delete it, and give the options anew" in done.stderr
    assert (undrawn / "report.json").read_text() == text


def test_one_figure_is_drawn_anew_and_an_unknown_name_is_one_message(finished):
    page = finished / "report.html"
    page.write_text("as it was")
    done = hpo("report", finished, "--figure", "finals")
    assert done.exit_code == 0, done.output
    assert "figures/finals.svg" in done.stdout.replace("\n", "")
    assert page.read_text() == "as it was"
    wrong = hpo("report", finished, "--figure", "finale")
    assert wrong.exit_code == 1
    assert "finale" in wrong.stderr


def test_a_label_without_a_text_or_of_nobody_is_one_message(undrawn):
    without = hpo("report", undrawn, "--label", "random")
    assert without.exit_code == 1
    assert "--label random: expected NAME=TEXT" in without.stderr
    nobody = hpo("report", undrawn, "--label", "nobody=X")
    assert nobody.exit_code == 1
    assert "nobody" in nobody.stderr


@pytest.mark.usefixtures("finals_drawn")
def test_a_report_is_made_while_another_process_writes(finished):
    with Store.write(finished) as store, store._transaction():
        store._writer.text("note", "not yet committed")
        assert hpo("report", finished).exit_code == 0


@pytest.mark.usefixtures("undrawn")
def test_a_report_warns_of_runs_in_which_everything_failed(tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    run_experiment(load(tmp_path / "failing.py"), out=tmp_path / "out")
    done = hpo("report", tmp_path / "out")
    assert done.exit_code == 0
    assert "warning: random on broken, seed 0: all " in done.stderr


# -- lists


def test_every_problem_is_listed():
    text = hpo("problems").stdout
    for row in registry.problems():
        assert f"\n {row.name} " in text


def test_every_strategy_is_listed_with_its_options():
    text = hpo("strategies").stdout
    names = [strategy.__name__ for strategy in listings._strategies()]
    assert {"Grid", "Hyperband", "Random"} <= set(names)
    for name in names:
        assert f"\n {name} " in text
    for option in ("points = None", "eta = 3", "rounding = 'ceil'", "kind = 'uniform'"):
        assert option in text


def test_help_lists_the_commands_and_the_exit_codes():
    text = hpo("--help").stdout
    for command in ("run", "report", "status", "export", "table", "problems", "doctor"):
        assert f" {command} " in text
    assert "Exit codes: 0 all runs are finished; 1 an error" in hpo("run", "--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_lists_its_exit_codes(command):
    assert "Exit codes: 0 " in " ".join(hpo(command, "--help").stdout.split())


# -- doctor


def test_every_kernel_is_bit_equal_on_this_machine():
    found = checks()
    kernels = {check.kernel for check in found}
    assert {"branin", "curves", "digits-mlp, one epoch", "digits-cnn, one epoch"} <= kernels
    assert {"Sobol points", "random streams"} <= kernels
    assert [check for check in found if not check.is_equal] == []


@pytest.mark.parametrize(
    ("device", "is_equal", "code"), [("cpu", True, 0), ("cpu", False, 1), ("cuda:0", False, 0)]
)
def test_doctor_fails_where_a_kernel_differs_on_the_cpu(monkeypatch, device, is_equal, code):
    found = [Check("made", device, True, is_equal, 0.0)]
    monkeypatch.setattr(doctor, "checks", lambda name: found if name == "cpu" else [])
    done = hpo("doctor")
    assert done.exit_code == code
    assert ("DIFFERS" in done.stdout) is not is_equal
    assert "torch" in done.stdout
    assert "processors" in done.stdout


def test_a_kernel_that_does_not_repeat_is_found(monkeypatch):
    calls = iter(range(100))
    monkeypatch.setattr("hpo_research.doctor._sobol", lambda items: [(next(calls),) for _ in items])
    (check,) = [check for check in checks() if check.kernel == "Sobol points"]
    assert not check.is_repeatable
    assert not check.is_alone_equal


@pytest.mark.usefixtures("finals_drawn")
def test_a_report_without_a_figure_says_which_and_exits_with_1(finished, monkeypatch):
    def fail(result):
        raise OverflowError("too large")

    monkeypatch.setattr("hpo_research.figures.draw.finals_figure", fail)
    answer = hpo("report", finished)
    assert answer.exit_code == 1
    assert (
        "error: the report has no figure “Final values” (OverflowError: too large)" in answer.stderr
    )
    assert "report.html" in answer.stdout
