"""How the cost of an ask grows with the runs, the trials known, the dimension and the batch.

Cost is processor time, which on one thread is what the clock says of an idle machine.
"""

from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

import hpo_research as hpo
from benchmarks.beside import shown
from benchmarks.record import Json, sat
from benchmarks.speed import rivals
from benchmarks.speed.cases import Case, losses, points, runs
from benchmarks.speed.clock import Contender, duel
from benchmarks.speed.measured import markdown
from benchmarks.speed.page import COMMAND
from hpo_research.figures.style import COLUMN, SMALL, dressed, look, ruled, styled

FIGURES = Path(__file__).parents[1] / "figures"
BASE = Case(1, n=100, d=6, q=4)
TOGETHER = 8
VALUES = {
    "runs": (1, 2, 4, 8, 16, 32, 64),
    "n": (25, 50, 100, 200, 400),
    "d": (2, 5, 10, 20, 50, 100),
    "q": (1, 2, 4, 8, 16),
}
_TINY = {"runs": (1, 2), "n": (12, 20), "d": (2, 3), "q": (1, 2)}
LABELS = {
    "runs": "runs asked at once",
    "n": "trials known to each run",
    "d": "hyperparameters",
    "q": "points asked for",
}
ALONE, MANY, RIVAL = "one run alone", f"{TOGETHER} runs at once", "BoTorch, one run"
_TIMES, _DOTS = 3, 300


def measured(*, is_quick: bool) -> list[Json]:
    """Time asks along each axis, the others staying as in `BASE`; seconds are those of a run."""
    base = replace(BASE, n=14, q=1, d=2) if is_quick else BASE
    found: list[Json] = []
    for axis, values in (_TINY if is_quick else VALUES).items():
        for value in values:
            case = replace(base, **{axis: value})
            found.append({"axis": axis, "value": value, "seconds": _seconds(case, axis)})
            print(found[-1], flush=True)
    return found


def _seconds(case: Case, axis: str) -> dict[str, float]:
    """Return processor seconds a run of each contender."""
    if axis == "runs":
        return {MANY.replace(f"{TOGETHER} ", ""): duel(_own(case))[0].processor}
    x, effort = points(0, case.n, case.d), rivals.Effort()
    y = losses(x)
    rival = Contender(
        lambda: lambda: rivals.botorch_ask(x, y, case.q, effort=effort),
        times=1,
        warm=lambda: rivals.botorch_ask(x[:12], y[:12], 1, effort=effort),
    )
    names = (ALONE, MANY, RIVAL)
    times = duel(_own(case), _own(replace(case, runs=TOGETHER)), rival)
    return {name: time.processor for name, time in zip(names, times, strict=True)}


def _own(case: Case) -> Contender:
    asked, slots = runs(case), [case.q] * case.runs
    return Contender(lambda: lambda: hpo.Bayesian().ask(asked, slots), _TIMES, units=case.runs)


def text(record: Json) -> str:
    """Return the tables as Markdown, each with its figure."""
    entry = record["growth"]["all"]
    parts = [
        f"`{COMMAND} growth`: seconds of processor a run, the median of {_TIMES} asks (of BoTorch "
        f"one); what does not vary is {BASE}."
    ]
    for axis, label in LABELS.items():
        rows = [row for row in entry["measured"] if row["axis"] == axis]
        series = list(rows[0]["seconds"])
        cells = [[str(r["value"]), *(shown(r["seconds"][name]) for name in series)] for r in rows]
        parts.append(f"![{label}](figures/{_file(axis)}.png)")
        parts.append(markdown((label, *series), cells))
    return "\n\n".join([*parts, sat([("growth", entry["made_with"])])])


def _file(axis: str) -> str:
    return f"ask-over-{axis}"


def draw(found: list[Json], folder: Path = FIGURES) -> list[Path]:
    """Draw a figure for each axis, as PDF and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for axis in LABELS:
        rows = [row for row in found if row["axis"] == axis]
        with styled():
            figure = _figure(axis, rows)
            for kind in ("pdf", "png"):
                path = folder / f"{_file(axis)}.{kind}"
                dated = {"CreationDate": None} if kind == "pdf" else {"Software": None}
                figure.savefig(path, format=kind, dpi=_DOTS, metadata=dated)
                paths.append(path)
    return paths


def _figure(axis: str, rows: list[Json]) -> Figure:
    figure = Figure(figsize=(COLUMN, 2.2), layout="constrained")
    axes = dressed(figure.subplots())
    values = [row["value"] for row in rows]
    for i, name in enumerate(rows[0]["seconds"]):
        own, drawn = [row["seconds"][name] for row in rows], look(i)
        axes.plot(
            values,
            own,
            color=drawn.color,
            linestyle=drawn.dash,
            marker=drawn.marker,
            markersize=3.5,
            linewidth=1.2,
            label=name,
        )
    axes.set_xscale("log", base=2 if axis in ("runs", "q") else 10)
    axes.set_yscale("log")
    ticks = _round([seconds for row in rows for seconds in row["seconds"].values()])
    axes.set_ylim(ticks[0], ticks[-1])
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
    axes.set_xlabel(LABELS[axis])
    axes.set_ylabel("processor seconds a run")
    ruled(axes, "y")
    if len(rows[0]["seconds"]) > 1:
        figure.legend(
            loc="outside upper center", ncols=3, frameon=False, handlelength=2.2, fontsize=SMALL
        )
    return figure


def _round(seconds: list[float]) -> list[float]:
    """Return the numbers 1, 2, 5, 10 and so on from below the least to above the largest."""
    known = [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)]
    first = max(i for i, number in enumerate(known) if number <= min(seconds))
    last = min(i for i, number in enumerate(known) if number >= max(seconds))
    return known[first : last + 1]
