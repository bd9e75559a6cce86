"""Training the small networks of an experiment: one batch, against plain PyTorch one by one.

The short form of `python -m benchmarks.training`, whose cases and rivals these are: an epoch of the
first trials of a random search on `digits-mlp`, with evaluation. `make benchmark` prints both times
and the ratio, which is the figure to quote.
"""

import platform

import pytest
import torch

from benchmarks.training.__main__ import measured
from benchmarks.training.cases import CASES
from benchmarks.training.rivals import ours
from hpo_research.threads import limited


@pytest.mark.parametrize("count", [8, 30, 120])
def bench_networks_as_one_batch(benchmark, count: int) -> None:
    """Prints the ratio of the rival's time to ours."""
    case = CASES["digits-mlp"]
    with limited():
        row = measured(case, count, "cpu", ["ours", "loop"])
        work = (case.recipes(count), case.architecture, case.data(), case.epochs)
        benchmark.pedantic(ours, args=work, rounds=3)
    benchmark.extra_info.update(
        device="cpu, one thread",
        hardware=platform.processor() or platform.machine(),
        torch=torch.__version__,
        **row,
    )
    each = row["milliseconds"]
    print(
        f"\n{count} networks: plain PyTorch {each['loop']:.2f} ms a network-epoch, "
        f"one batch {each['ours']:.2f} ms, ratio {row['loop_ratio']:.1f}"
    )
