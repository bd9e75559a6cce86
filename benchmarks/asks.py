"""What an ask costs as trials grow: processor time of strategies whose work could grow with a run.

    python -m benchmarks.asks [NAME ...] [--beside CHECKOUT] [--rounds 1] [--most 20000]

Half an hour a build for all; minutes for one. Three kinds of cases:

- Rungs and rules of stopping. A run is driven once, asynchronously with four slots, by this build:
  a turn is one report, and the ask that answers it. Each build replays that history, and makes the
  last asks with a free slot before each number of trials again: the median of 40 (`CurveStopping`:
  of 8).
- Finite spaces. Each build tries so many configurations in asks of 500, ends them, and is asked for
  one more: the median of 20. Last is the time to check an experiment of so many seeds.
- `FreezeThaw`: 30 runs that have spent the epochs of ten full trainings on `digits-mlp-table` are
  asked for four trials, as they stand and with all fits due: the time of a run, the least of five.

The run's view, `Ledger.run()`, is part of every time, and so is entering the ask in finite spaces.
The first ask after opening, which has nothing that is kept, stands apart. Builds that propose
otherwise are not compared.
"""

import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import hpo_research as hpo
from benchmarks.beside import ROOT, Cost, Measured, call, compare, parser
from hpo_research.ledger import AskRow, Ledger, Limits, RunInfo
from hpo_research.records import Outcome, Report, Run, resume, start, stop
from hpo_research.space import Config
from hpo_research.threads import limited

SIZES = (1000, 2000, 4000, 8000, 16000, 20000)
SLOTS, FILLED, ASKS, RUNS, EVALUATIONS, TIMES = 4, 500, 20, 30, 10, 5
SQUARE = hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1))
_CELLS = {"a": hpo.Integer(1, 20), "b": hpo.Integer(1, 20)}
SPACES = {
    "80,000": hpo.SearchSpace(
        **_CELLS, c=hpo.Integer(1, 20), d=hpo.Categorical(list("abcdefghij"))
    ),
    "16,400": hpo.SearchSpace(**_CELLS, c=hpo.Integer(1, 41)),
}


@dataclass(frozen=True)
class Rungs:
    """A strategy over a history; `driver` drives the run in its place, which would take hours."""

    max_epochs: int = 27
    driver: str = ""
    asks: int = 40


RUNGS = {
    "ASHA()": Rungs(),
    "ASHA('continual')": Rungs(),
    "ASHA('stop')": Rungs(),
    "ASHA('stop', rule='ray')": Rungs(),
    "AsynchronousHyperband()": Rungs(),
    "Hyperband()": Rungs(),
    "SuccessiveHalving()": Rungs(),
    "SuccessiveHalving(candidates=20000)": Rungs(),
    "EarlyDiscarding()": Rungs(),
    "MedianStopping(Random())": Rungs(9),
    "MedianStopping(Random(), 'vizier')": Rungs(9),
    "MedianStopping(Random(), 'syne-tune')": Rungs(9),
    "CurveStopping(Random())": Rungs(9, driver="Random()", asks=8),
}
FINITE = {
    "Random(), of 80,000": ("Random()", "80,000"),
    "Random(), of 16,400": ("Random()", "16,400"),
    "Random('sobol'), of 80,000": ("Random('sobol')", "80,000"),
    "Grid(20), of 80,000": ("Grid(20)", "80,000"),
}
SEEDS, FREEZE_THAW = "Experiment", "FreezeThaw()"
NAMES = (*RUNGS, *FINITE, SEEDS, FREEZE_THAW)
Found = tuple[dict[str, float], str]
"""Seconds by label, and a digest of what was proposed."""


def built(call: str) -> hpo.Strategy:
    """Build a strategy of the build that runs from its call."""
    return eval(call, {name: getattr(hpo, name) for name in hpo.__all__})


def digest(proposed: object) -> str:
    """Return what is the same where the proposals are."""
    return hashlib.sha256(json.dumps(proposed).encode()).hexdigest()


def fields(row: AskRow) -> list[list]:
    """Return what was granted as JSON keeps it."""
    return [[g.kind, g.trial, g.until, g.config, g.origin] for g in row.grants]


