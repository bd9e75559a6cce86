"""Seconds and memory of one ask in a process of its own."""

import json
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path

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


def alone(case: Case, limit: float, *, checkout: Path = ROOT) -> Alone:
    """Ask once in a fresh process on the package of a checkout, for so many seconds at most."""
    numbers = ", ".join(map(str, astuple(case)))
    program = (
        f"import sys; sys.path.insert(0, {str(checkout)!r}); import hpo_research; "
        f"sys.path.insert(0, {str(ROOT)!r}); from benchmarks.speed import memory; "
        f"memory.main(memory.Case({numbers}))"
    )
    command = [sys.executable, "-P", "-c", program]
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True)
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
