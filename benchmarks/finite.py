"""What an ask costs in a finite space as trials grow: processor time, beside another build.

    OMP_NUM_THREADS=1 python -m benchmarks.finite [--beside CHECKOUT] [--sizes 1000 4000 16000]

Each build, in a process of its own, tries so many configurations of a space in asks of 500, ends
them, and is then asked for one more 20 times. Printed is the median, in milliseconds of processor,
the run's view and the entering of the ask included. The proposals of both builds must be the same.
Last are the seconds to check an experiment of so many seeds.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import hpo_research as hpo
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import Outcome, Report
from hpo_research.threads import limited

ASKS, FILLED = 20, 500
_LETTERS = hpo.Categorical(list("abcdefghij"))
LARGE = hpo.SearchSpace(
    a=hpo.Integer(1, 20), b=hpo.Integer(1, 20), c=hpo.Integer(1, 20), d=_LETTERS
)
SMALL = hpo.SearchSpace(a=hpo.Integer(1, 20), b=hpo.Integer(1, 20), c=hpo.Integer(1, 41))
CASES = {
    "Random, of 80,000": (hpo.Random(), LARGE),
    "Random, of 16,400": (hpo.Random(), SMALL),
    "Random('sobol'), of 80,000": (hpo.Random("sobol"), LARGE),
    "Grid(20), of 80,000": (hpo.Grid(20), LARGE),
}
SEEDS = "Experiment, as many seeds (s)"


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


def measured(name: str, sizes: Sequence[int]) -> tuple[list[float], str]:
    """Return milliseconds an ask at each size, and a digest of all that was proposed."""
    strategy, space = CASES[name]
    book, late = Ledger(RunInfo(1, space, "value"), Limits()), []
    with limited():
        for size in sizes:
            while len(book.trials) < size:
                entered(book, strategy, min(FILLED, size - len(book.trials)))
            late.append(1e3 * statistics.median(entered(book, strategy, 1) for _ in range(ASKS)))
    text = json.dumps([trial.config for trial in book.trials])
    return late, hashlib.sha256(text.encode()).hexdigest()


def seeded(sizes: Sequence[int]) -> tuple[list[float], str]:
    """Return the seconds to make an experiment of so many seeds."""
    late = []
    for size in sizes:
        began = time.process_time()
        hpo.Experiment(
            "seeds",
            [hpo.problem("branin")],
            {"random": hpo.Random()},
            list(range(size)),
            hpo.Budget(evaluations=1),
        )
        late.append(time.process_time() - began)
    return late, ""


def beside(name: str, sizes: Sequence[int], checkout: Path) -> tuple[list[float], str]:
    """Measure in a process that imports the package of a checkout."""
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", name, "--sizes"]
    done = subprocess.run(
        [*command, *map(str, sizes)],
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        cwd=checkout,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    late, digest = json.loads(done.stdout.splitlines()[-1])
    return late, digest


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finite", description=__doc__)
    parser.add_argument("--beside", type=Path, help="another checkout of this repository")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sizes = options.sizes
    if options.measure:
        name = options.measure
        print(json.dumps(seeded(sizes) if name == SEEDS else measured(name, sizes)))
        return 0
    own = Path(__file__).resolve().parents[1]
    checkouts = [own] if options.beside is None else [own, options.beside]
    print(f"{'ms an ask at':>42}" + "".join(f"{size:>11,}" for size in sizes))
    for name in (*CASES, SEEDS):
        found = [beside(name, sizes, checkout) for checkout in checkouts]
        if len({digest for _, digest in found}) > 1:
            raise SystemExit(f"{name}: the builds propose other configurations")
        for checkout, (late, _) in zip(checkouts, found, strict=True):
            print(f"{name:32}{checkout.name:>10}" + "".join(f"{t:11.3f}" for t in late), flush=True)
        if len(found) > 1:
            ratios = (b / a for a, b in zip(found[0][0], found[1][0], strict=True))
            print(f"{'ratio':>42}" + "".join(f"{ratio:10.1f}x" for ratio in ratios), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
