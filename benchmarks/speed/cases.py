"""What is fitted and asked: runs of a search half way, the same for everyone who is timed."""

import math
from dataclasses import dataclass

import torch
from botorch.test_functions import Hartmann, Levy
from torch import Tensor

import hpo_research as hpo
from hpo_research.gp import Data
from hpo_research.records import Run, Trial
from hpo_research.rng import Stream

LIKE = torch.zeros(1, dtype=torch.float64)
_NEAR = 0.1  # the deviation of trials beside the best, in units of the cube


@dataclass(frozen=True)
class Case:
    """So many runs, each with n ended trials in d dimensions, asked for q more."""

    runs: int = 1
    n: int = 100
    d: int = 6
    q: int = 4

    def __str__(self) -> str:
        runs = "one run" if self.runs == 1 else f"{self.runs} runs"
        return f"{runs}, n={self.n}, d={self.d}, q={self.q}"


def losses(x: Tensor) -> Tensor:
    """Return Hartmann6 in six dimensions, Levy in others, over the unit cube. Shape: ... d."""
    d = x.shape[-1]
    function = Hartmann(dim=6) if d == 6 else Levy(dim=d)
    low, high = function.bounds.to(x)
    value: Tensor = function.evaluate_true(low + (high - low) * x)
    return value


def points(run: int, n: int, d: int) -> Tensor:
    """Return where a run has looked: half at random, half beside the best of those. Shape: n d."""
    stream = Stream(run).at("speed", n, d)
    spread = stream.at("spread").uniform(n - n // 2, d, like=LIKE)
    best = spread[losses(spread).argmin()]
    near = best + _NEAR * stream.at("near").normal(n // 2, d, like=LIKE)
    return torch.cat([spread, near.clamp(0, 1)])


def data(case: Case) -> Data:
    """Return one data set a GP, losses with mean 0 and variance 1."""
    x = torch.stack([points(run, case.n, case.d) for run in range(case.runs)])
    y = losses(x)
    centred = y - y.mean(dim=1, keepdim=True)
    return Data.of(x, centred / centred.square().mean(dim=1, keepdim=True).sqrt())


def space(d: int) -> hpo.SearchSpace:
    """Return the unit cube."""
    return hpo.SearchSpace(**{f"x{j}": hpo.Float(0.0, 1.0) for j in range(d)})


def runs(case: Case) -> list[Run]:
    """Return the runs as strategies see them."""
    cube, found = space(case.d), []
    for number in range(case.runs):
        x = points(number, case.n, case.d)
        trials = tuple(
            Trial(
                i,
                {f"x{j}": value for j, value in enumerate(row)},
                "finished",
                1,
                epochs=(1,),
                values=(loss,),
                value=loss,
            )
            for i, (row, loss) in enumerate(zip(x.tolist(), losses(x).tolist(), strict=True))
        )
        found.append(Run(cube, seed=number, trials=trials, id=number))
    return found


def check(asks: list[hpo.Ask], case: Case) -> None:
    """Refuse to time an ask that did not do the work."""
    for ask in asks:
        values = [v for p in ask.proposals for v in (p.config or {}).values()]
        if len(values) != case.q * case.d or not all(math.isfinite(v) for v in values):
            raise RuntimeError(f"an ask ({case}) gave {len(values)} numbers: {values}")
