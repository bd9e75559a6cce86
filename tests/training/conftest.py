from collections.abc import Callable

import pytest
import torch

from hpo_research.rng import Stream
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe

ARCHITECTURES = {"mlp": MLP(), "cnn": CNN()}


@pytest.fixture(scope="session", params=ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return request.param


@pytest.fixture(scope="session")
def data() -> Data:
    """Ten blurred prototypes with noise: 256 images to train on, 64 to validate, 32 to test."""
    stream, like = Stream(11), torch.zeros(1)
    prototypes = stream.at("prototypes").uniform(10, 64, like=like)
    labels = (stream.at("labels").uniform(352, like=like) * 10).long()
    images = prototypes[labels] + 0.5 * stream.at("noise").normal(352, 64, like=like)
    parts = [slice(256), slice(256, 320), slice(320, 352)]
    return Data(
        *(tensor[part] for part in parts for tensor in (images, labels)),
        classes=10,
        shape=(1, 8, 8),
    )


@pytest.fixture(scope="session")
def draw_recipes() -> Callable[[Architecture, int], list[Recipe]]:
    """Recipes at random, some of them bound to diverge."""

    def draw(architecture: Architecture, count: int) -> list[Recipe]:
        widths = (3, 24) if isinstance(architecture, CNN) else (5, 100)
        recipes = []
        for i in range(count):
            u = Stream(7).at("recipe", i).generator().random(8)
            recipes.append(
                Recipe(
                    learning_rate=float(10 ** (-4 + 5 * u[0])),
                    momentum=float(0.99 * u[1]),
                    weight_decay=float(10 ** (-6 + 5 * u[2])),
                    batch_size=(32, 64, 128)[int(3 * u[3])],
                    width=int(widths[0] + u[4] * (widths[1] - widths[0])),
                    dropout=float(0.6 * u[5]) if i % 5 else 0.0,
                    activation=("relu", "gelu", "silu")[int(3 * u[6])],
                    optimizer=("sgd", "adamw")[int(2 * u[7])],
                )
            )
        return recipes

    return draw
