"""What is trained: an architecture, its data, and the recipes of K networks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch

import hpo_research as hpo
from hpo_research.problems.images import load
from hpo_research.rng import Stream
from hpo_research.space import SearchSpace
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe


@dataclass(frozen=True)
class Case:
    """A rung: `recipes(K)` are the networks; `epochs` are timed."""

    title: str
    architecture: Architecture
    data: Callable[[], Data]
    recipes: Callable[[int], list[Recipe]]
    epochs: int = 1


def uniform(width: int, **options: Any) -> Callable[[int], list[Recipe]]:
    """Networks that differ in their rates alone."""

    def recipes(count: int) -> list[Recipe]:
        rates = 10 ** (-4 + 3 * Stream(0).at("rates").generator().random(count))
        return [Recipe(learning_rate=float(rate), width=width, **options) for rate in rates]

    return recipes


def drawn(space: SearchSpace) -> Callable[[int], list[Recipe]]:
    """The first trials of a random search."""

    def recipes(count: int) -> list[Recipe]:
        draws = Stream(0).at("bench").generator().random((count, space.dimension))
        return [Recipe(**config) for config in space.from_uniform(draws)]

    return recipes


@cache
def noise(shape: tuple[int, int, int], train: int) -> Data:
    """Images that say nothing: the time to train on them is that of any others."""
    stream, like, n = Stream(1), torch.zeros(1), train + 512 + 448
    images = stream.at("images").normal(n, shape[0] * shape[1] * shape[2], like=like)
    labels = (stream.at("labels").uniform(n, like=like) * 10).long()
    parts = zip(images.split((train, 512, 448)), labels.split((train, 512, 448)), strict=True)
    return Data(*(tensor for part in parts for tensor in part), classes=10, shape=shape)


DIGITS = partial(load, "digits")
MLP_SPACE = hpo.problem("digits-mlp").space
CNN_SPACE = hpo.problem("digits-cnn").space

CASES = {
    "uniform-16": Case("digits, MLPs of width 16, batch 32", MLP(), DIGITS, uniform(16)),
    "uniform-64": Case("digits, MLPs of width 64, batch 32", MLP(), DIGITS, uniform(64)),
    "digits-mlp": Case("digits-mlp, drawn from its space", MLP(), DIGITS, drawn(MLP_SPACE)),
    "digits-cnn": Case("digits-cnn, drawn from its space", CNN(), DIGITS, drawn(CNN_SPACE)),
    # Few networks take milliseconds, so several epochs are timed.
    **{
        f"cnn-{width}-{batch_size}": Case(
            f"digits, CNNs of {width} channels, batch {batch_size}",
            *(CNN(), DIGITS, uniform(width, batch_size=batch_size)),
            epochs=20,
        )
        for width in (4, 8, 16, 32)
        for batch_size in (64, 256)
    },
    **{
        f"cnn-{width}-256-group": Case(
            f"digits, CNNs of {width} channels with group norm, batch 256",
            *(CNN(), DIGITS, uniform(width, batch_size=256, normalisation="group")),
            epochs=20,
        )
        for width in (4, 8, 16, 32)
    },
    "mlp-64-256-layer": Case(
        "digits, MLPs of width 64 with layer norm, batch 256",
        *(MLP(), DIGITS, uniform(64, batch_size=256, normalisation="layer")),
        epochs=20,
    ),
    # A whole number of batches of 256: ours leaves out a last one that is not full.
    "mlp-28": Case(
        "28×28, 4,096 images, MLPs of the space of digits-mlp",
        MLP(784),
        lambda: noise((1, 28, 28), 4096),
        drawn(MLP_SPACE),
    ),
    "cnn-28": Case(
        "28×28, 512 images, CNNs of the space of digits-cnn",
        CNN((1, 28, 28)),
        lambda: noise((1, 28, 28), 512),
        drawn(CNN_SPACE),
    ),
    "cnn-32": Case(
        "32×32×3, 256 images, CNNs of the space of digits-cnn",
        CNN((3, 32, 32)),
        lambda: noise((3, 32, 32), 256),
        drawn(CNN_SPACE),
    ),
}
