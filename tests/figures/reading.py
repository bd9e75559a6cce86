"""What a referee sees: the texts of a figure, and whether they can be read."""

from itertools import combinations

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> list[Text]:
    """Every text that is drawn; the numbers of ticks beyond the view are not."""
    hidden = {
        id(label)
        for panel in figure.axes
        for axis in (panel.xaxis, panel.yaxis)
        for label in _beyond(axis)
    }
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip()
        and text.get_visible()
        and id(text) not in hidden
        and all(panel.axison for panel in figure.axes if text in panel.findobj(Text))
    ]


def _beyond(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    slack = 1e-6 * (high - low)
    return [
        label
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        for label in (tick.label1, tick.label2)
        if not low - slack <= tick.get_loc() <= high + slack
    ]


def mistakes(figure: Figure) -> list[str]:
    """Texts that overlap, stick out of the page, or are smaller than 6 points."""
    figure.draw_without_rendering()
    shown = [(text, text.get_window_extent()) for text in texts(figure)]
    page = figure.bbox.padded(1)
    out = [
        f"{text.get_text()!r} sticks out"
        for text, box in shown
        if not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1))
    ]
    small = [f"{text.get_text()!r} is small" for text, _ in shown if text.get_fontsize() < 6]
    pairs = combinations([(text, box.padded(-0.5)) for text, box in shown], 2)
    over = [
        f"{a.get_text()!r} overlaps {b.get_text()!r}" for (a, x), (b, y) in pairs if x.overlaps(y)
    ]
    return [*out, *small, *over]
