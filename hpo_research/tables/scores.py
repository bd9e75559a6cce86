"""Scores between a simple start and the optimum, as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hpo_research.analysis.scores import Scores
from hpo_research.tables.table import Table, count, number, text


def scores_table(found: Sequence[Scores], missing: Sequence[str]) -> Table:
    """Return a row a strategy: its mean score over problems, each the mean over its seeds.

    `missing` are the problems without a baseline. The CSV has every run.
    """
    strategies = list(dict.fromkeys(name for own in found for name in own.values))
    has_targets = any(own.targets for own in found)
    rows = []
    for name in strategies:
        means = _means([own.values[name] for own in found if name in own.values])
        reached = _means([own.targets[name] for own in found if name in own.targets])
        spread = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
        row = [text(name), number(_mean(means)), number(float(spread))]
        row += [number(float(means.min())), number(float(np.median(means)))] if len(means) else []
        row += [number(np.nan)] * (5 - len(row))
        if has_targets:
            row.append(number(_mean(reached)))
        rows.append([*row, count(len(means))])
    head = ["Strategy", "Mean score", "s.e.", "Worst", "Median"]
    head += [*(["Targets"] if has_targets else []), "Problems"]
    return Table(
        "scores", "Scores", _caption(found, missing, has_targets), _data(found), head, rows
    )


def _means(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean over the seeds of each problem that have a value, of those that have any."""
    return np.array([np.nanmean(own) for own in values if not np.isnan(own).all()])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _data(found: Sequence[Scores]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "problem": own.problem,
                "strategy": name,
                "seed": seed,
                "score": values[i],
                "targets": own.targets[name][i] if own.targets else np.nan,
                "start": own.baseline.start,
                "best": own.baseline.best,
                "best_is_optimum": own.baseline.is_optimum,
                "scale": own.baseline.scale,
            }
            for own in found
            for name, values in own.values.items()
            for i, seed in enumerate(own.seeds)
        ]
    )


def _caption(found: Sequence[Scores], missing: Sequence[str], has_targets: bool) -> str:
    scales = {own.baseline.scale for own in found}
    known = [own.problem for own in found if not own.baseline.is_optimum]
    parts = [
        "Scores by baselines that are stored with the package, so that they do not depend on who "
        "is compared: 0 is the mean over 50 repeats of the best of 5 Sobol points, 100 the optimum."
    ]
    if "log" in scales:
        which = "" if scales == {"log"} else " (where the CSV says so)"
        parts.append(
            f"Between them counts the logarithm of the regret{which}, from the geometric mean of "
            "the start's to 10⁻⁸, COCO's hardest target."
        )
    if has_targets:
        parts.append("Targets: the share reached of COCO's 51, from 100 to 10⁻⁸.")
    if known:
        parts.append(
            f"Of {', '.join(known)} the optimum is unknown: 100 is the best value found when the "
            "baselines were measured, and may be passed."
        )
    parts.append(
        "Seeds are averaged within a problem first; s.e., the worst and the median are over "
        "problems. Where values are noisy, a run's trial is chosen by them and counts without "
        "noise. Nothing here is tested."
    )
    if missing:
        parts.append(f"Without baselines, and left out: {', '.join(missing)}.")
    return " ".join(parts)
