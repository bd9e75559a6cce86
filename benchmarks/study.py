"""What a study costs around its model: `ask` and `tell` with strategies that cost nothing.

    python -m benchmarks.study [NAME ...] [--beside CHECKOUT] [--rounds 7] [--folder FOLDER]

Five minutes a build. A round is 100 trials, after 20 that warm up, of each build and of Optuna in
turn, each in a process of its own. Printed is the median over the rounds of the median trial, and
the median of the pairs' ratios. Processor time holds what a process spends in the system; a wait
for the disk is none. So syncs are counted apart, by `strace` over so many trials more, and printed
beside is what one sync takes in that folder.

- `memory`, `disk`, `tmpfs`: random search in 2 and 20 dimensions, beside Optuna's storages.
- `strategies`: in memory, a call of `ask` with what it is told; `report` at each of 9 epochs.
- `growth`: a trial, `best`, `trials` and `frame` after 1,000 and after 10,000 trials.
- `loops`: a trial of `run` and of `tune`, without the processes of the function.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.beside import ROOT, call, parser, shown

Measure = Callable[..., Any]

WARM, TRIALS, GROWN = 20, 100, (1_000, 10_000)
TMPFS = Path("/dev/shm")
RIVALS = {"memory": ("memory",), "disk": ("journal", "SQLite"), "tmpfs": ("journal",)}
STRATEGIES = {
    "ask()": ("Random()", 1, 1),
    "ask(4)": ("Random()", 4, 1),
    "report at 9 epochs": ("Random()", 1, 9),
    "Random('sobol')": ("Random('sobol')", 1, 1),
    "Grid(20)": ("Grid(20)", 1, 1),
    "Hyperband()": ("Hyperband()", 4, 9),
    "ASHA()": ("ASHA()", 4, 9),
    "MedianStopping(Random())": ("MedianStopping(Random())", 1, 9),
}
NAMES = (*RIVALS, "strategies", "growth", "loops")


def timed(turn: Callable[[], object], times: int = TRIALS) -> float:
    """Return the median processor seconds of something that is done so often."""
    took = []
    for _ in range(times):
        began = time.process_time()
        turn()
        took.append(time.process_time() - began)
    return statistics.median(took)


# --- what is measured, each in a process of a build ---


def ours(folder: str | None, dimension: int, trials: int = TRIALS) -> float:
    """Return the seconds of a trial of random search."""
    import hpo_research as hpo

    space = hpo.SearchSpace(**{f"x{i}": hpo.Float(0, 1) for i in range(dimension)})
    study = hpo.Study(space, hpo.Random(), path=folder)

    def turn() -> None:
        (trial,) = study.ask()
        study.tell(trial.id, sum(trial.config.values()))

    timed(turn, WARM)
    return timed(turn, trials)


def optuna(storage: str, folder: str, dimension: int, trials: int = TRIALS) -> float:
    """Return the seconds of a trial of Optuna's random search."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kept = {
        "memory": lambda: None,
        "journal": lambda: optuna.storages.JournalStorage(JournalFileBackend(f"{folder}/journal")),
        "SQLite": lambda: f"sqlite:///{folder}/study.db",
    }
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=kept[storage](), sampler=sampler)

    def turn() -> None:
        trial = study.ask()
        study.tell(trial, sum(trial.suggest_float(f"x{i}", 0, 1) for i in range(dimension)))

    timed(turn, WARM)
    return timed(turn, trials)


def strategy(name: str) -> float:
    """Return the seconds of a call of `ask` with all that its trials report."""
    import hpo_research as hpo

    written, n, epochs = STRATEGIES[name]
    built = eval(written, {known: getattr(hpo, known) for known in hpo.__all__})
    space = hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 1000))
    study = hpo.Study(space, built, max_epochs=epochs)

    def turn() -> None:
        for trial in study.ask(n):
            for epoch in range(trial.reached + 1, trial.until + 1):
                if not study.report(trial.id, epoch, trial.config["x"] + 1 / epoch):
                    break

    timed(turn, WARM)
    return timed(turn)


def growth() -> dict[str, float]:
    """Return the seconds of a trial, and of what is read of a study, as it grows."""
    import hpo_research as hpo

    space = hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1))
    study, costs = hpo.Study(space, hpo.Random()), {}

    def turn() -> None:
        (trial,) = study.ask()
        study.tell(trial.id, trial.config["x"])

    def told(read: Callable[[], object], times: int) -> float:
        """Return the seconds of a reading where a trial was told since the last one."""
        took = []
        for _ in range(times):
            turn()
            took.append(timed(read, 1))
        return statistics.median(took)

    study.frame()  # what it imports is no cost of a frame
    for size in GROWN:
        while len(study.trials) < size:
            turn()
        costs[f"ask and tell at {size:,}"] = timed(turn)
        costs[f"best at {size:,}"] = told(lambda: study.best, TRIALS)
        costs[f"trials at {size:,}"] = told(lambda: study.trials, TRIALS)
        costs[f"frame at {size:,}, a row"] = told(study.frame, 5) / len(study.trials)
    return costs


