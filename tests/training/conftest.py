from collections.abc import Callable

import pytest
import torch

from hpo_research.rng import Stream
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe

ARCHITECTURES = {"mlp": MLP(), "cnn": CNN()}


def classes_of_noise(shape: tuple[int, int, int], counts: tuple[int, int, int]) -> Data:
    """Ten prototypes with noise: so many images to train on, to validate and to test."""
    stream, like, n = Stream(11), torch.zeros(1), sum(counts)
    pixels = shape[0] * shape[1] * shape[2]
    prototypes = stream.at("prototypes").uniform(10, pixels, like=like)
    labels = (stream.at("labels").uniform(n, like=like) * 10).long()
    images = prototypes[labels] + 0.5 * stream.at("noise").normal(n, pixels, like=like)
    parts = zip(images.split(counts), labels.split(counts), strict=True)
    return Data(*(tensor for part in parts for tensor in part), classes=10, shape=shape)


@pytest.fixture(scope="session", params=ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return request.param


@pytest.fixture(scope="session")
def data() -> Data:
    """Images of 8×8 pixels."""
    return classes_of_noise((1, 8, 8), (256, 64, 32))


@pytest.fixture(scope="session")
def draw_recipes() -> Callable[[Architecture, int], list[Recipe]]:
    """Recipes at random, some of them bound to diverge."""

    def draw(architecture: Architecture, count: int) -> list[Recipe]:
        widths = (3, 34) if isinstance(architecture, CNN) else (5, 100)
        return [recipe_of(Stream(7).at("recipe", i).generator(), i, widths) for i in range(count)]

    def recipe_of(generator, i: int, widths: tuple[int, int]) -> Recipe:
        u = generator.random(16)
        return Recipe(
            learning_rate=float(10 ** (-4 + 5 * u[0])),
            momentum=float(0.99 * u[1]),
            weight_decay=float(10 ** (-6 + 5 * u[2])),
            batch_size=(32, 64, 100)[int(3 * u[3])],
            width=int(widths[0] + u[4] * (widths[1] - widths[0])),
            dropout=float(0.6 * u[5]) if i % 5 else 0.0,
            activation=("relu", "gelu", "silu")[int(3 * u[6])],
            optimizer=("sgd", "nesterov", "adam", "adamw", "rmsprop")[int(5 * u[7])],
            depth=(1, 2, 2, 3)[int(4 * u[8])],
            schedule=("constant", "cosine", "step")[int(3 * u[9])],
            warmup=float(0.2 * u[10]) if i % 3 else 0.0,
            label_smoothing=float(0.2 * u[11]) if i % 2 else 0.0,
            normalisation=("none", "none", "layer", "group")[int(4 * u[12])],
            shift=(0, 0, 0, 1, 2)[int(5 * u[13])],
            flip=bool(u[14] < 0.2),
        )

    return draw
