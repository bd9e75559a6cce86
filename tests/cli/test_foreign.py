"""A results folder of somebody else whose texts are hostile: all of it is read, none obeyed."""

import json
import sqlite3
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis.result import Result
from hpo_research.cli import app
from hpo_research.cli import console as screen
from hpo_research.problems.synthetic import Synthetic
from hpo_research.store import sealing
from hpo_research.text import is_visible, visible

EVIL = "=\x1b]0;owned\x07\x1b[31m[red]:smile: <b>&$x_1$\u202e\x9b2J\0\r%\\" + "x" * 300
SEEN = visible(EVIL)
TEXTS = {".html", ".svg", ".csv", ".md", ".tex", ".json"}


def replaced(document, old: str, new: str):
    """A JSON document in which a text is another, keys included."""
    if isinstance(document, dict):
        return {replaced(k, old, new): replaced(v, old, new) for k, v in document.items()}
    if isinstance(document, list):
        return [replaced(item, old, new) for item in document]
    return new if document == old else document


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A store in which an older version, or an editor, let every name be anything."""
    folder = tmp_path_factory.mktemp("foreign")
    problem = Synthetic("branin", name="NAME")
    strategies = {"NAME": hpo.Random(), "other": hpo.Random("sobol")}
    experiment = hpo.Experiment("NAME", [problem], strategies, [0], hpo.Budget(trials=3))
    hpo.run(experiment, out=folder, device="cpu")
    with sqlite3.connect(folder / "store.sqlite") as db:
        db.execute("UPDATE run SET problem = ?", (EVIL,))
        db.execute("UPDATE run SET strategy = ? WHERE strategy = 'NAME'", (EVIL,))
        db.execute("UPDATE outcome SET status = 'failed', reason = ? WHERE run = 1", (EVIL,))
        db.execute("UPDATE proposal SET origin = ?", (EVIL,))
        for key in ("experiment", "provenance"):
            (text,) = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            document = json.loads(text)
            for old in ("NAME", "value", "x1"):  # the names, the metric and a parameter
                document = replaced(document, old, EVIL)
            if key == "provenance":
                document[0]["file"] = {"name": EVIL, "text": EVIL + "\udce9", "options": [EVIL]}
            db.execute("UPDATE meta SET value = ? WHERE key = ?", (json.dumps(document), key))
        db.execute("UPDATE report SET metrics = replace(metrics, '\"value\"', ?)", (quoted(),))
        db.execute("UPDATE proposal SET config = replace(config, '\"x1\"', ?)", (quoted(),))
        sealing.seal(db)  # as an older version would have written it
    db.close()
    return folder


def quoted() -> str:
    return json.dumps(EVIL)


def shown(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    assert is_visible(done.output) and "\x1b" not in done.output
    return done.output


def test_its_status_does_not_reach_the_terminal(foreign):
    printed = shown("status", foreign)
    assert f"{SEEN}: 2 of 2 runs finished" in printed
    assert f"warning: {SEEN} on {SEEN}, seed 0: all 3 trials failed; the first: {SEEN}" in printed


def test_its_status_as_json_is_exact(foreign):
    assert json.loads(shown("status", foreign, "--json"))["experiment"] == EVIL


def test_its_report_is_written_and_every_file_of_it_can_be_read(foreign):
    shown("report", foreign)
    files = [path for path in foreign.rglob("*") if path.suffix in TEXTS]
    assert {path.suffix for path in files} == TEXTS
    for path in files:
        assert is_visible(path.read_text(encoding="utf-8")), path
        if path.suffix == ".svg":
            ET.parse(path)
    page = (foreign / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in page and r"\udce9" in page
    manifest = json.loads((foreign / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["experiment"] == EVIL


def test_its_export_is_written_and_warns_of_formulas(foreign):
    printed = shown("export", foreign)
    assert "warning: text that a spreadsheet would run as a formula has an apostrophe" in printed
    assert "problem, strategy, origin, reason" in printed
    table = pd.read_csv(foreign / "export" / "trials.csv", keep_default_na=False)
    assert set(table["strategy"]) == {f"'{SEEN}", "other"}
    assert "is as it is, in the columns" in shown("export", foreign, "--raw")
    shown("export", foreign, "--format", "parquet")
    table = pd.read_csv(foreign / "export" / "trials.csv", keep_default_na=False)
    exact = pd.read_parquet(foreign / "export" / "trials.parquet")
    assert set(table["strategy"]) == {SEEN, "other"}
    assert set(exact["strategy"]) == {EVIL, "other"}
    assert list(table.columns) == list(exact.columns)
    assert f"config.{SEEN}" in table.columns


def test_it_can_be_read_from_python(foreign):
    result = Result.read(foreign)
    assert {name.strategy for name in result.runs} == {EVIL, "other"}
    assert len(result.frame()) == 6


def test_an_ordinary_export_warns_of_nothing(tmp_path):
    with hpo.Study(hpo.SearchSpace(x=hpo.Float(0, 1)), hpo.Random(), path=tmp_path) as study:
        study.tell(study.ask()[0].id, -1.0)
    assert "warning" not in shown("export", tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_categories_that_are_no_utf8_or_too_large_are_exported(tmp_path, kind):
    space = hpo.SearchSpace(file=hpo.Categorical(["\udce9", "a"]), n=hpo.Categorical([2**63 - 1]))
    with hpo.Study(space, hpo.Grid(), path=tmp_path) as study:
        for trial in study.ask(2):
            study.tell(trial.id, 1.0)
        assert list(study.frame()["config.file"]) == ["\udce9", "a"]
    large = json.dumps({"file": "\udce9", "n": 2**70})
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("UPDATE proposal SET config = ? WHERE trial = 0", (large,))
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'experiment'").fetchone()
        text = text.replace(str(2**63 - 1), f"{2**63 - 1}, {2**70}")
        db.execute("UPDATE meta SET value = ? WHERE key = 'experiment'", (text,))
        sealing.seal(db)
    db.close()
    shown("export", tmp_path, "--format", kind)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[kind]
    table = read(tmp_path / "export" / f"trials.{kind}")
    assert list(table["config.file"]) == [r"\udce9", "a"]
    assert list(map(int, table["config.n"])) == [2**70, 2**63 - 1]


@pytest.mark.parametrize("text", ["[red]a[/red]", ":smile:", "\x1b[31m", "[/]", "a\udce9"])
def test_a_line_and_a_cell_are_shown_as_they_are(capsys, text):
    console = screen.screen()
    table = screen.plain_table("name")
    screen.add_row(table, text)
    console.print(table)
    screen.say(console, text)
    screen.warn(text)
    said = capsys.readouterr()
    lines = [line.strip() for line in (said.out + said.err).splitlines()]
    assert lines.count(visible(text)) == 2 and f"warning: {visible(text)}" in lines


def test_an_error_and_its_traceback_are_shown_as_they_are(capsys):
    try:
        raise hpo.HpoError("\x1b[31m")
    except hpo.HpoError as error:
        screen.trace(error)
    assert capsys.readouterr().err.endswith("HpoError: \\x1b[31m\n")
