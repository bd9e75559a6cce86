"""Seconds and memory of one ask in a process of its own: `python -m benchmarks.speed.memory`."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path

import hpo_research as hpo
from benchmarks.speed.cases import Case, check, runs
from hpo_research.threads import limited

ROOT = Path(__file__).parents[2]
_STATUS = "/proc/{}/status"  # of Linux; it holds the process's own peak, not that of its parent


@dataclass(frozen=True)
class Alone:
    """What one ask took; `is_over` is False where it was stopped at the time limit."""

    seconds: float
    gib: float
    is_over: bool = True


def alone(case: Case, limit: float) -> Alone:
    """Ask once in a fresh process, for so many seconds at most."""
    command = [sys.executable, "-m", "benchmarks.speed.memory", *map(str, astuple(case))]
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        written, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        peak = peak_gib(str(child.pid))
        child.kill()
        child.communicate()
        return Alone(time.monotonic() - began, peak, is_over=False)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    return Alone(**json.loads(written.splitlines()[-1]))


def peak_gib(process: str = "self") -> float:
    """Return the largest resident memory of a process so far."""
    status = Path(_STATUS.format(process))
    if not status.exists():
        share = 2**30 if sys.platform == "darwin" else 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / share
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def main(case: Case) -> None:
    """Ask once, cold, and print what it took."""
    asked = runs(case)
    with limited():
        began = time.perf_counter()
        asks = hpo.Bayesian().ask(asked, [case.q] * case.runs)
        seconds = time.perf_counter() - began
    check(asks, case)
    print(json.dumps({"seconds": seconds, "gib": peak_gib()}))


if __name__ == "__main__":
    main(Case(*map(int, sys.argv[1:])))
