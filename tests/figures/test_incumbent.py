import re

import numpy as np
import pytest
from handmade import made
from matplotlib import image, rcParams

from hpo_research.figures.draw import draw
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.figures.panel import caption, panel
from hpo_research.rng import Stream
from hpo_research.store import RunName

KINDS = ("pdf", "svg", "png")


def histories(problems=("p",), strategies=("grid", "random"), seeds=3, n=20, least=0.5):
    return {
        RunName(p, s, k): [
            (i // 2, i % 2 + 1, least + float(value))
            for i, value in enumerate(Stream(k).at(p, s).generator().exponential(size=n))
        ]
        for p in problems
        for s in strategies
        for k in range(seeds)
    }


def test_three_formats_are_written_and_nothing_else(tmp_path):
    paths = draw(made(histories()), tmp_path / "figures")
    assert [path.name for path in paths] == [f"incumbent.{kind}" for kind in KINDS]
    assert set((tmp_path / "figures").iterdir()) == set(paths)
    assert paths[0].read_bytes().startswith(b"%PDF")
    assert b"<svg" in paths[1].read_bytes()


def test_the_same_result_gives_the_same_files(tmp_path):
    first = [path.read_bytes() for path in draw(made(histories()), tmp_path / "a")]
    assert first == [path.read_bytes() for path in draw(made(histories()), tmp_path / "b")]


def test_a_users_own_settings_change_nothing_and_stay(tmp_path, monkeypatch):
    first = draw(made(histories()), tmp_path / "a")[2].read_bytes()
    monkeypatch.setitem(rcParams, "font.size", 20.0)
    assert draw(made(histories()), tmp_path / "b")[2].read_bytes() == first
    assert rcParams["font.size"] == 20.0


def test_no_date_and_no_type_3_font_is_in_the_files(tmp_path):
    pdf, svg, _ = (path.read_bytes() for path in draw(made(histories()), tmp_path))
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf
    assert not re.search(rb"<dc:date>", svg)


def test_the_picture_is_not_blank(tmp_path):
    shown = image.imread(draw(made(histories()), tmp_path)[2])
    assert len(np.unique(shown.reshape(-1, shown.shape[2]), axis=0)) > 20


def test_there_is_a_panel_a_problem_and_a_line_a_strategy():
    figure = incumbent_figure(made(histories(("b", "a", "c", "d"))))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == ["a", "b", "c", "d"]
    assert [len(axes.lines) for axes in figure.axes[:4]] == [2, 2, 2, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["grid", "random"]


def test_a_line_is_the_median_over_seeds():
    found = {RunName("p", "s", k): [(0, 1, 3.0 + k), (0, 2, 2.0 - k)] for k in range(3)}
    (line,) = incumbent_figure(made(found)).axes[0].lines
    assert line.get_xdata().tolist() == [1, 2]
    assert line.get_ydata().tolist() == [4, 1]
    assert line.get_drawstyle() == "steps-post"


@pytest.mark.parametrize(
    ("optimum", "scale", "label"),
    [
        (0.0, "log", "log loss regret\n(best so far − optimum)"),
        (1.0, "linear", "best log loss so far\n(lower is better)"),
        (None, "linear", "best log loss so far\n(lower is better)"),
    ],
)
def test_a_known_optimum_that_is_not_passed_gives_regret(optimum, scale, label):
    axes = incumbent_figure(made(histories(least=0.9), optimum=optimum)).axes[0]
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == label


def test_a_regret_of_zero_is_drawn_on_a_linear_axis():
    found = {RunName("p", "s", k): [(0, 1, 3.0), (1, 1, 2.0)] for k in range(2)}
    shown = panel(made(found, optimum=2.0), "p", "epochs")
    assert not shown.is_log
    assert shown.bands["s"].center.tolist() == [1, 0]


def test_values_that_span_much_are_drawn_on_a_log_axis():
    found = {RunName("p", "s", 0): [(0, 1, 3.0), (1, 1, 0.1)]}
    assert panel(made(found), "p", "epochs").is_log
    assert not panel(made({RunName("p", "s", 0): [(0, 1, 3.0)]}), "p", "epochs").is_log


def test_an_optimum_that_noise_passed_is_drawn_as_a_line():
    figure = incumbent_figure(made(histories(), optimum=1.0))
    assert figure.axes[0].texts[0].get_text() == "optimum"


def told(result):
    return caption([panel(result, name, "epochs") for name in result.description["problems"]])


def test_the_caption_says_seeds_and_band():
    assert told(made(histories())) == (
        "Lines: median over 3 seeds. Bands: pointwise 95% percentile bootstrap over seeds "
        "(2,000 resamples)."
    )


def test_the_caption_says_that_one_seed_has_no_band():
    result = made(histories(seeds=1))
    assert told(result) == "Best value so far of one seed; there is no band over one seed."
    assert not incumbent_figure(result).axes[0].collections


def test_the_caption_names_lines_that_coincide():
    found = histories(strategies=["random"])
    found |= {RunName("p", "hyperband", name.seed): rows for name, rows in found.items()}
    assert "On p, random and hyperband coincide." in told(made(found))


def test_the_caption_names_seeds_without_values_and_unfinished_runs():
    found = {**histories(), RunName("p", "grid", 0): []}
    text = told(made(found, over=False))
    assert "median over 2 to 3 seeds" in text
    assert "On p, 2 of the 3 seeds of grid have values." in text
    assert "On p, 6 of 6 runs are not over." in text


def test_a_result_without_values_draws_a_panel_that_says_so(tmp_path):
    result = made({RunName("p", "s", k): [] for k in range(2)})
    assert incumbent_figure(result).axes[0].texts[0].get_text() == "no values"
    assert told(result) == "No run has a value yet."
    draw(result, tmp_path)


@pytest.mark.parametrize("strategies", [2, 7])
def test_nothing_is_cut_off_and_no_text_overlaps(strategies):
    names = [f"strategy number {i}" for i in range(strategies)]
    figure = incumbent_figure(made(histories(("a", "b", "c", "d"), names, seeds=2), optimum=0))
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes[:4]]
    boxes += [figure.legends[0].get_window_extent(), figure.texts[0].get_window_extent()]
    page = figure.bbox.padded(1)
    assert all(page.containsx(b.x0) and page.containsx(b.x1) for b in boxes)
    assert all(page.containsy(b.y0) and page.containsy(b.y1) for b in boxes)
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(a.overlaps(b) for a, b in pairs)


@pytest.mark.parametrize(
    ("axis", "label"),
    [
        ("epochs", "epochs trained in a run"),
        ("evaluations", "trials ended in a run"),
        ("seconds", "seconds of a run"),
    ],
)
def test_every_axis_can_be_drawn_and_is_named(axis, label):
    assert incumbent_figure(made(histories()), axis).axes[0].get_xlabel() == label


def test_names_are_shown_as_they_are(tmp_path):
    figure = incumbent_figure(made(histories(["$x_{", "cost in $ and $"], ["_a", "b$c$"])))
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["_a", r"b\$c\$"]
    assert figure.axes[1].get_title() == r"cost in \$ and \$"
