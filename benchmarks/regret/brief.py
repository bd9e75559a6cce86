"""The comparison of recorded searches on one line each, at several numbers of evaluations."""

from collections.abc import Mapping, Sequence

from benchmarks.regret.record import Key, Line
from benchmarks.regret.table import compare, shown_p
from hpo_research.errors import StoreError

_CAPTION = (
    "After so many evaluations: the mean rank; on how many problems the row is ahead of the first, "
    "on how many behind, by mean log10 regret; p of Wilcoxon's signed-rank test over problems, "
    "corrected by Holm for the rows. Last: the median log10 regret at the end."
)


def brief(records: Mapping[str, Mapping[Key, Line]], evaluations: Sequence[int]) -> str:
    """Return a table for each q, a row a search, a column a number of evaluations.

    Raises `StoreError` where the records share no run of so many evaluations.
    """
    batches = sorted({key[1] for lines in records.values() for key in lines})
    parts = [part for q in batches if (part := _part(records, q, evaluations))]
    if not parts:
        raise StoreError(f"{', '.join(records)} share no run of {max(evaluations)} evaluations")
    return "\n\n".join([*parts, _CAPTION])


def _part(
    records: Mapping[str, Mapping[Key, Line]], q: int, evaluations: Sequence[int]
) -> str | None:
    found = [compare(records, q, n) for n in evaluations]
    compared = [one for one in found if one is not None]
    if len(compared) < len(found):
        return None
    names = compared[0].strategies
    cells: dict[str, list[str]] = {name: [] for name in names}
    for one in compared:
        ranks, duels = one.mean_rank(), {duel.other: duel for duel in one.duels()}
        for name, rank in zip(names, ranks, strict=True):
            mark = "**" if rank == ranks.min() else ""
            duel = duels.get(name)
            against = ""
            if duel:
                against = f"; {duel.losses}, {duel.wins}; {shown_p(duel.p_holm)}"
            cells[name].append(f"{mark}{rank:.2f}{mark}{against}")
    last = compared[-1]
    head = ["Search", *map(str, evaluations), "Log10 regret"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for i, name in enumerate(names):
        rows.append([name, *cells[name], f"{last.quantile(0.5)[i]:.2f}"])
    title = f"### q = {q}: {len(last.by)} problems, {last.pairs} runs of each"
    return "\n".join([title, "", *("| " + " | ".join(row) + " |" for row in rows)])
