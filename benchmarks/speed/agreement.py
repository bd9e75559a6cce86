"""How far the numbers of an ask move from one build to another, over fifty asks."""

import itertools
import math
from dataclasses import replace
from statistics import median

import hpo_research as hpo
from benchmarks.beside import ROOT, call
from benchmarks.record import Json
from benchmarks.speed.cases import Case, runs
from benchmarks.speed.measured import markdown
from benchmarks.speed.own import Beside
from hpo_research.threads import limited

CASES = [
    *(
        Case(1, *sizes)
        for sizes in itertools.product((10, 30, 60, 100, 150), (1, 3, 6, 12), (1, 4))
    ),
    *(Case(1, n, 6, q) for n, q in itertools.product((20, 45, 80, 120, 200), (2, 8))),
]
_TINY = (Case(1, 12, 2, 1), Case(1, 14, 1, 2))
COLUMNS = ("what of an ask", "median", "90 %", "largest")


def asked(first: int, is_quick: bool) -> list[Json]:
    """Ask every case once, and return what was fitted and chosen, as plain numbers."""
    found = []
    with limited():
        for number, case in enumerate(_TINY if is_quick else CASES):
            (run,) = runs(case)
            (ask,) = hpo.Bayesian(initial=2).ask([replace(run, seed=first + number)], [case.q])
            notes = ask.notes
            found.append(
                {
                    "case": str(case),
                    "log_evidence": notes["log_evidence"],
                    "lengthscale": notes["lengthscale"],
                    "noise": notes["noise"],
                    "acquisition": notes["acquisition"],
                    "points": [list(p.config.values()) for p in ask.proposals],
                }
            )
    return found


def measured(beside: Beside, *, is_quick: bool) -> str:
    """Ask the same with both builds, and return by how much they differ, as Markdown."""
    ours, theirs = (call(place, asked, 0, is_quick) for place in (ROOT, beside.checkout))
    pairs = list(zip(ours, theirs, strict=True))
    gaps = {
        "evidence, ours less theirs": [a["log_evidence"] - b["log_evidence"] for a, b in pairs],
        "lengthscales, largest change of their logarithms": [
            _most(a["lengthscale"], b["lengthscale"], math.log) for a, b in pairs
        ],
        "the first point, largest change of a coordinate": [
            _most(a["points"][0], b["points"][0]) for a, b in pairs
        ],
        "its acquisition value, ours less theirs": [
            a["acquisition"][0] - b["acquisition"][0] for a, b in pairs
        ],
        "all points, largest change of a coordinate": [
            max(_most(p, q) for p, q in zip(a["points"], b["points"], strict=True))
            for a, b in pairs
        ],
    }
    rows = [[what, *map(_shown, _spread(values))] for what, values in gaps.items()]
    chosen = [gap for gap in gaps["its acquisition value, ours less theirs"] if abs(gap) > 1e-6]
    better = sum(gap > 0 for gap in chosen)
    same = len(pairs) - len(chosen)
    return (
        f"{markdown(COLUMNS, rows)}\n\nOf {len(pairs)} asks {same} have a first point of the same "
        f"value to 1e-6; of the others ours is better in {better} and worse in "
        f"{len(chosen) - better}."
    )


def _most(a: list[float], b: list[float], change=float) -> float:
    return max(abs(change(x) - change(y)) for x, y in zip(a, b, strict=True))


def _spread(values: list[float]) -> tuple[float, float, float]:
    """Return the median, the nine tenths and the largest by size, with their signs."""
    ordered = sorted(values, key=abs)
    return median(values), ordered[math.ceil(0.9 * len(ordered)) - 1], ordered[-1]


def _shown(value: float) -> str:
    return f"{value:.1e}"