def proposal(kind: str, trial: int, until: int, config: Config, origin: str) -> object:
    """Return what was granted as it was proposed."""
    if kind == "start":
        return start(config, until, origin)
    return stop(trial) if kind == "stop" else resume(trial, until)


# --- rungs and rules of stopping ---


def ledger(case: Rungs) -> Ledger:
    """Return the empty books of a run."""
    return Ledger(RunInfo(1, SQUARE, "loss", max_epochs=case.max_epochs), Limits())


def value(trial: int, epoch: int) -> float | None:
    """Return a noisy curve; one trial in fifty fails at its second epoch."""
    if trial % 50 == 7 and epoch == 2:
        return None
    level = np.random.default_rng(trial).random()
    return float(level + 1 / epoch + 0.1 * np.random.default_rng((trial, epoch)).random())


def driven(name: str, most: int) -> Iterator[list]:
    """Drive a run and yield its rows: grants of an ask, or a report with what ended."""
    case, book = RUNGS[name], ledger(RUNGS[name])
    strategy = built(case.driver or name)
    while True:
        free = max(SLOTS - len(book.open), 0)
        row = book.grant(*strategy.ask([book.run()], [free]))
        yield ["ask", free, fields(row)]
        if not row.is_empty:
            book.append_ask(row)
        for trial in sorted(book.stopping):
            outcome = ["stopped", trial, book.trials[trial].reached]
            yield outcome
            enter(book, outcome)
        if len(book.trials) >= most or not (book.open or row.grants):
            return
        for entry in _next_report(book, case) if book.open else []:
            yield entry
            enter(book, entry)


def _next_report(book: Ledger, case: Rungs) -> list[list]:
    """Return the report of the trial that is least far, and its end where there is one."""
    trial = min(book.open, key=lambda t: (book.trials[t].reached, t))
    epoch = book.trials[trial].reached + 1
    loss = value(trial, epoch)
    if loss is None:
        return [["failed", trial, epoch - 1]]
    rows: list[list] = [["report", trial, epoch, loss]]
    if epoch == book.open[trial].until:
        rows.append(["finished" if epoch == case.max_epochs else "paused", trial, epoch])
    return rows


def enter(book: Ledger, row: Sequence) -> None:
    """Enter a row of a history."""
    kind, trial, *rest = row
    if kind == "ask":
        if proposals := tuple(proposal(*granted) for granted in rest[0]):
            book.append_ask(book.grant(hpo.Ask(proposals)))
    elif kind == "report":
        book.append_report(Report(1, trial, rest[0], {"loss": rest[1]}))
    else:
        book.append_outcome(Outcome(1, trial, kind, rest[0]))


def drive(name: str, most: int, history: str) -> None:
    """Write a history to a file."""
    with Path(history).open("w") as file, limited():
        file.writelines(f"{json.dumps(row)}\n" for row in driven(name, most))


def replayed(name: str, history: str) -> Found:
    """Replay a history; return seconds of a late ask at each size, and of the first one."""
    case, rows = RUNGS[name], [json.loads(row) for row in Path(history).read_text().splitlines()]
    asks = [i for i, row in enumerate(rows) if row[0] == "ask"]
    grown = np.cumsum([row[0] == "ask" and sum(g[0] == "start" for g in row[2]) for row in rows])
    windows: dict[int, int] = {}  # the rows whose ask is made again, and for which size
    for size in SIZES:
        last = int(np.searchsorted(grown, size))
        before = [i for i in asks if i < last and rows[i][1] > 0]
        if grown[-1] >= size - SLOTS and len(before) > case.asks:
            windows |= dict.fromkeys(before[-case.asks - 1 :], size)
    book, strategy, proposed = ledger(case), built(name), []
    took: dict[int, list[float]] = {size: [] for size in windows.values()}
    with limited():
        for i, row in enumerate(rows):
            if i in windows:
                began = time.process_time()
                (ask,) = strategy.ask([book.run()], [row[1]])
                took[windows[i]].append(time.process_time() - began)
                proposed.append(fields(book.grant(ask)))
            enter(book, row)
    costs = {f"at {size:,}": statistics.median(own[1:]) for size, own in took.items()}
    return costs | {"at first": max(own[0] for own in took.values())}, digest(proposed)


# --- finite spaces ---


