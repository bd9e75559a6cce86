"""The comparison of recorded searches, as Markdown.

Runs are paired: only those of a problem, q and seed that every record holds are compared. A regret
at n evaluations is the least of the first n, clipped at 1e-10, below which COCO's own rounding
decides. The instances of a function at one dimension are repetitions of one problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from benchmarks.regret.problems import GROUPS, SYNTHETIC, place
from benchmarks.regret.reach import curves, reach
from benchmarks.regret.record import Key, Line
from hpo_research.analysis.bootstrap import LEAST_SEEDS
from hpo_research.analysis.significance import holm, signed_rank
from hpo_research.errors import StoreError
from hpo_research.rng import Stream

AT = (10, 20, 30, 60)
FLOOR = 1e-10
KINDS = (*GROUPS, "tables", SYNTHETIC)
_RESAMPLES = 2000

Records = Mapping[str, Mapping[Key, Line]]


@dataclass(frozen=True)
class Compared:
    """Log10 regrets of the strategies on what they share: `by` holds a matrix a problem."""

    strategies: tuple[str, ...]
    by: Mapping[str, Float[np.ndarray, "strategies pairs"]]
    kinds: Mapping[str, str]
    seeds: int

    @property
    def pairs(self) -> int:
        """How many runs of each strategy are compared."""
        return sum(own.shape[1] for own in self.by.values())

    @cached_property
    def ranks(self) -> dict[str, Float[np.ndarray, " strategies"]]:
        """Each problem's mean ranks over its pairs; 1 is best, ties share the mean of theirs."""
        return {name: rankdata(own, axis=0).mean(axis=1) for name, own in self.by.items()}

    def mean_rank(self, kind: str | None = None) -> Float[np.ndarray, " strategies"]:
        """Return the mean over problems (of one class) of their mean ranks."""
        own = [rank for name, rank in self.ranks.items() if kind in (None, self.kinds[name])]
        return np.mean(own, axis=0) if own else np.full(len(self.strategies), np.nan)

    def quantile(self, q: float) -> Float[np.ndarray, " strategies"]:
        """Return the median over problems of the quantile of log10 regret over pairs."""
        return _middle(self.by.values(), q)

    def interval(self, level: float = 0.95) -> Float[np.ndarray, "2 strategies"]:
        """Return the percentile bootstrap of `quantile(0.5)`.

        Pairs are resampled within each problem, for all strategies alike; NaN where a problem has
        fewer than `LEAST_SEEDS` of them.
        """
        if min(own.shape[1] for own in self.by.values()) < LEAST_SEEDS:
            return np.full((2, len(self.strategies)), np.nan)
        generator = Stream(0).at("bootstrap").generator()
        medians = []  # a problem: strategies resamples
        for own in self.by.values():
            n = own.shape[1]
            drawn = generator.integers(n, size=(_RESAMPLES, n))
            medians.append(np.median(own[:, drawn], axis=2))
        bounds = [(1 - level) / 2, (1 + level) / 2]
        return np.quantile(np.median(medians, axis=0), bounds, axis=1)

    def duels(self) -> list["Duel"]:
        """Compare the first strategy with each other one, over problems."""
        means = np.stack([own.mean(axis=1) for own in self.by.values()], axis=1)
        differences = means[0] - means[1:]
        p = [signed_rank(row) for row in differences]
        return [
            Duel(other, *(int(hit.sum()) for hit in (row < 0, row == 0, row > 0)), *ps)
            for other, row, *ps in zip(self.strategies[1:], differences, p, holm(p), strict=True)
        ]


@dataclass(frozen=True)
class Duel:
    """The first strategy against another: problems won, tied and lost by mean log10 regret.

    `p` is of Wilcoxon's two-sided signed-rank test, `p_holm` corrected for all its comparisons.
    """

    other: str
    wins: int
    ties: int
    losses: int
    p: float
    p_holm: float


def shared(records: Records, q: int, evaluations: int) -> list[Key]:
    """Return the runs of so many evaluations that all records hold."""
    return [
        key
        for key in sorted(set.intersection(*(set(lines) for lines in records.values())))
        if key[1] == q and all(len(lines[key].regrets) >= evaluations for lines in records.values())
    ]


def compare(records: Records, q: int, evaluations: int) -> Compared | None:
    """Return the comparison at so many evaluations, None where the records share no run."""
    keys = shared(records, q, evaluations)
    if not keys:
        return None
    columns: dict[str, list[list[float]]] = {}
    kinds = {}
    for key in keys:
        where = place(key[0])
        kinds[where.problem] = where.kind
        found = [max(lines[key].best(evaluations), FLOOR) for lines in records.values()]
        columns.setdefault(where.problem, []).append(found)
    by = {name: np.log10(np.array(found).T) for name, found in columns.items()}
    return Compared(tuple(records), by, kinds, len({seed for _, _, seed in keys}))


