"""What it costs to begin: processor time and peak memory of small programs, beside another build.

    OMP_NUM_THREADS=1 python -m benchmarks.start [--beside CHECKOUT] [--times 7] [NAME ...]

Each program is a process of its own that imports the package of a checkout; builds take turns, once
to warm the caches and then `--times` times. Printed is the least processor time, user and system
(what else runs on a machine only adds to it), the largest peak of memory, and how many times less
this build takes. The store that is read holds 2 problems × 2 strategies × 3 seeds of 20 trials,
written by the older build.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HPO = "import sys; from hpo_research.cli import main; sys.argv[0] = 'hpo'; main()"
SEARCH = """
import hpo_research as hpo
run = hpo.Run(hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 99)), total=9)
for strategy in (hpo.Random(), hpo.Grid("fit")):
    (ask,) = strategy.ask([run], [9])
    assert len(ask.proposals) > 1
"""
STUDY = """
import hpo_research as hpo
study = hpo.Study(hpo.SearchSpace(x=hpo.Float(0, 1)), hpo.Random())
for trial in study.ask(9):
    study.tell(trial.id, trial.config["x"])
"""
WRITE = """
import hpo_research as hpo
experiment = hpo.Experiment(
    "small",
    [hpo.problem("branin"), hpo.problem("hartmann6")],
    {"random": hpo.Random(), "Sobol": hpo.Random("sobol")},
    range(3),
    hpo.Budget(trials=20),
)
hpo.run(experiment, out="small")
"""
PROGRAMS = {
    "python itself": ["pass"],
    "import hpo_research": ["import hpo_research"],
    "hpo --help": [HPO, "--help"],
    "hpo --version": [HPO, "--version"],
    "hpo status": [HPO, "status", "small"],
    "hpo problems": [HPO, "problems"],
    "Result.read": ["import hpo_research; hpo_research.Result.read('small')"],
    "grid and random search": [SEARCH],
    "a study, random": [STUDY],
    "Bayesian()": ["import hpo_research; hpo_research.Bayesian()"],
}


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a process, and the most memory that it held, in MiB."""

    seconds: float
    memory: float


def cost(program: Sequence[str], checkout: Path, folder: Path) -> Cost:
    """Run a program on the package of a checkout, and return what it cost."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", *program],
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{checkout}: exit code {process.returncode} of {' '.join(program)}")
    # Linux counts KiB, macOS bytes.
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / scale)


def measured(
    program: Sequence[str], checkouts: Sequence[Path], folder: Path, times: int
) -> list[Cost]:
    """Run a program on every checkout in turn; return the least time and the largest memory."""
    runs = [[cost(program, checkout, folder) for checkout in checkouts] for _ in range(times + 1)]
    return [
        Cost(min(one.seconds for one in own), max(one.memory for one in own))
        for own in zip(*runs[1:], strict=True)
    ]


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--beside", type=Path, help="another checkout of this repository")
    parser.add_argument("--times", type=int, default=7, help="how often each program is run")
    options = parser.parse_args(arguments)
    own = Path(__file__).resolve().parents[1]
    checkouts = [own] if options.beside is None else [own, options.beside]
    head = "".join(f"{f'{checkout.name}, s':>14}{'MiB':>8}" for checkout in checkouts)
    print(f"{'program':24}{head}" + ("" if options.beside is None else f"{'ratio':>9}{'MiB':>9}"))
    with tempfile.TemporaryDirectory() as folder:
        cost([WRITE], checkouts[-1], Path(folder))
        for name in options.names or PROGRAMS:
            found = measured(PROGRAMS[name], checkouts, Path(folder), options.times)
            row = "".join(f"{one.seconds:14.3f}{one.memory:8.0f}" for one in found)
            if len(found) > 1:
                row += f"{found[1].seconds / found[0].seconds:8.1f}x"
                row += f"{found[1].memory / found[0].memory:8.1f}x"
            print(f"{name:24}{row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
