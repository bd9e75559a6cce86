"""Figures as files."""

import errno
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from cycler import cycler
from handmade import changed, histories, made
from matplotlib import image, rcParams
from PIL import Image

from hpo_research.errors import StoreWriteError
from hpo_research.figures import draw as drawing
from hpo_research.figures.draw import attempt, draw, pictures
from hpo_research.records import Ask, resume, start
from hpo_research.store import RunName

KINDS = ("pdf", "svg", "png")


@pytest.fixture
def small():
    return made(histories(n=6, seeds=2))


def names(result):
    return [picture.name for picture in pictures(result)]


def sparing(result, *strategies):
    """The same result, whose trials of some strategies pause at epoch 1."""
    asks = (Ask((start({"x": 0.5}, 1, ""),)), Ask((resume(0, 2),)))
    runs = {
        name: replace(run, asks=asks) if name.strategy in strategies else run
        for name, run in result.runs.items()
    }
    asked = {name: [(0, 0.0)] * len(run.asks) for name, run in runs.items()}
    return changed(changed(result, "run", runs), "asked", asked)


def test_three_formats_of_each_figure_are_written_and_nothing_else(small, tmp_path):
    drawn = draw(small, tmp_path / "figures")
    assert [figure.name for figure in drawn] == [
        "incumbent",
        "incumbent-seconds",
        "ranks",
        "improvement",
        "running-times",
        "profiles",
        "finals",
        "speed-ups",
    ]
    for figure in drawn:
        assert [path.name for path in figure.paths] == [f"{figure.name}.{kind}" for kind in KINDS]
        assert figure.paths[0].read_bytes().startswith(b"%PDF")
        assert b"<svg" in figure.paths[1].read_bytes()
        assert figure.title
        assert figure.caption.endswith(".")
    assert set((tmp_path / "figures").iterdir()) == {p for f in drawn for p in f.paths}


def test_the_same_result_gives_the_same_files(tmp_path):
    def files(folder):
        result = sparing(made(histories(n=6, seeds=2), optimum=0), "grid")
        return [path.read_bytes() for figure in draw(result, folder) for path in figure.paths]

    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_users_own_settings_are_respected_and_stay(small, monkeypatch):
    monkeypatch.setitem(rcParams, "font.size", 11.0)
    monkeypatch.setitem(rcParams, "axes.prop_cycle", cycler(color=["#112233", "tab:red"]))
    axes = pictures(small)[0].figure.axes[0]
    assert axes.xaxis.label.get_fontsize() == 11.0
    assert axes.xaxis.get_ticklabels()[0].get_fontsize() == 10.0
    drawn = [line.get_color() for line in axes.lines if not line.get_label().startswith("_")]
    assert drawn == ["#112233", "#d62728"]
    assert rcParams["font.size"] == 11.0


@pytest.mark.parametrize(
    ("setting", "value"),
    [("savefig.bbox", "tight"), ("pdf.fonttype", 3), ("text.usetex", True), ("svg.hashsalt", "x")],
)
def test_what_would_break_a_file_is_no_setting_of_the_users(
    small, tmp_path, monkeypatch, setting, value
):
    def files(folder):
        (figure,) = attempt(small, folder, names=["incumbent"])
        return [path.read_bytes() for path in figure.paths]

    first = files(tmp_path / "a")
    monkeypatch.setitem(rcParams, setting, value)
    assert files(tmp_path / "b") == first


def test_no_date_and_no_type_3_font_is_in_the_files(small, tmp_path):
    for figure in draw(small, tmp_path):
        pdf, svg, _ = (path.read_bytes() for path in figure.paths)
        assert b"CreationDate" not in pdf
        assert b"/Type3" not in pdf
        assert b"/CIDFontType2" in pdf
        assert not re.search(rb"<dc:date>", svg)


