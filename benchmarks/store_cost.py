"""What the store's digests cost: writing and reading 100,000 reports, beside another checkout.

    python -m benchmarks.store_cost --other PATH [--rounds 3]

Processor seconds of this process, the least of the rounds; each build runs in a process of its own,
in turn, with the interpreter of its checkout.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys, tempfile, time
from pathlib import Path
from hpo_research import Float, SearchSpace
from hpo_research.ledger import AskRow, Grant, Ledger, Limits, RunInfo
from hpo_research.records import Outcome, Report
from hpo_research.store import RunName, Store

RUNS, TRIALS, EPOCHS = 10, 370, 27
space = SearchSpace(x=Float(0, 1))
took = {}
with tempfile.TemporaryDirectory() as place:
    with Store.write(Path(place)) as store:
        ids = store.add_runs([RunName("p", "s", seed) for seed in range(RUNS)])
        began = time.process_time()
        spent = dict.fromkeys(ids.values(), 0)
        for trial in range(TRIALS):
            grants = (Grant("start", trial, 0, 0, EPOCHS, {"x": trial / TRIALS}, "o"),)
            store.append_asks([AskRow(run, grants, {"note": 0.5}, "", 1.0, 0.1) for run in spent])
            for epoch in range(1, EPOCHS + 1):
                entries = []
                for run in spent:
                    spent[run] += 1
                    metrics = {"loss": 1 / (epoch + trial), "accuracy": 0.9 + run / 100}
                    entries.append((Report(run, trial, epoch, metrics, 0.01, 0.5), spent[run]))
                ended = [Outcome(run, trial, "finished", epoch, "", 1.0) for run in spent]
                store.append_poll(entries, ended if epoch == EPOCHS else [])
        took["write"] = time.process_time() - began
    began = time.process_time()
    infos = [RunInfo(i, space, "loss", max_epochs=EPOCHS) for i in range(1, RUNS + 1)]
    ledgers = {info.id: Ledger(info, Limits()) for info in infos}
    with Store.read(Path(place)) as store:
        store.replay(ledgers)
        took["open (replay)"] = time.process_time() - began
        if not hasattr(store, "history"):  # what Result.of read beside the replay
            store.reports(), store.asks(), store.polls()
        took["read a result"] = time.process_time() - began
    took["bytes"] = Path(place, "store.sqlite").stat().st_size
counts = [len(trial.values) for book in ledgers.values() for trial in book.trials]
assert sum(counts) == RUNS * TRIALS * EPOCHS
print(json.dumps(took))
"""


def measured(checkout: Path) -> dict[str, float]:
    """Return what one round took in a checkout."""
    command = [str(checkout / ".venv/bin/python"), "-c", PROGRAM]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print the cost of both builds and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_cost")
    parser.add_argument("--other", type=Path, required=True, help="another checkout with .venv")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [
        (measured(Path.cwd()), measured(options.other.resolve())) for _ in range(options.rounds)
    ]
    print("99,900 reports in 9,990 polls    this build   the other    ratio")
    for what in rounds[0][0]:
        own, other = (min(build[i][what] for build in rounds) for i in (0, 1))
        print(f"{what:30} {own:12.2f} {other:11.2f} {own / other:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