def entered(book: Ledger, strategy: hpo.Strategy, slots: int) -> float:
    """Ask for trials and enter them, then end them; return the seconds until they were entered."""
    began = time.process_time()
    row = book.grant(*strategy.ask([book.run()], [slots]))
    book.append_ask(row)
    took = time.process_time() - began
    for grant in row.grants:
        book.append_report(Report(1, grant.trial, 1, {"value": float(grant.trial % 97)}))
        book.append_outcome(Outcome(1, grant.trial, "finished", 1))
    return took


def finite(name: str, sizes: Sequence[int]) -> Found:
    """Fill a part of a space; return seconds an ask at each size."""
    call, space = FINITE[name]
    book, strategy, costs = Ledger(RunInfo(1, SPACES[space], "value"), Limits()), built(call), {}
    with limited():
        for size in sizes:
            while len(book.trials) < size:
                entered(book, strategy, min(FILLED, size - len(book.trials)))
            took = [entered(book, strategy, 1) for _ in range(ASKS)]
            costs[f"at {size:,}"] = statistics.median(took)
    return costs, digest([trial.config for trial in book.trials])


def seeded(sizes: Sequence[int]) -> Found:
    """Return the seconds to make an experiment of so many seeds."""
    costs, problems = {}, [hpo.problem("branin")]
    for size in sizes:
        began, seeds = time.process_time(), list(range(size))
        hpo.Experiment("e", problems, {"r": hpo.Random()}, seeds, hpo.Budget(evaluations=1))
        costs[f"of {size:,} seeds"] = time.process_time() - began
    return costs, ""


# --- freeze-thaw ---


def freeze_thaw(seeds: int = RUNS, evaluations: int = EVALUATIONS) -> Found:
    """Return the seconds a run of an ask in the middle of a study."""
    experiment = hpo.Experiment(
        "asks",
        [hpo.problem("digits-mlp-table")],
        {"freeze-thaw": hpo.FreezeThaw()},
        range(seeds),
        hpo.Budget(evaluations=evaluations),
        parallel=SLOTS,
    )
    with tempfile.TemporaryDirectory() as folder:
        runs = list(hpo.run(experiment, out=folder, device="cpu").runs.values())
    costs, proposed = {}, []
    for label, own in (("as it stands", runs), ("all due", [_forgetful(run) for run in runs])):
        took = []
        with limited():
            for _ in range(TIMES):
                fresh = [replace(run) for run in own]  # a run keeps what was computed of it
                began = time.process_time()
                asks = hpo.FreezeThaw().ask(fresh, [SLOTS] * len(fresh))
                took.append((time.process_time() - began) / len(own))
        fits = sum("curve_fit" in ask.notes for ask in asks)
        costs[f"{label}, {fits} fits in {seeds} runs"] = min(took)
        proposed += [[proposal.config for proposal in ask.proposals] for ask in asks]
    return costs, digest(proposed)


def _forgetful(run: Run) -> Run:
    """Return a run without the notes of its last fit."""
    last = max(i for i, ask in enumerate(run.asks) if "curve_fit" in ask.notes)
    asks = (replace(ask, notes={}) if i == last else ask for i, ask in enumerate(run.asks))
    return replace(run, asks=tuple(asks))


# --- the command ---


def measured(name: str, most: int, folder: Path, checkout: Path) -> Measured:
    """Measure a case in a process of a build."""
    sizes = [size for size in SIZES if size <= min(most, 16000)]  # a space has 16,400
    if name in RUNGS:
        history = folder / str(NAMES.index(name))
        if not history.exists():
            call(ROOT, drive, name, most, str(history))
        costs, did = call(checkout, replayed, name, str(history))
    elif name in FINITE:
        costs, did = call(checkout, finite, name, sizes)
    else:
        costs, did = call(checkout, seeded, sizes) if name == SEEDS else call(checkout, freeze_thaw)
    return Measured({label: Cost(seconds) for label, seconds in costs.items()}, did)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    commands = parser("benchmarks.asks", __doc__ or "", NAMES, rounds=1)
    commands.add_argument("--most", type=int, default=SIZES[-1], help="trials a run")
    options = commands.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        measures = {name: partial(measured, name, options.most, Path(folder)) for name in NAMES}
        compare(measures, options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
