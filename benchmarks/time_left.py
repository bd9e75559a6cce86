"""How well the time left is told, on synthetic clocks: `python -m benchmarks.time_left`.

Each row is an experiment that is simulated turn by turn, its seconds drawn; the clock of the
progress display is asked at 10, 25 and 50 % of the runs' budgets. A number is what it said divided
by what came: 1 is right, 0.5 said half of it. Quartiles over repeats.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hpo_research.progress import remaining
from hpo_research.progress.standing import Progress, RunProgress
from hpo_research.store import RunName

SHARES = (0.1, 0.25, 0.5)
TRIALS, SEEDS, BATCH = 48, 6, 4


@dataclass(frozen=True)
class Case:
    """Seconds of a trial by problem, of a search with n trials by strategy, and of the first."""

    train: dict[str, float]
    search: dict[str, Callable[[int], float]]
    first: float = 0.0
    spread: float = 0.3
    one_after_another: bool = False


def nothing(n: int) -> float:
    """Return the seconds in which a strategy without a model searches."""
    return 0.0


def model(n: int) -> float:
    """Return the seconds in which a Gaussian process is fitted and searched, behind a design."""
    return 0.0 if n < 4 else 0.05 + 4e-3 * n


def heavy(n: int) -> float:
    """Return the seconds of a model whose search grows with the square of n."""
    return 0.0 if n < 4 else 0.05 + 1e-3 * n**2


CASES = {
    "one problem, no model": Case({"a": 0.5}, {"random": nothing}),
    "cheap and dear": Case({"cheap": 0.02, "dear": 2.0}, {"random": nothing, "q-EI": model}),
    "cheap, then dear": Case(
        {"cheap": 0.02, "dear": 2.0}, {"random": nothing, "q-EI": model}, one_after_another=True
    ),
    "search grows": Case({"a": 0.02}, {"random": nothing, "q-EI": model}),
    "search grows fast": Case({"a": 0.02}, {"q-EI": heavy}),
    "40 s to compile": Case({"a": 0.3}, {"random": nothing, "q-EI": model}, first=40.0),
    "trials differ 30-fold": Case({"a": 0.5}, {"random": nothing, "q-EI": model}, spread=1.0),
}


def played(case: Case, rng: np.random.Generator) -> Iterator[tuple[float, Progress]]:
    """Yield the time and the progress after every turn of an experiment."""
    names = [RunName(p, s, i) for p in case.train for s in case.search for i in range(SEEDS)]
    runs = {name: RunProgress(name, 0, 0, 0, 0, None, 0.0, is_over=False) for name in names}
    time = 0.0
    waves = [[n for n in names if n.problem == p] for p in case.train]
    for wave in waves if case.one_after_another else [names]:
        for _ in range(TRIALS // BATCH):
            for name in wave:
                old = runs[name]
                seconds = case.search[name.strategy](old.trials)
                if seconds and old.trials == BATCH and name.problem == names[0].problem:
                    seconds += case.first / SEEDS  # of all runs that are asked together
                seconds += case.train[name.problem] * rng.lognormal(0.0, case.spread, BATCH).sum()
                trials = old.trials + BATCH
                runs[name] = replace(
                    old,
                    trials=trials,
                    share=trials / TRIALS,
                    seconds=old.seconds + seconds,
                    is_over=trials == TRIALS,
                )
                time += seconds
            yield time, Progress(list(runs.values()))


def ratios(case: Case, seed: int) -> list[float]:
    """Return what was said of what came, at each share; NaN where nothing was said."""
    now = [0.0]

    class Clock(remaining.Clock):
        @property
        def elapsed(self) -> float:
            return now[0]

    clock, said = Clock(), dict[float, tuple[float, float]]()
    clock.left(Progress([]))
    for time, progress in played(case, np.random.default_rng(seed)):
        now[0] = time
        left = clock.left(progress)
        for share in SHARES:
            if share not in said and progress.share >= share - 1e-9:
                said[share] = time, np.nan if left is None else left
    return [left / (now[0] - at) for at, left in said.values()]


def main() -> None:
    """Print a line a case."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=20)
    repeats = options.parse_args().repeats
    print(f"{'case':24}" + "".join(f"{f'at {share:.0%}':>24}" for share in SHARES))
    for name, case in CASES.items():
        found = np.array([ratios(case, seed) for seed in range(repeats)])
        low, mid, high = np.nanquantile(found, [0.25, 0.5, 0.75], axis=0)
        cells = (f"{m:.2f} [{a:.2f}, {b:.2f}]" for a, m, b in zip(low, mid, high, strict=True))
        print(f"{name:24}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
