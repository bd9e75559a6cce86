"""What a related task is worth, and what a misleading one costs: `python -m benchmarks.related`.

A parent run of a changed function, then runs of the function itself that know it, and ones that
know nothing. All begin alike; those that know begin with the parent's best configuration, as a
warm start does. Prints mean log10 regrets, and differences to runs that know nothing with their
standard errors. With `--asks COUNT` instead what an ask costs where so many trials are a run's own,
known of its task, or known of a related one: processor time, the median of nine.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

import hpo_research as hpo
from hpo_research.problems.synthetic import Synthetic
from hpo_research.records import Run
from hpo_research.rows import Rows

Change = Callable[[np.ndarray], np.ndarray]
LOOKED_AT = (5, 10, 20, 30)


@dataclass(frozen=True)
class Task:
    """A function over the unit cube: one of ours, its places and values changed."""

    problem: Synthetic
    place: Change = lambda cube: cube
    value: Change = lambda value: value

    def __call__(self, space: hpo.SearchSpace, configs: Sequence[hpo.space.Config]) -> np.ndarray:
        """Return the values of configurations."""
        low, high = np.asarray(self.problem.bounds).T
        x = low + (high - low) * self.place(space.encode(configs))
        return self.value(self.problem.values(torch.from_numpy(x)).numpy())


def shifted(by: float) -> Change:
    """Move the function by a share of each range."""
    return lambda cube: np.clip(cube - by, 0.0, 1.0)


PAIRS: Mapping[str, tuple[Change | None, Change | None]] = {
    "the same, 1000 f + 7": (None, lambda y: 1000 * y + 7),
    "a power of it": (None, lambda y: np.sign(y) * np.abs(y) ** 0.5),
    "moved by 0.05": (shifted(0.05), None),
    "moved by 0.2": (shifted(0.2), None),
    "mirrored": (lambda cube: 1 - cube, None),
    "upside down": (None, lambda y: -y),
}


def advanced(
    strategy: hpo.Strategy, runs: list[Run], task: Task, count: int, first: Sequence[object] = ()
) -> list[Run]:
    """Let runs have so many trials more, one at a time; those of `first` before all."""
    while len(runs[0].trials) < count:
        if first and not runs[0].trials:
            asks = [hpo.Ask((hpo.records.start(config, 1, "enqueued"),)) for config in first]
        else:
            asks = strategy.ask(runs, [1] * len(runs))
        configs = [ask.proposals[0].config for ask in asks]
        values = task(runs[0].space, configs)
        runs = [
            replace(run, trials=(*run.trials, _trial(run, config, value)), asks=(*run.asks, ask))
            for run, ask, config, value in zip(runs, asks, configs, values, strict=True)
        ]
    return runs


def _trial(run: Run, config: hpo.space.Config, value: float) -> hpo.Trial:
    number = float(value)
    return hpo.Trial(len(run.trials), config, "finished", 1, (1,), (number,), number)


def regrets(runs: Sequence[Run], optimum: float) -> np.ndarray:
    """Return log10 regrets after so many trials as are looked at. Shape: run, trials."""
    losses = np.array([run.losses for run in runs])
    best = np.minimum.accumulate(losses, axis=1)[:, [n - 1 for n in LOOKED_AT]]
    return np.log10(np.maximum(best - optimum, 1e-9))


def measured(
    names: Sequence[str], seeds: int, parents: int, strategy: hpo.Strategy
) -> dict[tuple[str, str], np.ndarray]:
    """Return log10 regrets by function and pair; `alone` knows nothing."""
    found = {}
    for name in names:
        problem = Synthetic(name)
        space = hpo.SearchSpace({f"x{i}": hpo.Float(0, 1) for i in range(problem.dimension or 0)})
        alone = [Run(space, seed=seed) for seed in range(seeds)]
        optimum = problem.optimum
        own = advanced(strategy, alone, Task(problem), LOOKED_AT[-1])
        found[name, "alone"] = regrets(own, optimum)
        for pair, (place, value) in PAIRS.items():
            other = Task(problem, place or (lambda cube: cube), value or (lambda y: y))
            before = [Run(space, seed=1000 + seed) for seed in range(seeds)]
            parent = advanced(hpo.Bayesian(), before, other, parents)
            best = [run.best().config for run in parent]  # type: ignore[union-attr]
            runs = [
                replace(run, related=(tuple(theirs.trials),))
                for run, theirs in zip(alone, parent, strict=True)
            ]
            done = advanced(strategy, runs, Task(problem), LOOKED_AT[-1], best)
            found[name, pair] = regrets(done, optimum)
    return found


CELLS = hpo.SearchSpace({f"x{i}": hpo.Integer(1, 20) for i in range(4)})
TIMED: Mapping[str, tuple[hpo.Strategy, hpo.SearchSpace]] = {
    "Bayesian()": (
        hpo.Bayesian(),
        hpo.SearchSpace({f"x{i}": hpo.Float(0, 1) for i in range(6)}),
    ),
    "Random(), of 160,000": (hpo.Random(), CELLS),
    "Grid(20), of 160,000": (hpo.Grid(20), CELLS),
}


def timed(count: int) -> None:
    """Print what an ask costs with so many trials of one kind."""
    for name, (strategy, space) in TIMED.items():
        draws = np.random.default_rng(0).random((count + 8, space.dimension))
        losses = ((draws - 0.3) ** 2).sum(axis=1)
        configs = space.from_uniform(draws)
        trials = tuple(
            hpo.Trial(i, config, "finished", 1, (1,), (float(loss),), float(loss))
            for i, (config, loss) in enumerate(zip(configs, losses, strict=True))
        )
        own, known = Rows(trials[:8]), trials[8:]
        runs = {
            "own trials": Run(space, trials=Rows(trials)),
            "of its task": Run(space, trials=own, prior=known),
            "related": Run(space, trials=own, related=(known,)),
        }
        for kind, run in runs.items():
            spent = [_seconds(strategy, run) for _ in range(10)][1:]
            print(f"{name:22s} {count} {kind:12s} {1e3 * statistics.median(spent):8.1f} ms")


def _seconds(strategy: hpo.Strategy, run: Run) -> float:
    began = time.process_time()
    strategy.ask([run], [1])
    return time.process_time() - began


def main() -> None:
    """Measure, and print a line for each function and pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("functions", nargs="*", default=["branin", "hartmann3", "hartmann6"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--parents", type=int, default=30, help="trials of the parent")
    parser.add_argument("--asks", type=int, help="time asks with so many trials")
    given = parser.parse_args()
    if given.asks:
        timed(given.asks)
        return
    found = measured(given.functions, given.seeds, given.parents, hpo.Bayesian())
    print(f"log10 regret after {', '.join(map(str, LOOKED_AT))} trials; {given.seeds} seeds")
    total: dict[str, list[np.ndarray]] = {}
    for (name, pair), log in found.items():
        less = log - found[name, "alone"]
        total.setdefault(pair, []).append(less)
        print(f"{name:10s} {pair:22s} {_row(log.mean(0))}   {_differences(less)}")
    for pair, parts in total.items():
        print(f"{'all':10s} {pair:22s} {' ' * 27}   {_differences(np.concatenate(parts))}")


def _row(values: np.ndarray) -> str:
    return " ".join(f"{value:6.2f}" for value in values)


def _differences(less: np.ndarray) -> str:
    error = less.std(0, ddof=1) / len(less) ** 0.5
    return " ".join(f"{m:6.2f} ({e:.2f})" for m, e in zip(less.mean(0), error, strict=True))


if __name__ == "__main__":
    main()
