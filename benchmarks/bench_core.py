"""The core alone: fits, posteriors and asks over runs, n, d, q and devices.

`make benchmark` prints the times; `python -m benchmarks.speed` sets them beside those of rivals.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

import hpo_research as hpo
from benchmarks.speed.cases import LIKE, Case, check, data, runs
from benchmarks.speed.record import made_with
from hpo_research.device import used
from hpo_research.gp import KERNELS, Data, condition, fit
from hpo_research.rng import Stream
from hpo_research.threads import limited

BASE = Case(1, n=100, d=6, q=4)
AXES = {"runs": (1, 8, 32), "n": (25, 200), "d": (2, 20), "q": (1, 8)}
CASES = [replace(BASE, **{axis: value}) for axis, values in AXES.items() for value in values]
DEVICES = ["cpu", *(["cuda:0"] if torch.cuda.is_available() else [])]
KERNEL = KERNELS["matern52"]
ASKED = 1024  # points of a posterior
ROUNDS = 3


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    """Every device of this machine."""
    return request.param


def timed(benchmark, call: Callable[[], object], case: Case, device: str) -> None:
    """Warm up, then time calls whose work on the device has ended."""

    def whole() -> None:
        call()
        if device != "cpu":
            torch.cuda.synchronize()

    with limited(), used(device):
        benchmark.extra_info.update(
            case=str(case), **made_with(), place=device, load=os.getloadavg()[0]
        )
        benchmark.pedantic(whole, rounds=ROUNDS, warmup_rounds=1)


def on(known: Data, device: str) -> Data:
    return Data.of(known.x.to(device), known.y.to(device), known.mask.to(device))


@pytest.mark.parametrize("case", CASES[:7], ids=str)
def bench_fit(benchmark, case: Case, device: str) -> None:
    known = on(data(case), device)
    timed(benchmark, lambda: fit(known, [KERNEL]), case, device)


@pytest.mark.parametrize("case", CASES[:7], ids=str)
def bench_posterior(benchmark, case: Case, device: str) -> None:
    """Condition on the data and predict at 1024 points of each run."""
    known = on(data(case), device)
    hyper = fit(known, [KERNEL]).hyperparameters
    x = Stream(0).at("asked").uniform(case.runs, ASKED, case.d, like=LIKE).to(device)
    timed(benchmark, lambda: condition(known, KERNEL, hyper).predict(x), case, device)


@pytest.mark.parametrize("case", CASES, ids=str)
def bench_ask(benchmark, case: Case, device: str) -> None:
    asked, slots = runs(case), [case.q] * case.runs
    with limited(), used(device):
        check(hpo.Bayesian().ask(asked, slots), case)
    timed(benchmark, lambda: hpo.Bayesian().ask(asked, slots), case, device)
