"""What a store of 100,000 reports costs to write, open, read, report and look at again.

    python -m benchmarks.store_cost --other PATH [--rounds 3]

Processor seconds, and the MiB that the peak of resident memory rises by, the least of the rounds.
Each build runs in processes of its own, a fresh one for each thing that is measured, in turn, with
the interpreter of its checkout. What is imported is left out, but for the whole command of
`hpo status`.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

WRITE = """
import json, time
import hpo_research as hpo
from hpo_research.ledger import AskRow
from hpo_research.records import Outcome, Report, Start
from hpo_research.store import RunName, Store

SEEDS, TRIALS, EPOCHS = range(5), 370, 27
strategies = {"uniform": hpo.Random(), "sobol": hpo.Random(kind="sobol")}
experiment = hpo.Experiment(
    name="large", problems=[hpo.problem("branin")], strategies=strategies, seeds=SEEDS,
    budget=hpo.Budget(evaluations=TRIALS),
)
described = experiment.description()
described["problems"]["branin"] |= {"metric": "loss", "max_epochs": EPOCHS, "optimum": None}
with Store.write(folder) as store:
    store.set_meta({"experiment": json.dumps(described)})
    ids = store.add_runs([RunName("branin", name, seed) for name in strategies for seed in SEEDS])
    began = time.process_time()
    spent = dict.fromkeys(ids.values(), 0)
    for trial in range(TRIALS):
        config = {"x1": -5 + trial / 100, "x2": trial / 100}
        grants = (Start(config, EPOCHS, "o", trial),)
        store.append_asks([AskRow(run, grants, {"note": 0.5}, "", 1.0, 0.1) for run in spent])
        for epoch in range(1, EPOCHS + 1):
            entries = []
            for run in spent:
                spent[run] += 1
                metrics = {"loss": 1 / (epoch + trial % (90 + run)), "accuracy": 0.9 + run / 100}
                entries.append((Report(run, trial, epoch, metrics, 0.01, 0.5), spent[run]))
            ended = [Outcome(run, trial, "finished", epoch, "", 1.0) for run in spent]
            store.append_poll(entries, ended if epoch == EPOCHS else [])
    took = time.process_time() - began
    store.append_asks([], over=set(spent))
"""

REPLAY = """
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.store import Store
import hpo_research as hpo

space = hpo.problem("branin").space
infos = [RunInfo(i, space, "loss", max_epochs=27) for i in range(1, 11)]
with measured():
    ledgers = {info.id: Ledger(info, Limits()) for info in infos}
    with Store.read(folder) as store:
        store.replay(ledgers)
assert sum(len(t.values) for book in ledgers.values() for t in book.trials) == 99_900
"""

RESULT = """
from hpo_research.analysis.result import Result

with measured():
    result = Result.read(folder)
assert sum(map(len, result.history.values())) == 99_900
"""

REPORT = """
import tempfile
import pandas  # part of a table, whoever makes it
from hpo_research.analysis.result import Result
from hpo_research.report import write

with measured(), tempfile.TemporaryDirectory() as place:
    write(Result.read(folder), Path(place))
"""

STATUS = """
from hpo_research.cli.app import app

with measured():
    app(["status", str(folder)], standalone_mode=False)
"""

AGAIN = """
from hpo_research.analysis.result import Reading

reading = Reading(folder)
reading.look()
with measured():
    reading.look()
"""

PROGRAMS = {
    "open (replay)": REPLAY,
    "read a result": RESULT,
    "read, report page and files": REPORT,
    "hpo status": STATUS,
}
"""What both builds do, each in a process of its own, to the store that it has written."""

FRAME = """
import resource, sys, time
from contextlib import contextmanager
from pathlib import Path

folder = Path(sys.argv[1])

def peak():
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale

@contextmanager
def measured():
    global took, rose
    before, began = peak(), time.process_time()
    yield
    took, rose = time.process_time() - began, peak() - before

rose = 0.0
"""


def measure(checkout: Path, program: str, folder: Path) -> tuple[float, float]:
    """Return the seconds and MiB that a program took with the build of a checkout."""
    text = f"{FRAME}{program}\nprint(took, rose, file=sys.stderr)"
    command = [str(checkout / ".venv/bin/python"), "-c", text, str(folder)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stderr}")
    took, rose = done.stderr.splitlines()[-1].split()
    return float(took), float(rose)


def measure_all(checkout: Path, folder: Path, *, is_own: bool) -> dict[str, tuple[float, float]]:
    """Return what everything took in one round; the store goes into `folder`."""
    found = {"write": measure(checkout, WRITE, folder)}
    for what, program in PROGRAMS.items():
        found[what] = measure(checkout, program, folder)
    if is_own:
        found["look again, nothing new"] = measure(checkout, AGAIN, folder)
    return found


def least(rounds: list[Mapping[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Return the least seconds and MiB of all rounds."""
    return {
        what: (min(r[what][0] for r in rounds), min(r[what][1] for r in rounds))
        for what in rounds[0]
    }


def main() -> int:
    """Print the cost of both builds and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_cost")
    parser.add_argument("--other", type=Path, required=True, help="another checkout with .venv")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    builds = {"this": Path.cwd(), "other": options.other.resolve()}
    rounds: dict[str, list[Mapping[str, tuple[float, float]]]] = {name: [] for name in builds}
    for _ in range(options.rounds):
        for name, checkout in builds.items():
            with tempfile.TemporaryDirectory() as place:
                own = measure_all(checkout, Path(place), is_own=name == "this")
            rounds[name].append(own)
    own, other = (least(rounds[name]) for name in ("this", "other"))
    print("99,900 reports in 9,990 polls     seconds    other    ratio      MiB    other    ratio")
    for what, (took, rose) in own.items():
        line = f"{what:30} {took:10.2f}"
        if what in other:
            before, more = other[what]
            line += f" {before:8.2f} {took / before:8.2f} {rose:8.0f} {more:8.0f}"
            line += f" {rose / more:8.2f}" if more >= 1 else ""
        else:
            line += f"{rose:27.0f}"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