def test_the_caption_is_in_the_files_and_not_in_the_picture(small, tmp_path):
    (figure,) = attempt(small, tmp_path, names=["incumbent"])
    assert Image.open(figure.paths[2]).text["Description"] == figure.caption
    assert figure.caption.encode() in figure.paths[1].read_bytes()
    texts = [text.get_text() for text in pictures(small)[0].figure.texts]
    assert figure.caption not in texts


def test_no_picture_is_blank_in_grey(small, tmp_path):
    for figure in draw(small, tmp_path):
        shown = image.imread(figure.paths[2])[..., :3].mean(axis=-1)
        assert len(np.unique(shown)) > 20
        assert shown.min() < 0.4


def test_problems_of_one_epoch_are_drawn_over_evaluations_alone():
    found = pictures(made(histories(n=6), max_epochs=1))
    assert found[0].name == "incumbent"
    assert found[0].figure.axes[0].get_xlabel() == "evaluations in a run"
    assert "incumbent-evaluations" not in [picture.name for picture in found]


def test_evaluations_are_drawn_where_trials_are_trained_to_the_end():
    result = made(histories(n=6), max_epochs=2)
    assert names(result)[:2] == ["incumbent", "incumbent-evaluations"]
    assert "incumbent-evaluations" not in names(made(histories(n=6), max_epochs=9))


def test_there_are_learning_curves_of_each_strategy_that_spares_epochs():
    found = made(histories(strategies=["a", "b/c", "b c"], n=6, seeds=2))
    assert names(sparing(found, "a", "b/c"))[-2:] == ["learning-curves-a", "learning-curves-b/c"]


def test_names_of_files_are_plain_and_differ(tmp_path):
    found = sparing(made(histories(strategies=["b/c", "B c"], n=6, seeds=1)), "b/c", "B c")
    drawn = draw(found, tmp_path)
    assert [f.name for f in drawn[-2:]] == ["learning-curves-b-c", "learning-curves-b-c-2"]
    assert all(path.parent == tmp_path for figure in drawn for path in figure.paths)


def test_one_strategy_has_no_ranks():
    assert "ranks" not in names(made(histories(strategies=["s"], n=6)))


def test_a_result_without_values_has_one_figure_that_says_so(tmp_path):
    (figure,) = draw(made({RunName("p", s, k): [] for s in "ab" for k in range(2)}), tmp_path)
    assert figure.name == "incumbent"
    assert figure.caption == "No run has a value yet."


# --- what cannot be drawn ---

MAX = sys.float_info.max


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("values", [(0.1, MAX, 1e200, 0.2), (-MAX, MAX), (5e-324, 1e300, 1e-310)])
def test_huge_values_are_drawn(values, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_metadata", lambda picture, command: {"svg": {"Date": None}})
    found = made(
        {
            RunName("p", s, seed): [(i, 1, values[(i + seed) % len(values)]) for i in range(3)]
            for s in ("a", "b")
            for seed in range(2)
        },
        max_epochs=1,
    )
    captions = " ".join(figure.caption for figure in draw(found, tmp_path))
    assert "are drawn at that limit; tables have the true values" in captions


@pytest.fixture
def broken(monkeypatch):
    def fail(result):
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr(drawing, "finals_figure", fail)


def test_a_figure_that_cannot_be_drawn_keeps_no_other_from_it(small, tmp_path, broken):
    (finals,) = (figure for figure in attempt(small, tmp_path) if figure.error is not None)
    assert (finals.name, finals.title, finals.paths) == ("finals", "Final values", ())
    assert finals.reason == "ZeroDivisionError: of a test"
    assert len(list(tmp_path.glob("*.svg"))) > 3
    with pytest.raises(ZeroDivisionError, match="of a test"):
        draw(small, tmp_path)


def test_a_full_disk_is_the_reason_of_every_figure(small, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drawing, "_save", full)
    drawn = attempt(small, tmp_path)
    assert all(isinstance(figure.error, StoreWriteError) for figure in drawn)
    assert drawn[0].reason.endswith("could not be written (No space left on device)")
    assert not list(tmp_path.rglob("*.p*"))
