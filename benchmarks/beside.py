"""Builds of the package beside each other: what a process, or a call in one, costs with each.

`--beside CHECKOUT` names another checkout of this repository. Each build runs in processes of its
own, with this interpreter on one thread: the package is that of its checkout, `benchmarks` is this
one. Builds take turns. Printed is the least of the rounds (what else a machine does only adds), and
as the ratio the median of those of the rounds, each of two measurements made one after the other.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_STATUS = "/proc/{}/status"  # of Linux; it holds the process's own peak, not that of its parent
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_CALL = """
import importlib, json, sys
checkout, root, module, name, arguments = sys.argv[1:]
sys.path.insert(0, checkout)
import hpo_research
sys.path.insert(0, root)
print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments))))
"""


@dataclass(frozen=True)
class Cost:
    """Processor seconds, and the MiB that the peak of resident memory is or rose by, if known."""

    seconds: float
    mib: float | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured in one build, by label; `did` must be the same in all builds."""

    costs: Mapping[str, Cost]
    did: str = ""


class BuildError(SystemExit):
    """What was to be measured failed with the package of a checkout."""

    def __init__(self, checkout: Path, what: str) -> None:
        SystemExit.__init__(self, f"{checkout}: {what}")
        self.checkout = checkout


def process(checkout: Path, program: Sequence[str], folder: Path) -> Cost:
    """Run `python -c PROGRAM ...` on the package of a checkout; the cost is the whole process's."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", *program],
        env={**os.environ, **_ONE_THREAD, "PYTHONPATH": str(checkout)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise BuildError(checkout, f"exit code {child.returncode} of {' '.join(program)}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / _mib())


def call(
    checkout: Path, function: FunctionType, *arguments: object, under: Sequence[str] = ()
) -> Any:
    """Call a function of a benchmark in a process of its own, on the package of a checkout.

    Arguments and result travel as JSON, dataclasses as lists. `under` is a command, such as
    `strace`, that runs the process.
    """
    module = function.__globals__["__spec__"].name  # also where it is the command that runs
    names = (module, function.__name__, json.dumps(arguments))
    done = subprocess.run(
        [*under, sys.executable, "-P", "-c", _CALL, str(checkout), str(ROOT), *names],
        env={**os.environ, **_ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise BuildError(checkout, f"{function.__name__} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def cost_of(work: Callable[[], object]) -> tuple[float, float | None]:
    """Do something, and return the fields of its `Cost` in this process."""
    before, began = peak_mib(), time.process_time()
    work()
    return astuple(Cost(time.process_time() - began, peak_mib() - before))


def peak_mib(process: str = "self") -> float:
    """Return the largest resident memory of a process so far."""
    status = Path(_STATUS.format(process))
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _mib()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def _mib() -> int:
    return 2**20 if sys.platform == "darwin" else 2**10  # Linux counts KiB, macOS bytes


def parser(
    module: str, doc: str, names: Collection[str], *, rounds: int
) -> argparse.ArgumentParser:
    """Return the command line that all comparisons of builds have."""

    def known(name: str) -> str:
        if name not in names:
            raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(names)}")
        return name

    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("names", nargs="*", type=known, metavar="NAME", help="; ".join(names))
    made.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another build, in turn")
    made.add_argument("--rounds", type=int, default=rounds, help=f"{rounds}; one more warms up")
    return made


def compare(
    measures: Mapping[str, Callable[[Path], Measured]], options: argparse.Namespace
) -> None:
    """Measure this build, and another beside it; print a row of Markdown for each number."""
    other = options.beside
    checkouts = [ROOT] if other is None else [ROOT, other.resolve()]
    columns = ["what", "this"] + ([] if other is None else [other.name, "times less"])
    columns += ["MiB"] + ([] if other is None else [f"{other.name}, MiB"])
    print(f"| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}", flush=True)
    lacking = []
    for name in options.names or measures:
        warm = 1 if options.rounds > 1 else 0
        try:
            rounds = [
                [measures[name](checkout) for checkout in checkouts]
                for _ in range(options.rounds + warm)
            ][warm:]
        except BuildError as error:
            if error.checkout == ROOT:
                raise
            lacking.append(f"{name}: not compared; {error}")  # an older build may have none of it
            continue
        if len({(own.did, *own.costs) for turn in rounds for own in turn}) > 1:
            raise SystemExit(f"{name}: the builds did not do the same, so nothing is compared")
        for label in rounds[0][0].costs:
            print(_row(f"{name} {label}".strip(), label, rounds), flush=True)
    if lacking:
        raise SystemExit("\n".join(lacking))


def _row(what: str, label: str, rounds: Sequence[Sequence[Measured]]) -> str:
    """Return a row: the least of each build, and the median ratio of the pairs."""
    builds = [[own.costs[label] for own in build] for build in zip(*rounds, strict=True)]
    cells = [what, *(shown(min(cost.seconds for cost in own)) for own in builds)]
    if len(builds) > 1:
        pairs = zip(*builds, strict=True)
        cells.append(f"{statistics.median(b.seconds / a.seconds for a, b in pairs):.1f}")
    peaks = [[cost.mib for cost in own if cost.mib is not None] for own in builds]
    cells += [f"{min(own):.0f}" if own else "" for own in peaks]
    return f"| {' | '.join(cells)} |"


def shown(seconds: float) -> str:
    """Return seconds with three digits."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"
