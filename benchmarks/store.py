"""What a store of 100,000 reports costs to write, open, read, report and look at again.

    python -m benchmarks.store [NAME ...] [--beside CHECKOUT] [--rounds 3]

Two minutes a round and build. Each thing is done in a process of its own: printed are its processor
time, and the MiB that the peak of memory rises by. What is imported is left out, but for the whole
command `hpo status`. Each build reads the store that it has written: 99,900 reports in 9,990 polls.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.beside import ROOT, Cost, Measured, call, compare, cost_of, parser

SEEDS, TRIALS, EPOCHS = 5, 370, 27
REPORTS = 2 * SEEDS * TRIALS * EPOCHS
Fields = tuple[float, float | None]


def write(folder: str) -> Fields:
    """Write the store, poll by poll."""
    import hpo_research as hpo
    from hpo_research.store import RunName, Store

    strategies = {"uniform": hpo.Random(), "sobol": hpo.Random(kind="sobol")}
    experiment = hpo.Experiment(
        name="large",
        problems=[hpo.problem("branin")],
        strategies=strategies,
        seeds=range(SEEDS),
        budget=hpo.Budget(evaluations=TRIALS),
    )
    described = experiment.description()
    described["problems"]["branin"] |= {"metric": "loss", "max_epochs": EPOCHS, "optimum": None}
    with Store.write(Path(folder)) as store:
        store.set_meta({"experiment": json.dumps(described)})
        names = [RunName("branin", own, seed) for own in strategies for seed in range(SEEDS)]
        spent = dict.fromkeys(store.add_runs(names).values(), 0)
        asks = [_asks(run, experiment.problems[0].space) for run in spent]
        rows = [list(asked) for asked in zip(*asks, strict=True)]
        cost = cost_of(
            lambda: [_trial(store, trial, spent, rows[trial]) for trial in range(TRIALS)]
        )
        store.append_asks([], over=set(spent))
    return cost


def _asks(run: int, space) -> list:
    """Return what a run's books grant: one trial an ask."""
    from hpo_research.ledger import Ledger, Limits, RunInfo
    from hpo_research.records import Ask, start

    book, rows = Ledger(RunInfo(run, space, "loss", max_epochs=EPOCHS), Limits()), []
    for trial in range(TRIALS):
        config = {"x1": -5 + trial / 100, "x2": trial / 100}
        rows.append(book.grant(Ask((start(config, EPOCHS, "o"),), {"note": 0.5}), 1.0, 0.1))
        book.append_ask(rows[-1])
    return rows


def _trial(store, trial: int, spent: dict[int, int], rows: list) -> None:
    """Write one trial of every run: its ask, its reports, its end."""
    from hpo_research.records import Outcome, Report

    store.append_asks(rows)
    for epoch in range(1, EPOCHS + 1):
        entries = []
        for run in spent:
            spent[run] += 1
            metrics = {"loss": 1 / (epoch + trial % (90 + run)), "accuracy": 0.9 + run / 100}
            entries.append((Report(run, trial, epoch, metrics, 0.01, 0.5), spent[run]))
        ended = [Outcome(run, trial, "finished", epoch, "", 1.0) for run in spent]
        store.append_poll(entries, ended if epoch == EPOCHS else [])


def replay(folder: str) -> Fields:
    """Open it as a run that goes on does."""
    import hpo_research as hpo
    from hpo_research.ledger import Ledger, Limits, RunInfo
    from hpo_research.store import Store

    space = hpo.problem("branin").space
    infos = [RunInfo(i, space, "loss", max_epochs=EPOCHS) for i in range(1, 2 * SEEDS + 1)]
    ledgers: dict[int, Ledger] = {}

    def work() -> None:
        ledgers.update({info.id: Ledger(info, Limits()) for info in infos})
        with Store.read(Path(folder)) as store:
            store.replay(ledgers)

    cost = cost_of(work)
    _check(sum(len(t.values) for book in ledgers.values() for t in book.trials))
    return cost


def result(folder: str) -> Fields:
    """Read it as a result."""
    from hpo_research.analysis.result import Result

    found: list[Result] = []
    cost = cost_of(lambda: found.append(Result.read(Path(folder))))
    _check(sum(map(len, found[0].history.values())))
    return cost


def report(folder: str) -> Fields:
    """Read it and write the report."""
    import pandas  # noqa: F401, part of a table, whoever makes it

    from hpo_research.analysis.result import Result
    from hpo_research.report import write

    with tempfile.TemporaryDirectory() as place:
        return cost_of(lambda: write(Result.read(Path(folder)), Path(place)))


def status(folder: str) -> Fields:
    """Do what the command does, its imports included."""
    from hpo_research.cli.app import app

    return cost_of(lambda: app(["status", folder], standalone_mode=False))


def again(folder: str) -> Fields:
    """Look a second time, where nothing came since the first."""
    from hpo_research.analysis.result import Reading

    reading = Reading(Path(folder))
    reading.look()
    return cost_of(reading.look)


def _check(reports: int) -> None:
    if reports != REPORTS:
        raise RuntimeError(f"{reports:,} reports were read of {REPORTS:,}")


READS = {
    "open (replay)": replay,
    "read a result": result,
    "report": report,
    "hpo status": status,
    "look again": again,
}
NAMES = ("write", *READS)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    options = parser("benchmarks.store", __doc__ or "", NAMES, rounds=3).parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:

        def written(checkout: Path) -> Path:
            """Return the folder of a build's store, written when it is first read."""
            folder = Path(place, str(checkouts.index(checkout)))
            if not folder.exists():
                call(checkout, write, str(folder))
            return folder

        def writing(checkout: Path) -> Measured:
            with tempfile.TemporaryDirectory() as fresh:
                return Measured({"": Cost(*call(checkout, write, f"{fresh}/store"))})

        checkouts = [ROOT, *([options.beside.resolve()] if options.beside else [])]
        reads = {
            name: lambda checkout, own=read: Measured(
                {"": Cost(*call(checkout, own, str(written(checkout))))}
            )
            for name, read in READS.items()
        }
        compare({"write": writing, **reads}, options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
