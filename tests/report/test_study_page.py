"""The page of a single study: the answer first, and nothing that compares."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from doubles import SPACE
from handmade import histories, made

import hpo_research as hpo
from hpo_research import report
from hpo_research.analysis.best import FORMS
from hpo_research.analysis.result import Result
from hpo_research.report.study import study
from hpo_research.tables import tables
from tests.report.pages import Page


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Figures have tests of their own, and take their time."""
    monkeypatch.setattr("hpo_research.report.report.attempt", lambda *_, **__: [])


@pytest.fixture
def folder(tmp_path) -> Path:
    """A study of 20 trials to be maximised: two kinds of failures, one trial under way."""
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path, direction="maximize") as own:
        for trial in own.ask(19):
            if trial.id in (3, 5, 8):
                own.fail(trial.id, f"lr 0.{trial.id} <diverged>")
            elif trial.id == 4:
                own.fail(trial.id, "out of memory")
            else:
                own.tell(trial.id, float(trial.id))
        own.ask(1)
    return tmp_path


def test_the_answer_stands_first_in_every_form(folder):
    page = report.write(folder, folder).read_text(encoding="utf-8")
    assert page.index('id="best"') < page.index("<h2>Figures</h2>")
    best = Result.read(folder).best()
    assert best is not None and best.trial == 18
    copied = [html.unescape(text) for text in re.findall(r"<dd><pre>(.*?)</pre>", page, re.DOTALL)]
    assert copied == [form(best.config) for form in FORMS.values()]
    assert "value, higher is better" in page and "trial 18, epoch 1" in page


def test_how_trials_ended_is_counted_and_failures_have_reasons(folder):
    page = Page(report.write(folder, folder).read_text(encoding="utf-8"))
    assert page.open == []
    assert "finished running failed 15 1 4" in page.text
    alike = "3 lr 0.3 <diverged> (and alike, with other numbers) 3, 5 and 8"
    assert alike in page.text and "1 out of memory 4" in page.text
    assert "Not finished yet: 20 trials when this page was made." in page.text


def test_nothing_is_compared(folder):
    text = Page(report.write(folder, folder).read_text(encoding="utf-8")).text
    assert not re.search(r"[Mm]edian|[Rr]ank|[Qq]uartile|↑|↓|Pairwise|over seeds", text)
    assert sorted(path.stem for path in folder.glob("tables/*.csv")) == ["trials"]


def test_the_best_trials_are_shown_and_the_file_has_all(folder):
    report.write(folder, folder)
    (table,) = tables(Result.read(folder))
    assert [row[0].text for row in table.rows] == [str(i) for i in range(18, 8, -1)]
    assert table.caption.startswith("The best 10 of 15 trials that have a value; ")
    assert len(pd.read_csv(folder / "tables/trials.csv")) == 20


def test_where_values_are_noisy_the_page_says_which_to_use(folder, monkeypatch):
    result = Result.read(folder)
    observed = result.best()
    assert observed is not None
    other = replace(observed, trial=7, config=next(iter(result.runs.values())).trials[7].config)
    for recommended, named, said in (
        (other, ["Recommended", "Best observed"], "Use the recommended one: its mean is best"),
        (observed, ["Recommended, and best observed"], "recommends the same trial"),
    ):
        found = replace(observed, recommended=recommended)
        monkeypatch.setattr("hpo_research.report.study.best", lambda *_, own=found: [own])
        page = study(result)
        assert [own.which for own in page.answers] == named
        assert page.answers[0].forms["JSON"] == FORMS["json"](recommended.config)
        assert said in page.meaning


def test_of_several_seeds_the_best_names_its_own():
    result = made(histories(strategies=["random"], seeds=3))
    page, best = study(result), result.best()
    assert best is not None
    assert page.answers[0].place == f"trial {best.trial}, epoch {best.epoch}, seed {best.seed}"
    assert page.lead == "Finished: 30 trials in 3 runs."
    assert [table.name for table in tables(result)] == ["trials", "finals"]


def test_a_study_in_which_everything_failed_says_why(tmp_path):
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path) as own:
        for trial in own.ask(2):
            own.fail(trial.id, "no <b>GPU</b>")
    text = Page(report.write(tmp_path, tmp_path).read_text(encoding="utf-8")).text
    assert "No trial has a value yet. Trials failed 2" in text
    assert "2 no <b>GPU</b> 0 and 1" in text


def test_thirty_hyperparameters_leave_the_page_readable():
    space = {"parameters": [[f"p{i}", {}] for i in range(30)]}
    result = made(histories(strategies=["random"], seeds=1))
    result = replace(
        result,
        description={
            **result.description,
            "problems": {"p": {**result.description["problems"]["p"], "space": space}},
        },
    )
    (table, *_) = tables(result)
    assert len(table.head) == 4 + 8
    assert "8 of 30 hyperparameters" in table.caption
