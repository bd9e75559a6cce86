"""How long a merge of many shards takes: `python -m benchmarks.merge`.

The shards are run first, by the product as it is: random search on a function that costs nothing.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import hpo_research as hpo
from hpo_research.cluster.merging import merge_folders
from hpo_research.experiment.provenance import machine


def experiment(shards: int, trials: int, runs: int) -> hpo.Experiment:
    """Return an experiment of which each shard has so many runs and trials."""
    return hpo.Experiment(
        "merge",
        problems=[hpo.problem("branin")],
        strategies={"random": hpo.Random()},
        seeds=range(shards * runs),
        budget=hpo.Budget(trials=trials // runs),
        parallel=1,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shards", type=int, default=100)
    options.add_argument("--trials", type=int, default=1000, help="in each shard")
    options.add_argument("--runs", type=int, default=10, help="in each shard")
    options.add_argument("--parts", type=Path, help="where the shards are kept, for another time")
    given = options.parse_args()
    one = experiment(given.shards, given.trials, given.runs)
    with tempfile.TemporaryDirectory() as folder:
        out = given.parts or Path(folder)
        for number in range(1, given.shards + 1):
            hpo.run(one, out=out, shard=(number, given.shards), progress=False)
        wall, used = time.perf_counter(), time.process_time()
        made = merge_folders(Path(folder, "whole"), [out])
        wall, used = time.perf_counter() - wall, time.process_time() - used
    print(
        f"{made.shards} shards of {given.trials:,} trials merged, {made.runs:,} runs: {wall:.1f} s "
        f"({used:.1f} s of processor time); {machine('cpu')}, {os.getloadavg()[0]:.1f} busy"
    )


if __name__ == "__main__":
    main()
