"""Seconds and memory of one ask in a process of its own: `python -m benchmarks.speed.memory`."""

import json
import subprocess
import sys
import time
from dataclasses import astuple, dataclass

import hpo_research as hpo
from benchmarks.beside import ROOT, peak_mib
from benchmarks.speed.cases import Case, check, runs
from hpo_research.threads import limited


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
        peak = peak_mib(str(child.pid)) / 2**10
        child.kill()
        child.communicate()
        return Alone(time.monotonic() - began, peak, is_over=False)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    return Alone(**json.loads(written.splitlines()[-1]))


def main(case: Case) -> None:
    """Ask once, cold, and print what it took."""
    asked = runs(case)
    with limited():
        began = time.perf_counter()
        asks = hpo.Bayesian().ask(asked, [case.q] * case.runs)
        seconds = time.perf_counter() - began
    check(asks, case)
    print(json.dumps({"seconds": seconds, "gib": peak_mib() / 2**10}))


if __name__ == "__main__":
    main(Case(*map(int, sys.argv[1:])))