def markdown(records: Records, evaluations: Sequence[int] = AT) -> str:
    """Return the comparison at each q and number of evaluations that the records share.

    Raises `StoreError` for fewer than two records, or where they share no run.
    """
    if len(records) < 2:
        raise StoreError(f"a table compares two records or more, got {', '.join(records) or '0'}")
    batches = sorted({key[1] for lines in records.values() for key in lines})
    parts = []
    for q in batches:
        found = [n for n in evaluations if shared(records, q, n)]
        parts += [_part(made, q, n) for n in found if (made := compare(records, q, n))]
        if found:
            parts.append(_reached(records, q, max(found)))
    if not parts:
        raise StoreError(f"{', '.join(records)} share no run of {min(evaluations)} evaluations")
    return "\n\n".join([*parts, _CAPTION])


_CAPTION = (
    "Mean rank: over problems, each the mean over its paired runs; 1 is best. Log10 regret is "
    "clipped at −10; its median is the median over problems of the medians over runs, with the "
    "95% percentile bootstrap over runs; the worst quartile likewise from each problem's upper "
    "quartile. Won, tied, lost: problems, by mean log10 regret, of the first strategy against the "
    "row's; p: Wilcoxon's signed-rank test over problems, corrected by Holm for the rows. "
    "Evaluations to a regret: on each problem the first at which the median over the first "
    "strategy's runs is at most the other's median at the end (one more than there are where "
    "there is none), then the median over problems, with the 95% percentile bootstrap over runs."
)


def _part(compared: Compared, q: int, evaluations: int) -> str:
    rank = compared.mean_rank()
    by_kind = {kind: compared.mean_rank(kind) for kind in KINDS if kind in compared.kinds.values()}
    median, worst, (low, high) = (
        compared.quantile(0.5),
        compared.quantile(0.75),
        compared.interval(),
    )
    against = {duel.other: duel for duel in compared.duels()}
    head = ["Strategy", "Mean rank", *by_kind, "Log10 regret", "Worst quartile"]
    head += [f"{compared.strategies[0]}: won, tied, lost", "p (Holm)"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for i in np.argsort(rank, kind="stable"):
        name = compared.strategies[i]
        duel = against.get(name)
        rows.append(
            [
                name,
                _marked(rank, i),
                *(_marked(own, i) for own in by_kind.values()),
                f"{median[i]:.2f}"
                + ("" if np.isnan(low[i]) else f" [{low[i]:.2f}, {high[i]:.2f}]"),
                f"{worst[i]:.2f}",
                f"{duel.wins}, {duel.ties}, {duel.losses}" if duel else "",
                shown_p(duel.p_holm) if duel else "",
            ]
        )
    title = (
        f"### q = {q}, {evaluations} evaluations: {len(compared.by)} problems, "
        f"{compared.pairs} runs of each, {compared.seeds} seeds"
    )
    return "\n".join([title, "", *("| " + " | ".join(row) + " |" for row in rows)])


def _reached(records: Records, q: int, end: int) -> str:
    by = curves(records, shared(records, q, end), end, FLOOR)
    first, *_ = records
    head = ["Strategy", f"Evaluations of {first} to its regret", "on so many problems"]
    rows = [head, ["---", "---:", "---:"]]
    for own in reach(tuple(records), by):
        interval = (
            "" if np.isnan(own.low) else f" [{_count(own.low, end)}, {_count(own.high, end)}]"
        )
        rows.append(
            [own.other, _count(own.evaluations, end) + interval, f"{own.reached}/{len(by)}"]
        )
    title = f"#### q = {q}: how soon {first} has the regret of each after {end} evaluations"
    return "\n".join([title, "", *("| " + " | ".join(row) + " |" for row in rows)])


def _count(evaluations: float, end: int) -> str:
    return f"{round(evaluations, 1):g}" if evaluations <= end else f"> {end}"


def _middle(by: Iterable[np.ndarray], q: float) -> Float[np.ndarray, " strategies"]:
    return np.median([np.quantile(own, q, axis=1) for own in by], axis=0)


def _marked(values: Float[np.ndarray, " strategies"], i: int) -> str:
    return f"**{values[i]:.2f}**" if values[i] == values.min() else f"{values[i]:.2f}"


def shown_p(value: float) -> str:
    """Return a p value for people, a dash where there is none."""
    if np.isnan(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
