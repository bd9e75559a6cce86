"""What a trial costs beside its training and its strategy: ask, store, report, outcome.

    python -m benchmarks.turns [--beside CHECKOUT] [--rounds 5] [--runs 50] [--trials 200]

A strategy that says the same each time, on functions that cost nothing, and a store in a folder of
the memory file system where there is one. Printed are milliseconds of processor time a trial: the
loop with RUNS runs at once and with one, and Optuna's `ask` and `tell` with its journal file and
with SQLite, with a sampler that says the same each time. Each in a process of its own, in turn: the
least of the rounds, and how many times ours (RUNS at once) it is, the median over the rounds.
Opening and reading are left out: what N + TRIALS trials a run cost more than N do. Syncs a turn
are counted where `strace` is installed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.beside import ROOT, call

BEFORE = 10
MEMORY = Path("/dev/shm")
ENGINES = ("journal file", "SQLite")


@dataclass(frozen=True)
class Same:
    """A strategy that costs nothing: one configuration for each free slot."""

    def ask(self, runs, slots):  # noqa: D102
        from hpo_research.records import Ask, start

        proposals = (start({"x1": 0.5, "x2": 0.5}, 1, "same"),)
        return [Ask(proposals * free) for free in slots]


def ours(runs: int, trials: int) -> float:
    """Return the milliseconds of processor time a trial of the loop."""
    return _slope(lambda count, folder: _ours(runs, count, folder), trials) / runs


def _ours(runs: int, trials: int, folder: str) -> float:
    import hpo_research as hpo
    from hpo_research.device import Compute, resolve
    from hpo_research.experiment.loop import execute
    from hpo_research.store import Store

    space = hpo.SearchSpace(x1=hpo.Float(0, 1), x2=hpo.Float(0, 1))
    experiment = hpo.Experiment(
        name="turns",
        problems=[Nothing(space)],
        strategies={"same": Same()},
        seeds=range(runs),
        budget=hpo.Budget(trials=trials),
        parallel=1,
    )
    with Store.write(Path(folder, "ours")) as store:
        began = time.process_time()
        execute(experiment, store, Compute(resolve("cpu"), 1))
        return time.process_time() - began


@dataclass(frozen=True)
class Nothing:
    """A problem that costs nothing: every value is 1."""

    space: "hpo_research.SearchSpace"  # noqa: F821, the package of the build that is measured
    name: str = "nothing"
    metric: str = "loss"
    direction: str = "minimize"
    max_epochs: int = 1
    can_resume: bool = False
    optimum: float | None = None
    has_recorded_seconds: bool = False

    def evaluate(self, segments, device="cpu"):  # noqa: D102
        from hpo_research.records import Report

        yield [Report(own.run, own.trial, 1, {"loss": 1.0}) for own in segments]


def optuna(engine: str, trials: int) -> float:
    """Return the milliseconds of processor time a trial of Optuna's `ask` and `tell`."""
    return _slope(lambda count, folder: _optuna(engine, count, folder), trials)


def _optuna(engine: str, trials: int, folder: str) -> float:
    import optuna as package
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    class Constant(package.samplers.BaseSampler):
        def infer_relative_search_space(self, study, trial):
            return {}

        def sample_relative(self, study, trial, search_space):
            return {}

        def sample_independent(self, study, trial, param_name, param_distribution):
            return 0.5

    package.logging.set_verbosity(package.logging.ERROR)
    if engine == "SQLite":
        storage = RDBStorage(f"sqlite:///{folder}/optuna.sqlite")
    else:
        storage = JournalStorage(JournalFileBackend(f"{folder}/optuna.log"))
    unit = package.distributions.FloatDistribution(0, 1)
    study = package.create_study(storage=storage, sampler=Constant())
    began = time.process_time()
    for _ in range(trials):
        study.tell(study.ask({"x1": unit, "x2": unit}), 1.0)
    return time.process_time() - began


def _slope(cost, trials: int) -> float:
    """Return the milliseconds that each of `trials` more costs; the first ones warm up."""
    seconds = []
    for count in (BEFORE, BEFORE, BEFORE + trials):
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            seconds.append(cost(count, folder))
    return 1e3 * (seconds[2] - seconds[1]) / trials


def main(arguments: Sequence[str]) -> int:
    """Measure in turn and print a row of Markdown each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.turns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another build, in turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--trials", type=int, default=200)
    options = parser.parse_args(arguments)
    others = [] if options.beside is None else [options.beside.resolve()]
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for checkout in (ROOT, *others):
            name = "this build" if checkout is ROOT else checkout.name
            for runs in (options.runs, 1):
                label = f"{name}, {runs} runs at once" if runs > 1 else f"{name}, one run"
                found.setdefault(label, []).append(call(checkout, ours, runs, options.trials))
        for engine in ENGINES:
            cost = call(ROOT, optuna, engine, options.trials)
            found.setdefault(f"Optuna's {engine}", []).append(cost)
    print("| what | ms a trial | times this build |\n| --- | ---: | ---: |")
    own = next(iter(found.values()))
    for label, costs in found.items():
        times = statistics.median(cost / mine for cost, mine in zip(costs, own, strict=True))
        print(f"| {label} | {min(costs):.3f} | {times:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
