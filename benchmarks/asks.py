"""What an ask of `FreezeThaw` costs: processor time for 30 runs in the middle of a study.

    OMP_NUM_THREADS=1 python -m benchmarks.asks [PROBLEM] [--seeds 30] [--evaluations 10]

The runs are those of an experiment with so many evaluations, four trials at a time. They are asked
for four more: as they stand, where few fits are due, and with the last fit of each forgotten, so
that all are due. Printed are milliseconds of processor a run, the least of five asks.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace

import hpo_research as hpo
from benchmarks.epochs import built
from hpo_research.records import Run
from hpo_research.threads import limited

SLOTS, ASKS = 4, 5


def midway(problem: str, seeds: int, evaluations: int) -> list[Run]:
    """Return the runs of a study that has spent its budget."""
    experiment = hpo.Experiment(
        "asks",
        [built(problem)],
        {"freeze-thaw": hpo.FreezeThaw()},
        range(seeds),
        hpo.Budget(evaluations=evaluations),
        parallel=SLOTS,
    )
    with tempfile.TemporaryDirectory() as folder:
        return list(hpo.run(experiment, out=folder, device="cpu").runs.values())


def forgetful(run: Run) -> Run:
    """Return a run without the notes of its last fit."""
    last = max(i for i, ask in enumerate(run.asks) if "curve_fit" in ask.notes)
    asks = (replace(ask, notes={}) if i == last else ask for i, ask in enumerate(run.asks))
    return replace(run, asks=tuple(asks))


def milliseconds(runs: Sequence[Run]) -> tuple[float, int]:
    """Return the processor time of an ask, a run, and how many fits there were in it."""
    took = []
    with limited():
        for _ in range(ASKS):
            fresh = [replace(run) for run in runs]  # a run keeps what was computed of it
            began = time.process_time()
            asks = hpo.FreezeThaw().ask(fresh, [SLOTS] * len(fresh))
            took.append(time.process_time() - began)
    return 1e3 * min(took) / len(runs), sum("curve_fit" in ask.notes for ask in asks)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asks", description=__doc__)
    parser.add_argument("problem", nargs="?", default="digits-mlp-table")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--evaluations", type=int, default=10)
    options = parser.parse_args(arguments)
    runs = midway(options.problem, options.seeds, options.evaluations)
    for name, own in (("as they stand", runs), ("all fits due", [forgetful(run) for run in runs])):
        took, fits = milliseconds(own)
        print(f"{name}: {took:.1f} ms a run, {fits} fits in {len(runs)} runs", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
