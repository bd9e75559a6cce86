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
from hpo_research.figures.draw import attempt, draw
from hpo_research.records import Ask, resume, start
from hpo_research.store import RunName

KINDS = ("pdf", "svg", "png")


@pytest.fixture(scope="module")
def small():
    return made(histories(n=6, seeds=2))


def begun(result, prefix):
    """The figures of a result whose names begin so, not yet saved."""
    made_here = [own.make() for own in drawing.sketches(result) if own.name.startswith(prefix)]
    return [picture for picture in made_here if picture is not None]


def names(result, prefix):
    return [picture.name for picture in begun(result, prefix)]


def sparing(result, *strategies):
    """The same result, whose trials of some strategies pause at epoch 1."""
    asks = (Ask((start({"x": 0.5}, 1, ""),)), Ask((resume(0, 2),)))
    runs = {
        name: replace(run, asks=asks) if name.strategy in strategies else run
        for name, run in result.runs.items()
    }
    asked = {name: [(0, 0.0)] * len(run.asks) for name, run in runs.items()}
    return changed(changed(result, "run", runs), "asked", asked)


def several():
    """A result of two strategies that spare epochs; made anew at each call."""
    found = made(histories(strategies=["b/c", "B c"], n=6, seeds=2), optimum=0)
    return sparing(found, "b/c", "B c")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn") / "figures"


@pytest.fixture(scope="module")
def drawn(place):
    """All figures of that result."""
    return draw(several(), place)


def test_three_formats_of_each_figure_are_written_and_nothing_else(drawn, place):
    assert [figure.name for figure in drawn] == [
        "incumbent",
        "incumbent-seconds",
        "ranks",
        "improvement",
        "running-times",
        "profiles",
        "finals",
        "speed-ups",
        "search-times",
        # Names of files are plain, and differ.
        "learning-curves-b-c",
        "learning-curves-b-c-2",
    ]
    for figure in drawn:
        assert [path.name for path in figure.paths] == [f"{figure.name}.{kind}" for kind in KINDS]
        assert figure.paths[0].read_bytes().startswith(b"%PDF")
        assert b"<svg" in figure.paths[1].read_bytes()
        assert figure.title
        assert figure.caption.endswith(".")
    assert set(place.iterdir()) == {p for f in drawn for p in f.paths}


def test_the_same_result_gives_the_same_files(drawn, tmp_path):
    def files(figures):
        return [path.read_bytes() for figure in figures for path in figure.paths]

    assert files(draw(several(), tmp_path)) == files(drawn)


def test_a_users_own_settings_are_respected_and_stay(small, monkeypatch):
    monkeypatch.setitem(rcParams, "font.size", 11.0)
    monkeypatch.setitem(rcParams, "axes.prop_cycle", cycler(color=["#112233", "tab:red"]))
    axes = begun(small, "incumbent")[0].figure.axes[0]
    assert axes.xaxis.label.get_fontsize() == 11.0
    assert axes.xaxis.get_ticklabels()[0].get_fontsize() == 10.0
    drawn = [line.get_color() for line in axes.lines if not line.get_label().startswith("_")]
    assert drawn == ["#112233", "#d62728"]
    assert rcParams["font.size"] == 11.0


@pytest.fixture(scope="module")
def incumbent(small, tmp_path_factory):
    """A single figure, as files."""
    (figure,) = attempt(small, tmp_path_factory.mktemp("incumbent"), names=["incumbent"])
    return figure


@pytest.mark.parametrize(
    ("setting", "value"),
    [("savefig.bbox", "tight"), ("pdf.fonttype", 3), ("text.usetex", True), ("svg.hashsalt", "x")],
)
def test_what_would_break_a_file_is_no_setting_of_the_users(
    small, incumbent, tmp_path, monkeypatch, setting, value
):
    monkeypatch.setitem(rcParams, setting, value)
    (again,) = attempt(small, tmp_path, names=["incumbent"])
    assert [p.read_bytes() for p in again.paths] == [p.read_bytes() for p in incumbent.paths]


def test_no_date_and_no_type_3_font_is_in_the_files(drawn):
    for figure in drawn:
        pdf, svg, _ = (path.read_bytes() for path in figure.paths)
        assert b"CreationDate" not in pdf
        assert b"/Type3" not in pdf
        assert b"/CIDFontType2" in pdf
        assert not re.search(rb"<dc:date>", svg)


def test_the_caption_is_in_the_files_and_not_in_the_picture(small, incumbent):
    assert Image.open(incumbent.paths[2]).text["Description"] == incumbent.caption
    assert incumbent.caption.encode() in incumbent.paths[1].read_bytes()
    texts = [text.get_text() for text in begun(small, "incumbent")[0].figure.texts]
    assert incumbent.caption not in texts


def test_no_picture_is_blank_in_grey(drawn):
    for figure in drawn:
        shown = image.imread(figure.paths[2])[..., :3].mean(axis=-1)
        assert len(np.unique(shown)) > 20
        assert shown.min() < 0.4


def test_problems_of_one_epoch_are_drawn_over_evaluations_alone():
    found = begun(made(histories(n=6), max_epochs=1), "incumbent")
    assert found[0].name == "incumbent"
    assert found[0].figure.axes[0].get_xlabel() == "evaluations in a run"
    assert "incumbent-evaluations" not in [picture.name for picture in found]


def test_evaluations_are_drawn_where_trials_are_trained_to_the_end():
    result = made(histories(n=6), max_epochs=2)
    assert names(result, "incumbent")[:2] == ["incumbent", "incumbent-evaluations"]
    assert names(made(histories(n=6), max_epochs=9), "incumbent-evaluations") == []


def test_there_are_learning_curves_of_each_strategy_that_spares_epochs():
    found = made(histories(strategies=["a", "b/c", "b c"], n=6, seeds=2))
    spared = sparing(found, "a", "b/c")
    assert names(spared, "learning") == ["learning-curves-a", "learning-curves-b/c"]


def test_one_strategy_has_no_ranks():
    assert names(made(histories(strategies=["s"], n=6)), "ranks") == []


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


def test_a_figure_that_cannot_be_drawn_keeps_no_other_from_it(tmp_path, broken):
    small = made(histories(strategies=["s"], n=6, seeds=2))
    (finals,) = attempt(small, tmp_path, names=["finals"])
    assert (finals.name, finals.title, finals.paths) == ("finals", "Final values", ())
    assert finals.reason == "ZeroDivisionError: of a test"
    with pytest.raises(ZeroDivisionError, match="of a test"):
        draw(small, tmp_path)
    assert len(list(tmp_path.glob("*.svg"))) > 1


def test_a_full_disk_is_the_reason_of_every_figure(small, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(drawing, "_save", full)
    drawn = attempt(small, tmp_path, names=["incumbent", "ranks", "finals"])
    assert len(drawn) == 3
    assert all(isinstance(figure.error, StoreWriteError) for figure in drawn)
    assert drawn[0].reason.endswith("could not be written (No space left on device)")
    assert not list(tmp_path.rglob("*.p*"))
