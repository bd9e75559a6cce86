"""Small recorded tables for tests, made once a process and removed with it."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hpo_research.problems import curve_table
from hpo_research.problems.curve_table import CurveTable
from hpo_research.problems.registry import problem
from hpo_research.rng import Stream
from hpo_research.space import SearchSpace

_FOLDER = TemporaryDirectory(prefix="hpo-tables-")


def invented(*, seeds: int = 2, epochs: int = 9, configurations: int = 60) -> CurveTable:
    """A table of numbers that were drawn: every tenth configuration diverges with every seed."""
    space = problem("digits-mlp").space
    draws = Stream(3).at("invented").generator()
    configs = space.from_uniform(draws.random((configurations, space.dimension)))
    shape = (configurations, seeds, epochs)
    level = draws.gamma(2.0, 0.2, size=(configurations, 1, 1))
    falling = level + 1 / np.arange(1, epochs + 1)
    loss = (falling + draws.exponential(0.05, size=shape)).astype(np.float32)
    accuracy = np.exp(-loss)
    for values in (loss, accuracy):
        values[::10, :, 4:] = np.nan
        values[5, 0, 2:] = np.nan  # one seed of two
    return CurveTable(
        "digits-mlp",
        SearchSpace(space.parameters, among=configs),
        "log_loss",
        {"log_loss": "minimize", "accuracy": "maximize"},
        {"log_loss": loss, "accuracy": accuracy},
        draws.uniform(0.1, 1.0, size=shape[:2]).astype(np.float32),
        {"from": "numbers that were drawn"},
    )


@cache
def file(seeds: int = 2, epochs: int = 9) -> str:
    """The file of an invented table."""
    path = Path(_FOLDER.name, f"invented-{seeds}-{epochs}.npz")
    curve_table.write(invented(seeds=seeds, epochs=epochs), path)
    return str(path)
