"""What a panel of incumbent curves shows, and what must be said below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hpo_research.analysis.curves import Axis, Band, Curve, band, curve, regret
from hpo_research.analysis.result import Result

LEVEL, RESAMPLES = 0.95, 2000
_WIDE = 20.0  # values that span a larger ratio are drawn on a log axis


@dataclass(frozen=True)
class Panel:
    """One problem: a band for each strategy that has values, and how to draw them.

    `optimum` is a line to draw, None where it is unknown or the bands are distances from it;
    `notes` are sentences for readers.
    """

    problem: str
    bands: Mapping[str, Band]
    label: str
    is_log: bool
    optimum: float | None
    notes: Sequence[str]


def panel(result: Result, problem: str, axis: Axis) -> Panel:
    """Take from a result what the panel of a problem shows.

    The distance from the optimum where it is known and no run has a value beyond it (which noise
    can bring), otherwise the value. The axis is logarithmic where distances do not reach 0, and
    for positive values that span much.
    """
    facts = result.description["problems"][problem]
    present = {name.strategy for name in result.runs if name.problem == problem}
    names = [name for name in result.description["strategies"] if name in present]
    curves = {name: curve(result, problem, name, axis) for name in names}
    metric, optimum = facts["metric"].replace("_", " "), facts["optimum"]
    is_minimised = facts["direction"] == "minimize"
    label = f"best {metric} so far\n({'lower' if is_minimised else 'higher'} is better)"
    if optimum is not None:
        distances = {name: regret(c, optimum) for name, c in curves.items()}
        if all(_least(c) >= 0 for c in distances.values()):
            gap = "best so far − optimum" if is_minimised else "optimum − best so far"
            curves, label, optimum = distances, f"{metric} regret\n({gap})", None
    is_distance = facts["optimum"] is not None and optimum is None
    bands = {name: band(c, level=LEVEL, resamples=RESAMPLES) for name, c in curves.items()}
    bands = {name: b for name, b in bands.items() if not np.isnan(b.center).all()}
    seen = [_extent(b) for b in bands.values()]
    least = min((low for low, _ in seen), default=0.0)
    most = max((high for _, high in seen), default=0.0)
    is_log = least > 0 and (is_distance or most > _WIDE * least)
    notes = _notes(result, problem, curves, bands)
    return Panel(problem, bands, label, is_log, optimum, notes)


def _least(curve: Curve) -> float:
    return float(np.nanmin(curve.values)) if curve.has_value.any() else np.inf


def _extent(band: Band) -> tuple[float, float]:
    shown = np.concatenate([band.center, band.low, band.high])
    return float(np.nanmin(shown)), float(np.nanmax(shown))


def _notes(
    result: Result, problem: str, curves: Mapping[str, Curve], bands: Mapping[str, Band]
) -> list[str]:
    notes = []
    for name, drawn in curves.items():
        wanted, found = len(drawn.seeds), int(drawn.has_value.sum())
        if found < wanted:
            notes.append(f"On {problem}, {found} of the {wanted} seeds of {name} have values.")
    for a, b in combinations(bands, 2):
        if np.array_equal(curves[a].values, curves[b].values, equal_nan=True):
            notes.append(f"On {problem}, {a} and {b} coincide.")
    runs = [name for name in result.runs if name.problem == problem]
    unfinished = sum(name not in result.over for name in runs)
    if unfinished:
        notes.append(f"On {problem}, {unfinished} of {len(runs)} runs are not over.")
    return notes


def caption(panels: Sequence[Panel]) -> str:
    """Return what the lines and bands are, and the notes of all panels."""
    counts = sorted({band.seeds for shown in panels for band in shown.bands.values()})
    if not counts:
        return "No run has a value yet."
    many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    if counts[-1] == 1:
        first = "Best value so far of one seed; there is no band over one seed."
    else:
        first = (
            f"Lines: median over {many} seeds. Bands: pointwise {LEVEL:.0%} percentile bootstrap "
            f"over seeds ({RESAMPLES:,} resamples)."
        )
    return " ".join([first, *(note for shown in panels for note in shown.notes)])
