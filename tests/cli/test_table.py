"""`hpo table`: what it writes, and what it says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hpo_research
from hpo_research import recording
from hpo_research.cli.app import app
from hpo_research.problems import curve_table

SMALL = ("--configurations", "20", "--epochs", "3", "--seeds", "2", "--device", "cpu")


def table(*arguments: object):
    return CliRunner().invoke(app, ["table", *map(str, arguments)])


def test_a_table_is_written_and_becomes_a_problem(tmp_path):
    done = table("curves", *SMALL, "--out", tmp_path / "mine.npz")
    assert done.exit_code == 0, done.output
    first, last = done.stdout.splitlines()
    assert first.endswith(": 40 of 40 trainings")
    assert last.startswith(
        f"{tmp_path}/mine.npz: 20 configurations × 2 seeds × 3 epochs of curves(max_epochs=3), "
        "0 of 40 trainings diverged; 0.00 MiB"
    )
    problem = hpo_research.Tabulated(str(tmp_path / "mine.npz"))
    assert (problem.name, problem.max_epochs, problem.space.size) == ("mine-table", 3, 20)


def test_the_table_says_where_it_comes_from_and_names_no_folder(tmp_path):
    assert table("digits-mlp", *SMALL[2:], "--configurations", "2", "--out", tmp_path / "a.npz")
    facts = curve_table.read(tmp_path / "a.npz").facts
    (session,) = facts["sittings"]
    assert session["command"] == (
        "hpo table digits-mlp --configurations 2 --epochs 3 --seeds 2 --out a.npz"
    )
    assert {"commit", "versions", "python", "platform", "device", "machine"} <= session.keys()
    assert facts["data"] == "scikit-learn's 8×8 digits"
    assert str(tmp_path) not in json.dumps(facts)
    assert str(Path.home()) not in json.dumps(facts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digit-mlp",), "error: problem('digit-mlp'): did you mean digits-mlp"),
        (
            ("ackley",),
            "error: ackley: reports no epochs, so there are no learning curves to record; "
            "expected one of curves, digits-mlp, digits-cnn, ",
        ),
        (("digits-mlp-table",), "error: digits-mlp-table: is recorded already, so there are no"),
        (("digits-mlp", "--data", "x.npz"), "come with a package; leave out data='x.npz'"),
        (("mnist-cnn", "--data", "x.npz"), "x.npz: there is no such file; expected an .npz with"),
    ],
)
def test_a_mistake_is_one_message(arguments, message, tmp_path):
    done = table(*arguments, *SMALL, "--out", tmp_path / "a.npz")
    assert done.exit_code == 1
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_command_says_how_to_go_on(tmp_path, monkeypatch):
    append = recording._Parts.append

    def interrupted(parts, batch):
        append(parts, batch)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recording._Parts, "append", interrupted)
        done = table("curves", *SMALL, "--out", tmp_path / "a.npz")
    assert done.exit_code == 130
    assert "run the same command again to resume" in done.stderr
    assert table("curves", *SMALL, "--out", tmp_path / "a.npz").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
