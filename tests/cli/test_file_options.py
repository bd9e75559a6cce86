"""Files whose `experiment` is a function, or which have several: `hpo run FILE --small`."""

import re

import pytest
from typer.testing import CliRunner

from hpo_research.analysis.result import Result
from hpo_research.cli import app, loading, selection
from hpo_research.errors import ExperimentError
from hpo_research.report.report import Published

FILE = '''
import hpo_research as hpo

def experiment(small: bool = False, dimension: int = 2) -> list[hpo.Experiment]:
    """Compare random search with itself."""
    return [
        hpo.Experiment(
            f"own-{q}",
            [hpo.problem("levy", dimension=dimension), hpo.problem("branin")],
            {"random": hpo.Random(), "sobol": hpo.Random("sobol")},
            range(1 if small else 2),
            hpo.Budget(evaluations=4),
            parallel=q,
        )
        for q in (1, 4)
    ]
'''
MAKES = "\nimport hpo_research as hpo\ndef experiment({}):\n    {}\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with the file; reports, which take seconds, are left out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(FILE)
    monkeypatch.setattr("hpo_research.report.publish", lambda result, to: Published(to / "page"))
    return tmp_path


def hpo(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_options_of_the_file_decide_what_is_run_and_are_stored(place):
    done = hpo("run", "own.py", "--small", "--quiet", "--dimension", "3", "--only", "own-4")
    assert done.exit_code == 0, done.output
    assert [folder.name for folder in (place / "results").iterdir()] == ["own-4"]
    found = Result.read(place / "results" / "own-4")
    assert set(found.description["problems"]) == {"levy-3d", "branin"}
    assert found.provenance[0]["file"]["options"] == [
        *("--small", "--dimension", "3"),
        *("--only", "own-4"),
    ]


def test_several_experiments_have_folders_of_their_own_and_one_report_is_named(place):
    arguments = ("own.py", "--small", "--only", "branin", "--only", "random", "--out", "to")
    done = hpo("run", *arguments)
    assert done.exit_code == 0, done.output
    assert {folder.name for folder in (place / "to").iterdir()} == {"own-1", "own-4"}
    assert "hpo report to/own-1 to/own-4" in done.output


def test_names_choose_experiments_and_what_is_in_them(place):
    found = loading.load_all(place / "own.py", ["--small"])
    (chosen,) = selection.among(found, ["own-4", "sobol"])
    assert (chosen.name, list(chosen.strategies), len(chosen.problems)) == ("own-4", ["sobol"], 2)
    with pytest.raises(ExperimentError, match=r"--only x: expected an experiment \(own-1, own-4\)"):
        selection.among(found, ["x"])


def test_help_lists_the_options_of_the_file(place):
    done = hpo("run", "own.py", "--", "--help")
    assert done.exit_code == 0
    assert "Compare random search with itself." in done.output and "--dimension" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own.py", "--smal"], r"No such option: --smal"),
        (["own.py", "--dimension", "x"], r"'--dimension': .*integer"),
        (["plain.py", "--small"], r"no such option or argument: --small"),
        (["--small", "own.py"], r"come after it: hpo run FILE --small"),
    ],
)
def test_a_wrong_option_is_a_usage_error(place, arguments, message):
    (place / "plain.py").write_text("experiment = 3")
    done = hpo("run", *arguments)
    assert done.exit_code == 2
    assert re.search(message, re.sub(r"[\s│]+", " ", done.output)), done.output


@pytest.mark.parametrize(
    ("parameters", "body", "message"),
    [
        ("small", "return None", r"each of its parameters needs a default: small"),
        ("", "return None", r"`experiment\(\)` must return an hpo_research.Experiment, got None"),
        ("", "return []", r"`experiment\(\)` must return an hpo_research.Experiment.* got \[\]"),
        ("", "return [3]", r"must return an hpo_research.Experiment, got 3; or a list of several"),
        ("", "return 1 / 0", r"own.py:4: ZeroDivisionError"),
        (
            "",
            'return 2 * [hpo.Experiment("a", [hpo.problem("branin")], {"r": hpo.Random()}, [0], '
            "hpo.Budget(trials=1))]",
            r"several are named a",
        ),
    ],
)
def test_a_function_that_makes_no_experiment_is_refused(place, parameters, body, message):
    (place / "own.py").write_text(MAKES.format(parameters, body))
    with pytest.raises(ExperimentError, match=message):
        loading.load_all(place / "own.py")


def test_a_file_of_several_is_not_one(place):
    with pytest.raises(ExperimentError, match=r"expected one experiment, it has own-1, own-4"):
        loading.load(place / "own.py")
