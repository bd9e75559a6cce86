"""What objects show of themselves in a notebook: a small table, and a line of dots.

Colours are those of the page around, or are seen on white and on black alike. Nothing is fetched
and nothing is run; text is escaped here, whoever wrote it.
"""

import html
import math
from collections.abc import Iterable, Sequence

from hpo_research.text import count, visible

WIDTH, HEIGHT = 260, 56
_EDGE = 4
_MOST_DOTS = 400
_BEST, _FAILED = "#3b82c4", "#d9622b"  # told apart on white, on black and without colours
_CELL = "padding:1px 12px 1px 0;text-align:left;vertical-align:top;background:transparent"
_TABLE = "border-collapse:collapse;border:0;margin:4px 0;background:transparent;color:inherit"
_RULE = "border:0;border-bottom:1px solid rgba(128,128,128,.5)"


def text(value: object) -> str:
    """Return text that stands for itself in a page."""
    return html.escape(visible(str(value)))


def block(title: str, *parts: str) -> str:
    """Return a title, which is text, and what is below it, which is HTML."""
    return f'<div style="margin:4px 0"><b>{text(title)}</b>{"".join(parts)}</div>'


def line(words: str) -> str:
    """Return a line of text."""
    return f"<div>{text(words)}</div>" if words else ""


def table(rows: Iterable[Sequence[object]], titles: Sequence[str] = ()) -> str:
    """Return a table of texts."""
    head = "".join(f'<th style="{_CELL};{_RULE}">{text(own)}</th>' for own in titles)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL};border:0">{text(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}">{"<tr>" + head + "</tr>" if head else ""}{body}</table>'


def sparkline(values: Sequence[float | None], sign: int = 1) -> str:
    """Return each value as a dot, the best so far as a line, and what has none as ticks below.

    `sign` is 1 where lower is better, which is down; -1 where higher is. The worst tenth is drawn
    at the edge. Empty below two values.
    """
    losses = [None if v is None or not math.isfinite(v) else sign * v for v in values]
    known = sorted(loss for loss in losses if loss is not None)
    if len(known) < 2:
        return ""
    low, high = known[0], known[math.ceil(0.9 * (len(known) - 1))]
    across = (WIDTH - 2 * _EDGE) / max(1, len(losses) - 1)

    def place(i: int, loss: float) -> tuple[float, float]:
        up = _share(loss, low, high)
        up = up if sign > 0 else 1 - up
        return _EDGE + across * i, _EDGE + (HEIGHT - 3 * _EDGE) * (1 - up)

    step = math.ceil(len(losses) / _MOST_DOTS)
    dots, ticks, path, best = [], [], "", math.inf
    for i, loss in enumerate(losses):
        x, y = place(i, low if loss is None else loss)
        if loss is None:
            ticks.append(f"M{x:.1f} {HEIGHT - 6}v5")
            continue
        if i % step == 0:
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6"/>')
        if loss < best:
            path, best = path + (f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"), loss
    few = f"; a dot is one in {step}" if step > 1 else ""
    said = f"{count(len(known), 'value')} of {len(losses)}, best {sign * low:.6g}"
    return _svg(
        said + few,
        f'<g fill="currentColor" opacity=".45">{"".join(dots)}</g>'
        f'<path d="{path}H{WIDTH - _EDGE}" fill="none" stroke="{_BEST}" stroke-width="1.8"/>'
        f'<path d="{"".join(ticks)}" stroke="{_FAILED}" stroke-width="1.5"/>',
    )


def curve(values: Sequence[float]) -> str:
    """Return values in their order as one line, from the lowest to the highest.

    Empty below two.
    """
    if len(values) < 2:
        return ""
    step = math.ceil(len(values) / _MOST_DOTS)
    low, high = min(values), max(values)
    across = (WIDTH - 2 * _EDGE) / (len(values) - 1)
    tall = HEIGHT - 3 * _EDGE
    points = [
        f"{_EDGE + across * i:.1f},{_EDGE + tall * (1 - _share(value, low, high)):.1f}"
        for i, value in enumerate(values)
        if i % step == 0 or i == len(values) - 1
    ]
    said = f"{count(len(values), 'value')}, from {low:.6g} to {high:.6g}; the last {values[-1]:.6g}"
    drawn = (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{_BEST}" stroke-width="1.8"/>'
    )
    return _svg(said, drawn)


def _share(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others, in halves: their difference may overflow."""
    span = high / 2 - low / 2
    return min(1.0, (value / 2 - low / 2) / span) if span > 0 else 0.5


def _svg(said: str, drawn: str) -> str:
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'style="display:block;margin:4px 0"><title>{text(said)}</title>{drawn}</svg>'
    )
