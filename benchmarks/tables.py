"""Seconds of a table of mean ranks over many problems, from a result in memory.

`python -m benchmarks.tables [--problems 200] [--strategies 10] [--seeds 30]`, a minute: values at
random, one a run. Prints the processor seconds of the final values and of the table with its tests.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

from hpo_research.analysis.finals import finals
from hpo_research.analysis.history import Cost, RunHistory
from hpo_research.analysis.result import Result
from hpo_research.records import Report, Run, Trial
from hpo_research.space import Float, SearchSpace
from hpo_research.store import RunName
from hpo_research.tables.paired import ranks_table

_SPACE = SearchSpace(x=Float(0, 1))


@dataclass(frozen=True)
class Size:
    """How many there are of what."""

    problems: int
    strategies: int
    seeds: int


def made(size: Size) -> Result:
    """Return a result with a value a run, farther from 0 by strategy."""
    problems = [f"p{i}" for i in range(size.problems)]
    strategies = [f"s{i}" for i in range(size.strategies)]
    drawn = np.random.default_rng(0).normal(size=(size.problems, size.strategies, size.seeds))
    values = (drawn + np.arange(size.strategies)[:, None] / 3).tolist()
    facts = {"metric": "loss", "direction": "minimize", "max_epochs": 1, "optimum": None}
    limits = dict.fromkeys(("evaluations", "epochs", "trials", "seconds"))
    description = {
        "name": "many",
        "problems": {name: {**facts, "space": {"parameters": []}} for name in problems},
        "strategies": dict.fromkeys(strategies),
        "seeds": list(range(size.seeds)),
        "budget": {**limits, "epochs": 1},
        "execution": "lock-step",
        "final": "last",
    }
    histories = {
        RunName(problem, strategy, seed): _history(values[p][s][seed])
        for p, problem in enumerate(problems)
        for s, strategy in enumerate(strategies)
        for seed in range(size.seeds)
    }
    return Result(description, {}, histories)


def _history(value: float) -> RunHistory:
    trial = Trial(0, {"x": 0.5}, "finished", 1, (1,), (value,), value, 1.0)
    run = Run(_SPACE, "minimize", max_epochs=1, trials=(trial,))
    reports = [(Report(0, 0, 1, {"loss": value}, 0.5, 0.0), 1, 1)]
    return RunHistory(run, reports, [], (), Cost(1), True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"problems": 200, "strategies": 10, "seeds": 30}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    size = Size(**vars(parser.parse_args()))
    result = made(size)
    start = time.process_time()
    known = [finals(result, problem) for problem in result.facts.problems]
    between = time.process_time()
    table = ranks_table(result, known)
    end = time.process_time()
    print(
        f"{len(result.runs):,} runs, {len(table.rows)} rows of {len(table.head)} columns: final "
        f"values {between - start:.2f} s, table of ranks {end - between:.2f} s, "
        f"together {end - start:.2f} s"
    )


if __name__ == "__main__":
    main()
