"""What an ask costs as trials grow: processor time at up to 20,000 trials, beside another build.

    OMP_NUM_THREADS=1 python -m benchmarks.trials [--beside CHECKOUT] [--most 20000] [NAME ...]

A run of each strategy is driven once, asynchronously with four slots, by this build: a turn is one
report, and the ask that answers it. Its history is then replayed by each build in a process of its
own, where the last asks with a free slot before each number of trials are made again, timed (the
run's view, `Ledger.run()`, included) and compared with the history: the same proposals, or it
fails. Printed is the median of 40 (or 8), in milliseconds of processor; the first ask after
opening, which has nothing that is kept, stands apart.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import hpo_research as hpo
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import Ask, Outcome, Report, resume, start, stop
from hpo_research.threads import limited

SIZES = (1000, 2000, 4000, 8000, 16000, 20000)
SLOTS = 4
SPACE = hpo.SearchSpace(x=hpo.Float(0, 1), y=hpo.Float(0, 1))


@dataclass(frozen=True)
class Case:
    """A strategy and its problem.

    `was` is what it is called in builds that lack it, `driver` what drives the run, if it is
    another strategy, `asks` how many are timed. Where builds differ, proposals are not compared.
    """

    strategy: str
    max_epochs: int = 27
    was: str = ""
    driver: str = ""
    differs: bool = False
    asks: int = 40

    def built(self) -> hpo.Strategy:
        """Return the strategy of the build that runs."""
        names = {name: getattr(hpo, name) for name in hpo.__all__}
        try:
            return eval(self.strategy, names)
        except (TypeError, ValueError):
            return eval(self.was, names)


CASES = {
    "ASHA, promote": Case("ASHA()"),
    "ASHA, continual": Case("ASHA('continual')", was="ASHA('stop')"),
    "ASHA, stop (syne-tune)": Case(
        "ASHA('stop', rule='syne-tune')", was="ASHA('stop')", differs=True
    ),
    "ASHA, stop (ray)": Case("ASHA('stop', rule='ray')", was="ASHA('stop')", differs=True),
    "AsynchronousHyperband": Case("AsynchronousHyperband()"),
    "Hyperband": Case("Hyperband()"),
    "SuccessiveHalving": Case("SuccessiveHalving()"),
    "SuccessiveHalving, 20,000": Case("SuccessiveHalving(candidates=20000)"),
    "EarlyDiscarding": Case("EarlyDiscarding()"),
    "MedianStopping, sagemaker": Case("MedianStopping(Random())", 9),
    "MedianStopping, vizier": Case("MedianStopping(Random(), 'vizier')", 9),
    "MedianStopping, syne-tune": Case("MedianStopping(Random(), 'syne-tune')", 9),
    "CurveStopping": Case("CurveStopping(Random())", 9, driver="Random()", differs=True, asks=8),
}


def ledger(case: Case) -> Ledger:
    """Return the empty books of a run."""
    return Ledger(RunInfo(1, SPACE, "loss", max_epochs=case.max_epochs), Limits())


def value(trial: int, epoch: int) -> float | None:
    """Return a noisy curve; one trial in fifty fails at its second epoch."""
    draws = np.random.default_rng((trial, epoch))
    if trial % 50 == 7 and epoch == 2:
        return None
    level = np.random.default_rng(trial).random()
    return float(level + 1 / epoch + 0.1 * draws.random())


def driven(case: Case, most: int) -> Iterator[list]:
    """Drive a run and yield its rows: grants of an ask, or a report with what ended."""
    book = ledger(case)
    strategy = replace(case, strategy=case.driver or case.strategy).built()
    while True:
        view = book.run()
        free = max(SLOTS - len(book.open), 0)
        row = book.grant(*strategy.ask([view], [free]))
        yield [
            "ask",
            free,
            [
                [g.kind, g.trial, g.attempt, g.start, g.until, g.config, g.origin]
                for g in row.grants
            ],
        ]
        if not row.is_empty:
            book.append_ask(row)
        for trial in sorted(book.stopping):
            outcome = ["stopped", trial, book.trials[trial].reached]
            yield outcome
            enter(book, outcome)
        if not book.open:
            if not row.grants:
                return
            continue
        if len(book.trials) >= most:
            return
        trial = min(book.open, key=lambda t: (book.trials[t].reached, t))
        epoch = book.trials[trial].reached + 1
        loss = value(trial, epoch)
        own = [["failed", trial, epoch - 1]] if loss is None else [["report", trial, epoch, loss]]
        if loss is not None and epoch == book.open[trial].until:
            own.append(["finished" if epoch == case.max_epochs else "paused", trial, epoch])
        for entry in own:
            yield entry
            enter(book, entry)


def _proposal(
    kind: str, trial: int, attempt: int, begin: int, until: int, *chosen: object
) -> hpo.Proposal:
    if kind == "start":
        config, origin = chosen
        return start(config, until, origin)
    return stop(trial) if kind == "stop" else resume(trial, until)


def enter(book: Ledger, row: Sequence) -> None:
    """Enter a row of a history."""
    kind, trial, *rest = row
    if kind == "ask":
        if rest[0]:
            book.append_ask(book.grant(Ask(tuple(_proposal(*grant) for grant in rest[0]))))
    elif kind == "report":
        book.append_report(Report(1, trial, rest[0], {"loss": rest[1]}))
    else:
        book.append_outcome(Outcome(1, trial, kind, rest[0]))


def measured(case: Case, history: Path) -> dict[int, tuple[float, float]]:
    """Replay a history; return milliseconds of a late ask, and of the first one, by trials."""
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    asks = [i for i, row in enumerate(rows) if row[0] == "ask"]
    grown = np.cumsum(
        [sum(g[0] == "start" for g in row[2]) if row[0] == "ask" else 0 for row in rows]
    )
    windows: dict[int, int] = {}  # the rows whose ask is made again, and for which size
    for size in SIZES:
        last = int(np.searchsorted(grown, size))
        before = [i for i in asks if i < last and rows[i][1] > 0]
        if grown[-1] >= size - SLOTS and len(before) > case.asks:
            windows |= dict.fromkeys(before[-case.asks - 1 :], size)
    book, strategy, took = ledger(case), case.built(), {size: [] for size in windows.values()}
    with limited():
        for i, row in enumerate(rows):
            if i in windows:
                began = time.process_time()
                (ask,) = strategy.ask([book.run()], [row[1]])
                took[windows[i]].append(1e3 * (time.process_time() - began))
                grants = [
                    [g.kind, g.trial, g.attempt, g.start, g.until, g.config, g.origin]
                    for g in book.grant(ask).grants
                ]
                if grants != row[2] and not case.differs:
                    raise SystemExit(f"row {i}: {grants} are not {row[2]}")
            enter(book, row)
    return {size: (statistics.median(own[1:]), own[0]) for size, own in took.items()}


def beside(name: str, history: Path, checkout: Path) -> dict[str, list[float]]:
    """Measure a history in a process that imports the package of a checkout."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--measure", str(history), name],
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        cwd=history.parent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compared(name: str, most: int, checkouts: Sequence[Path]) -> None:
    """Drive a case, measure it in every build, and print a row for each."""
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder, "history")
        with history.open("w") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in driven(CASES[name], most))
        found = [beside(name, history, checkout) for checkout in checkouts]
    for checkout, own in zip(checkouts, found, strict=True):
        late = "".join(f"{own[str(s)][0]:10.3f}" if str(s) in own else f"{'':>10}" for s in SIZES)
        first = max((pair[1] for pair in own.values()), default=0.0)
        print(f"{name:28}{checkout.name:>10}{late}{first:12.1f}", flush=True)
    if len(found) > 1:
        ratios = (
            found[1][str(s)][0] / found[0][str(s)][0] if str(s) in found[0] else None for s in SIZES
        )
        text = "".join(f"{'':>10}" if ratio is None else f"{ratio:9.1f}x" for ratio in ratios)
        print(f"{'':28}{'ratio':>10}{text}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--beside", type=Path, help="another checkout of this repository")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="trials a run")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        (name,) = options.names
        print(json.dumps(measured(CASES[name], options.measure)))
        return 0
    own = Path(__file__).resolve().parents[1]
    checkouts = [own] if options.beside is None else [own, options.beside]
    print(f"{'ms an ask at':>38}" + "".join(f"{size:>10,}" for size in SIZES) + f"{'first':>12}")
    for name in options.names or CASES:
        compared(name, options.most, checkouts)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
