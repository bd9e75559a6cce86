"""Areas under the regret curve, and profiles, as tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hpo_research.analysis.areas import FLOOR, Areas
from hpo_research.analysis.bootstrap import between
from hpo_research.analysis.extremes import located
from hpo_research.analysis.profiles import Profiles
from hpo_research.tables.table import (
    Cell,
    Table,
    breaks,
    count,
    interval,
    number,
    text,
    unrepeated,
)


def areas_table(found: Sequence[Areas]) -> Table:
    """Return median areas under the curve of the regret: a row a problem and strategy."""
    problems = [own.problem for own in found for _ in own.strategies]
    rows, data = [], []
    for own in found:
        for i, name in enumerate(own.strategies):
            linear, log = own.linear[i], own.log[i]
            rows.append(
                [
                    text(name),
                    count(len(own.seeds)),
                    number(float(located(np.median, linear))),
                    interval(*_bounds(linear)),
                    number(float(np.median(log))),
                    interval(*_bounds(log)),
                ]
            )
            data += [
                {
                    "problem": own.problem,
                    "strategy": name,
                    "seed": seed,
                    "area_linear": linear[j],
                    "area_log": log[j],
                    "from": own.start,
                    "to": own.end,
                    "regret": "optimum" if own.is_optimum else "best found",
                }
                for j, seed in enumerate(own.seeds)
            ]
    rows = [[text(problem), *row] for problem, row in zip(unrepeated(problems), rows, strict=True)]
    unknown = [own.problem for own in found if not own.is_optimum]
    where = f" (on {', '.join(unknown)}, from the best value of any run)" if unknown else ""
    caption = (
        f"The area under the curve of the regret, the distance from the known optimum{where}: its "
        "mean over the evaluations from that at which every run has a value to the last that all "
        "have, and the mean of its logarithm to the base 10, in which a regret below "
        f"{FLOOR:g} of the first ones' median counts as that. Less is better. Medians over the n "
        "seeds that every strategy has finished, with 95% intervals between order statistics, from "
        "6 seeds on; the CSV has every run. Nothing is marked as best: no test stands behind these "
        "numbers."
    )
    head = ["Problem", "Strategy", "n", "Area", "95%", "Log area", "95%"]
    title = "Areas under the regret curve"
    return Table("areas", title, caption, pd.DataFrame(data), head, rows, breaks(problems))


def profiles_table(found: Sequence[Profiles]) -> Table:
    """Return shares of instances solved: a row a tolerance and strategy."""
    tolerances = [f"{own.tolerance:g}" for own in found for _ in own.strategies]
    rows, data = [], []
    for own in found:
        shares = {
            "fastest": own.fastest,
            "within_twice": own.within_twice,
            "solved": own.solved,
        }
        for i, name in enumerate(own.strategies):
            row: dict[str, object] = {"tolerance": own.tolerance, "strategy": name}
            cells = []
            for column, share in shares.items():
                low, high = float(share.low[i, 0]), float(share.high[i, 0])
                cells.append(_percent(float(share.center[i, 0]), low, high))
                row |= {column: share.center[i, 0], f"{column}_low": low, f"{column}_high": high}
            rows.append([text(name), *cells])
            data.append(row | {"problems": len(own.problems), "least_seeds": min(own.seeds)})
    rows = [
        [Cell(tolerance, is_number=True), *row]
        for tolerance, row in zip(unrepeated(tolerances), rows, strict=True)
    ]
    caption = (
        "The share of instances, of a problem with a seed, problems weighted equally, on which a "
        "strategy is the fastest to solve it, or as fast; takes at most twice the "
        "evaluations of the fastest; and solves it at all. Solved: what is left to the best loss "
        "that any strategy found on the instance is at most τ of the way from the worst first "
        "loss. In brackets 95% percentile bootstrap intervals over seeds within problems, from 5 "
        "seeds on. Shares depend on who else is compared. Nothing is marked as best: no test "
        "stands behind these numbers."
    )
    head = ["τ", "Strategy", "Fastest", "Within twice", "Solved"]
    title = "Performance profiles"
    return Table("profiles", title, caption, pd.DataFrame(data), head, rows, breaks(tolerances))


def _percent(center: float, low: float, high: float) -> Cell:
    band = "" if np.isnan(low) else f" [{low:.0%}, {high:.0%}]"
    return Cell(f"{center:.0%}{band}", is_number=True)


def _bounds(values: np.ndarray) -> tuple[float, float]:
    ends = between(len(values), 0.95)
    low, high = (np.nan, np.nan) if ends is None else np.sort(values)[list(ends)]
    return float(low), float(high)