def loops() -> dict[str, float]:
    """Return the seconds of a trial in this process, by what runs it."""
    import hpo_research as hpo

    def run(trials: int) -> None:
        problems, budget = [hpo.problem("branin")], hpo.Budget(trials=trials)
        experiment = hpo.Experiment("e", problems, {"random": hpo.Random()}, [0], budget)
        with tempfile.TemporaryDirectory(dir=TMPFS if TMPFS.exists() else None) as folder:
            hpo.run(experiment, out=folder, device="cpu")

    def tune(trials: int) -> None:
        space = hpo.SearchSpace(x=hpo.Float(0, 1))
        hpo.tune(lambda config: config["x"], space, strategy=hpo.Random(), trials=trials)

    costs = {}
    for name, loop in (("run, all in one ask", run), ("tune", tune)):
        loop(WARM)
        few, many = (timed(partial(loop, trials), 3) for trials in (WARM, WARM + TRIALS))
        costs[name] = (many - few) / TRIALS
    return costs


# --- the command ---


@dataclass(frozen=True)
class Place:
    """Where a study is kept, and what of Optuna's stands beside it."""

    name: str
    dimension: int
    parent: Path | None

    def fresh(self) -> str | None:
        """Return a new folder, None in memory."""
        return self.parent and tempfile.mkdtemp(dir=self.parent)

    def measures(self, rival: str, checkouts: Sequence[Path]) -> list[Measure]:
        """Return what measures a trial, given how many and under which command."""

        def build(checkout: Path, trials: int, under: Sequence[str]) -> float:
            return call(checkout, ours, self.fresh(), self.dimension, trials, under=under)

        def other(trials: int, under: Sequence[str]) -> float:
            return call(ROOT, optuna, rival, self.fresh(), self.dimension, trials, under=under)

        return [*(partial(build, checkout) for checkout in checkouts), other]


def syncs(measure: Measure) -> str:
    """Return the syncs of a trial, of which those of opening and closing are no part."""
    counts = []
    for trials in (TRIALS, 3 * TRIALS):
        with tempfile.NamedTemporaryFile("r") as lines:
            measure(
                trials, ("strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", lines.name)
            )
            counts.append(sum("sync(" in line for line in lines))
    return f"{(counts[1] - counts[0]) / (2 * TRIALS):.2f}"


def sync_seconds(folder: Path) -> float:
    """Return the median seconds that one sync of a small write takes in a folder."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(20):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def row(cells: Sequence[str]) -> None:
    """Print a row of Markdown."""
    print(f"| {' | '.join(cells)} |", flush=True)


def ratios(rounds: Sequence[Sequence[float]]) -> list[str]:
    """Return the cells of a row: the first as it is, the others with how many times it they are."""
    first, *others = zip(*rounds, strict=True)
    cells = [shown(statistics.median(first))]
    for other in others:
        times = statistics.median(b / a for a, b in zip(first, other, strict=True))
        cells += [shown(statistics.median(other)), f"{times:.1f}"]
    return cells


def beside_optuna(name: str, checkouts: Sequence[Path], folder: Path, rounds: int) -> None:
    """Print a table of random search in a place, beside Optuna's storages."""
    parent = {"memory": None, "disk": folder, "tmpfs": TMPFS}[name]
    if parent is not None:
        print(f"\n{name}: a sync takes {shown(sync_seconds(parent))}\n")
    builds = [cell for own in checkouts[1:] for cell in (own.name, "times")]
    row([name, "this", *builds, "Optuna", "times", "syncs a trial: builds, Optuna"])
    row(["---", *["---:"] * (4 + len(builds)), "---"])
    for rival in RIVALS[name]:
        for dimension in (2,) if rival == "SQLite" else (2, 20):
            with tempfile.TemporaryDirectory(dir=parent) as own:
                place = Place(name, dimension, Path(own) if parent else None)
                measures = place.measures(rival, checkouts)
                took = [[one(TRIALS, ()) for one in measures] for _ in range(rounds)]
                is_counted = parent is not None and shutil.which("strace") is not None
                counted = [syncs(one) for one in measures] if is_counted else []
            label = f"d = {dimension}, Optuna in {rival}"
            row([label, *ratios(took), ", ".join(counted)])


def of_builds(costs: Mapping[str, Measure], checkouts: Sequence[Path], rounds: int) -> None:
    """Print a table of what costs something, of the builds in turn."""
    row(["what", "this", *(cell for own in checkouts[1:] for cell in (own.name, "times"))])
    row(["---", *["---:"] * (2 * len(checkouts) - 1)])
    for name, cost in costs.items():
        took = [[cost(checkout) for checkout in checkouts] for _ in range(rounds)]
        for label in took[0][0]:
            found = [[build[label] for build in turn] for turn in took]
            row([f"{name} {label}".strip(), *ratios(found)])


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    commands = parser("benchmarks.study", __doc__ or "", NAMES, rounds=7)
    commands.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = commands.parse_args(arguments)
    names, checkouts = options.names or NAMES, [ROOT]
    if options.beside is not None:
        checkouts.append(options.beside.resolve())
    for name in names:
        if name in RIVALS and (name != "tmpfs" or TMPFS.exists()):
            beside_optuna(name, checkouts, options.folder, options.rounds)
        elif name == "strategies":
            turns = {
                own: lambda checkout, own=own: {"": call(checkout, strategy, own)}
                for own in STRATEGIES
            }
            of_builds(turns, checkouts, options.rounds)
        elif name in ("growth", "loops"):
            function = growth if name == "growth" else loops
            whole = {"": lambda checkout, own=function: call(checkout, own)}
            of_builds(whole, checkouts, min(options.rounds, 3))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
