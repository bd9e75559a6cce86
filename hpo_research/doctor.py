"""A self-test: whether each numeric kernel repeats bit for bit on this machine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hpo_research.device import used
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.problems.registry import problem
from hpo_research.problems.synthetic import FUNCTIONS
from hpo_research.records import Run, Segment, Trial
from hpo_research.rng import Stream
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.sobol import sobol
from hpo_research.threads import limited

Rows = list[tuple[float, ...]]
Kernel = Callable[[Sequence[int]], Rows]
"""Computes the numbered items as one batch, a row of numbers each."""

_ITEMS = 6


@dataclass(frozen=True)
class Check:
    """What a kernel showed: whether a second call, and each item alone, gave the same bits.

    `seconds` is what the second call took.
    """

    kernel: str
    device: str
    is_repeatable: bool
    is_alone_equal: bool
    seconds: float

    @property
    def is_equal(self) -> bool:
        """Whether every comparison was bit-equal."""
        return self.is_repeatable and self.is_alone_equal


def checks(device: str = "cpu") -> list[Check]:
    """Run every kernel twice as a batch, and once for each item alone."""
    kernels: dict[str, Kernel] = {
        name: _problem_kernel(built, device) for name, built in _problems().items()
    }
    if device == "cpu":  # all draws are made there
        kernels["Sobol points"] = _sobol
        kernels["random streams"] = _streams
    kernels["Gaussian process, one ask"] = partial(_model, device)
    with limited():
        return [_check(name, kernel, device) for name, kernel in kernels.items()]


def _problems() -> dict[str, Problem]:
    return {
        **{name: problem(name) for name in FUNCTIONS},
        "curves": problem("curves"),
        "digits-mlp, one epoch": problem("digits-mlp", max_epochs=1),
        "digits-cnn, one epoch": problem("digits-cnn", max_epochs=1),
    }


def _check(name: str, kernel: Kernel, device: str) -> Check:
    items = range(_ITEMS)
    first = kernel(items)
    began = time.perf_counter()
    second = kernel(items)
    seconds = time.perf_counter() - began
    alone = [row for item in items for row in kernel([item])]
    # Texts of floats tell every bit apart, the sign of zero included, and know one NaN.
    return Check(name, device, repr(first) == repr(second), repr(first) == repr(alone), seconds)


def _problem_kernel(problem: Problem, device: str) -> Kernel:
    draws = Stream(0).at("doctor").generator().random((_ITEMS, problem.space.dimension))
    configs = problem.space.from_uniform(draws)

    def kernel(items: Sequence[int]) -> Rows:
        last = last_epoch(problem.max_epochs)
        segments = [Segment(0, i, configs[i], last, Stream(0).at("trial", i)) for i in items]
        rows: dict[int, tuple[float, ...]] = {i: () for i in items}
        for reports in problem.evaluate(segments, device):
            for report in reports:
                numbers = tuple(report.metrics[name] for name in sorted(report.metrics))
                rows[report.trial] += numbers
        return list(rows.values())

    return kernel


def _sobol(items: Sequence[int]) -> Rows:
    points = sobol(Stream(0), 8, first=items[0], count=len(items))
    return [tuple(row) for row in points.tolist()]


def _model(device: str, items: Sequence[int]) -> Rows:
    """Fit a model to each item's own trials of Branin, and choose two configurations with it."""
    space = problem("branin").space
    runs = []
    for i in items:
        draws = Stream(i).at("doctor").generator()
        configs, values = space.from_uniform(draws.random((12 + i, 2))), draws.normal(size=12 + i)
        trials = enumerate(zip(configs, values.tolist(), strict=True))
        known = tuple(Trial(k, c, "finished", 1, value=v) for k, (c, v) in trials)
        runs.append(Run(space, seed=i, trials=known))
    with used(device):
        asks = Bayesian(starts=8).ask(runs, [2] * len(runs))
    chosen = [[p.config for p in ask.proposals if p.config is not None] for ask in asks]
    return [tuple(space.encode(configs).ravel().tolist()) for configs in chosen]


def _streams(items: Sequence[int]) -> Rows:
    draws = [Stream(0).at("doctor", i).generator().standard_normal(64) for i in items]
    return [tuple(draw.tolist()) for draw in draws]
