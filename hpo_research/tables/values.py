"""What the strategies found: final incumbents over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from hpo_research.analysis.bootstrap import LEAST_FOR_MEDIAN, LEAST_SEEDS, Statistic, band
from hpo_research.analysis.extremes import located
from hpo_research.analysis.finals import Finals
from hpo_research.analysis.incumbents import Curve
from hpo_research.analysis.leaders import Leaders, Mark, explained, leaders_of
from hpo_research.analysis.noise_free import is_noisy
from hpo_research.analysis.result import Result
from hpo_research.records import Direction, sign
from hpo_research.tables.marks import mark, with_tests
from hpo_research.tables.table import (
    Cell,
    Table,
    breaks,
    interval,
    number,
    share,
    text,
    unrepeated,
)

RULES = {
    "last": "The value of a trial is that of its last epoch.",
    "best": "The value of a trial is its best at any epoch.",
}
"""What counts as a trial's value, by the experiment's rule `final`."""

_INTERVALS: Mapping[Statistic, tuple[int, str]] = {
    "median": (LEAST_FOR_MEDIAN, "between order statistics that hold it with at least 95%"),
    "mean": (LEAST_SEEDS, "95% percentile bootstrap over seeds (2,000 resamples)"),
}
"""From how many seeds on there is one, and what it is."""

TITLE = "Values without noise"
"""The title of the table that noisy problems have besides."""


def said(finals: Finals) -> str:
    """Return what the values of a problem are, with an arrow to where they are better."""
    metric = finals.metric.replace("_", " ")
    arrow = "↓" if sign(finals.direction) > 0 else "↑"
    if finals.is_regret:
        metric = "regret" if metric == "value" else f"{metric} regret"
    return f"{metric} {arrow}"


def led_by_median(result: Result, known: Sequence[Finals]) -> dict[str, Leaders]:
    """Return the strategies that lead by the medians that are shown."""
    return leaders_of(result, known, {own.problem: _as_losses(own) for own in known})


def _as_losses(finals: Finals) -> dict[str, float]:
    return {name: sign(finals.direction) * own for name, own in medians_of(finals).items()}


def summary_table(result: Result, known: Sequence[Finals], led: Mapping[str, Leaders]) -> Table:
    """Return the medians: a row a strategy, a column a problem; `led` is that of the medians."""
    medians = {own.problem: medians_of(own) for own in known}
    strategies = [
        name for name in result.facts.strategies if any(name in own.values for own in known)
    ]
    rows = [
        [
            text(name),
            *(number(medians[p].get(name, np.nan), mark(led, p, name)) for p in medians),
        ]
        for name in strategies
    ]
    data = pd.DataFrame(
        {
            "strategy": strategies,
            **{p: [medians[p].get(name, np.nan) for name in strategies] for p in medians},
        }
    )
    caption = (
        "Median over seeds of the best value of each run. "
        f"{explanation(result, known)}{noise(result, known)}{then(explained(led))}"
    )
    head = ["Strategy", *(f"{own.problem} ({said(own)})" for own in known)]
    return Table(
        "summary", "Medians of the final values", caption, data, head, rows, across="Problem"
    )


def then(sentences: str) -> str:
    """Return sentences that follow others, with the space between them."""
    return f" {sentences}" if sentences else ""


def explanation(result: Result, known: Sequence[Finals]) -> str:
    """Say how the values are to be read, and what of the runs is not in them."""
    sentences = ["Arrows point to better values."]
    if any(own.is_regret for own in known):
        sentences.append("Regret is the distance from the known optimum.")
    sentences.append(RULES[result.facts.final])
    for own in known:
        lacking = [
            f"{np.isnan(values).sum()} of {name}"
            for name, values in own.values.items()
            if np.isnan(values).any()
        ]
        if lacking:
            sentences.append(
                f"On {own.problem}, seeds without a value are left out: {', '.join(lacking)}."
            )
    left = len(result.runs) - len(result.over)
    if left:
        sentences.append(
            f"{left} of {len(result.runs)} runs {'is' if left == 1 else 'are'} not finished."
        )
    return " ".join(sentences)


def noise(result: Result, known: Sequence[Finals]) -> str:
    """Say of the noisy problems that their values are as reported; nothing where there is none."""
    noisy = [own.problem for own in known if is_noisy(result, own.problem)]
    if not noisy:
        return ""
    return (
        f" On {', '.join(noisy)}, values are as reported, with noise; “{TITLE}” has them without."
    )


@dataclass(frozen=True)
class Row:
    """The final values of one problem × strategy; a row of the CSV."""

    problem: str
    metric: str
    is_regret: bool
    direction: Direction
    strategy: str
    median: float
    median_low: float
    median_high: float
    lower_quartile: float
    upper_quartile: float
    mean: float
    mean_low: float
    mean_high: float
    seeds_with_value: int
    seeds: int


def finals_table(result: Result, known: Sequence[Finals], led: Mapping[str, Leaders]) -> Table:
    """Return medians, means, quartiles and intervals of `band`: a row a problem × strategy.

    `led` is that of the medians.
    """
    data = [_row(own, strategy) for own in known for strategy in own.values]
    problems = [row.problem for row in data]
    labels = {own.problem: said(own) for own in known}
    rows = [
        [
            text(problem),
            text(labels.get(problem, "")),
            *_cells(row, mark(led, row.problem, row.strategy)),
        ]
        for problem, row in zip(unrepeated(problems), data, strict=True)
    ]
    shown = intervals([row.seeds_with_value for row in data])
    caption = (
        f"The best value of each run, over seeds. {shown} "
        f"{explanation(result, known)}{noise(result, known)}{then(explained(led))}"
    )
    head = ["Problem", "Value", "Strategy", "Median", "95% interval", "Quartiles", "Mean", "Seeds"]
    frame = with_tests(pd.DataFrame(map(asdict, data)), led)
    return Table(
        "finals",
        "Final values",
        caption,
        frame,
        head,
        rows,
        breaks(problems),
        spare=("Quartiles", "Mean"),
    )


def intervals(counts: Sequence[int], statistic: Statistic = "median") -> str:
    """Say what the intervals are, and where there is none; `counts` are seeds with a value."""
    least, what = _INTERVALS[statistic]
    if max(counts) < least:
        return f"No interval is given for fewer than {least} seeds with a value."
    few = f"; none for fewer than {least} seeds with a value" if min(counts) < least else ""
    return f"The interval is that of the {statistic}: {what}{few}."


def medians_of(finals: Finals) -> dict[str, float]:
    """Return the median over the seeds with a value, NaN without any."""
    return {
        name: float(located(np.nanmedian, values)) if not np.isnan(values).all() else np.nan
        for name, values in finals.values.items()
    }


def _row(finals: Finals, strategy: str) -> Row:
    values = finals.values[strategy]
    known = values[~np.isnan(values)]
    lower, upper = np.nan, np.nan
    if len(known):
        lower, upper = located(lambda own: np.quantile(own, [0.25, 0.75]), known)
    median, median_low, median_high = bounds(finals, strategy, "median")
    mean, mean_low, mean_high = bounds(finals, strategy, "mean")
    return Row(
        finals.problem,
        finals.metric,
        finals.is_regret,
        finals.direction,
        strategy,
        median,
        median_low,
        median_high,
        lower_quartile=float(lower),
        upper_quartile=float(upper),
        mean=mean,
        mean_low=mean_low,
        mean_high=mean_high,
        seeds_with_value=len(known),
        seeds=len(values),
    )


def bounds(finals: Finals, strategy: str, statistic: Statistic) -> tuple[float, float, float]:
    """Return the statistic and its interval: those of a curve that has a single point.

    NaN bounds where `band` has none.
    """
    point = Curve(
        finals.problem,
        strategy,
        "evaluations",
        finals.direction,
        finals.seeds,
        cost=np.zeros(1),
        values=finals.values[strategy][:, None],
    )
    shown = band(point, statistic)
    return float(shown.center[0]), float(shown.low[0]), float(shown.high[0])


def _cells(row: Row, marked: Mark) -> list[Cell]:
    return [
        text(row.strategy),
        number(row.median, marked),
        interval(row.median_low, row.median_high),
        interval(row.lower_quartile, row.upper_quartile),
        number(row.mean),
        share(row.seeds_with_value, row.seeds),
    ]
