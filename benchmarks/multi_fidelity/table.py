"""What is printed of the record: medians of regret and mean ranks after each quarter."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from benchmarks.multi_fidelity.record import FOLDER, Line, read
from hpo_research.errors import StoreError
from hpo_research.problems.tabulated import Tabulated

MEASURES = {
    "reported": "the best loss reported at any epoch, from the best of any run",
    "observed": "without noise, of the trial with the best last loss, from the optimum",
    "recommended": "without noise, of the trial that the search stands for, from the optimum",
}


def page(names: Sequence[str], tables: Sequence[str]) -> str:
    """Return the tables in Markdown, a section a recorded table.

    Raises `StoreError` for a search without a record where it was named alone.
    """
    known = [name for name in names if (FOLDER / f"{name}.jsonl").exists()]
    if not known:
        raise StoreError(f"none of {', '.join(names)} is recorded; `run` records them")
    records = {name: read(name) for name in known}
    kinds = [f"{table}-table{kind}" for kind in ("", "-snapped") for table in tables]
    there = {line.problem for own in records.values() for line in own.values()}
    return "\n\n".join(_section(records, kind) for kind in kinds if kind in there)


def _section(records: dict[str, dict[tuple[str, int], Line]], problem: str) -> str:
    optimum = Tabulated(problem.removesuffix("-snapped").removesuffix("-table")).optimum
    assert optimum is not None
    own = {
        name: {line.seed: line for line in lines.values() if line.problem == problem}
        for name, lines in records.items()
    }
    own = {name: by_seed for name, by_seed in own.items() if by_seed}
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in own.values())))
    parts = [f"`{problem}`: {len(own)} searches, {len(seeds)} paired seeds"]
    for measure, meaning in MEASURES.items():
        losses = {
            name: np.array([getattr(by_seed[seed], measure) for seed in seeds])
            for name, by_seed in own.items()
        }
        floor = optimum
        if measure == "reported":
            floor = min(float(values.min()) for values in losses.values())
        parts.append(f"{measure}: {meaning}\n\n{_rows(losses, floor)}")
    return "\n\n".join(parts)


def _rows(losses: dict[str, Float[np.ndarray, "seeds 4"]], floor: float) -> str:
    ranks = rankdata(np.stack(list(losses.values())), axis=0).mean(axis=1)
    lines = [
        "| search | 25 % | 50 % | 75 % | 100 % | ranks |",
        "| --- |" + " ---: |" * 4 + " --- |",
    ]
    for (name, values), own in zip(losses.items(), ranks, strict=True):
        medians = " | ".join(f"{m:.4f}" for m in np.median(values - floor, axis=0))
        lines.append(f"| {name} | {medians} | {', '.join(f'{r:.2f}' for r in own)} |")
    return "\n".join(lines)
