"""Against a slow plain loop: one unpadded network, torch modules, autograd, float64."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn

from hpo_research.rng import Stream
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe, Task, train
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import CLASSES, Layout

EPOCHS = 3
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
RECIPE = Recipe(0.02, 0.8, 1e-3, 64, 21, 0.3, "relu", "sgd")
RECIPES = {
    "sgd-relu": RECIPE,
    "sgd-gelu": replace(RECIPE, activation="gelu", batch_size=32),
    "sgd-silu-without-dropout": replace(RECIPE, activation="silu", dropout=0.0),
    "sgd-without-momentum": replace(RECIPE, momentum=0.0, learning_rate=0.1, width=32),
    "adamw-relu": replace(RECIPE, optimizer="adamw", learning_rate=2e-3, weight_decay=0.1),
    "adamw-gelu": replace(RECIPE, optimizer="adamw", learning_rate=5e-3, activation="gelu"),
    "adamw-silu": replace(RECIPE, optimizer="adamw", learning_rate=1e-3, activation="silu"),
    "adamw-without-momentum": replace(RECIPE, optimizer="adamw", learning_rate=1e-3, momentum=0.0),
}


class Masked(nn.Module):
    """Dropout with masks that were drawn before, one a step."""

    def __init__(self) -> None:
        super().__init__()
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        return x if self.mask is None else x * self.mask


def plain(architecture: Architecture, recipe: Recipe) -> nn.Sequential:
    width, activation = recipe.width, ACTIVATIONS[recipe.activation]
    if isinstance(architecture, MLP):
        return nn.Sequential(
            *(nn.Linear(64, width), activation(), Masked()),
            *(nn.Linear(width, width), activation(), Masked()),
            nn.Linear(width, 10),
        ).double()
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        *(nn.Conv2d(1, width, 3, padding=1), activation(), nn.AvgPool2d(2)),
        *(nn.Conv2d(width, width, 3, padding=1), activation(), nn.AvgPool2d(2)),
        *(nn.Flatten(), Masked(), nn.Linear(4 * width, 10)),
    ).double()


def rows_to_modules(
    architecture: Architecture, recipe: Recipe, row: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return the unpadded (weight, bias) of every layer as torch's modules hold them."""
    layout = Layout(architecture.layers(architecture.padded(recipe.width), CLASSES))
    real, convolutional = architecture.layers(recipe.width, 10), isinstance(architecture, CNN)
    pairs = []
    for i, (layer, padded, (matrix, bias)) in enumerate(
        zip(real, layout.layers, layout.weights(row[None]), strict=True)
    ):
        weight = matrix.view(padded.taps, padded.inputs, padded.outputs)
        weight = weight[:, : layer.inputs, : layer.outputs].double().permute(2, 1, 0)
        last = i == len(real) - 1
        if convolutional and not last:
            weight = weight.reshape(layer.outputs, layer.inputs, 3, 3)
        pairs.append((weight.flatten(1) if last else weight.squeeze(-1), bias[0, : layer.outputs]))
    return pairs


def masks_of_epoch(
    architecture: Architecture, recipe: Recipe, stream: Stream, steps: int
) -> list[Tensor]:
    """Return every dropout layer's masks as the plain network wants them: steps n units."""
    width = architecture.padded(recipe.width)
    masks = dropout_masks(
        [stream], [recipe.dropout], (steps, recipe.batch_size), architecture.dropped(width)
    )
    if isinstance(architecture, MLP):
        return [mask[:, 0, :, : recipe.width].double() for mask in masks]
    features = masks[0][:, 0].unflatten(-1, (4, width))[..., : recipe.width]
    return [features.transpose(2, 3).flatten(2).double()]


def plain_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=rate, momentum=recipe.momentum, weight_decay=decay
        )
    betas = (recipe.momentum, 0.999)
    return torch.optim.AdamW(network.parameters(), lr=rate, betas=betas, weight_decay=decay)


def plainly_trained(
    architecture: Architecture, recipe: Recipe, stream: Stream, data: Data
) -> tuple[nn.Sequential, float]:
    """Return the network after all epochs, and the mean training loss of the last."""
    network = plain(architecture, recipe)
    layout = Layout(architecture.layers(architecture.padded(recipe.width), CLASSES))
    row = layout.initial(architecture.layers(recipe.width, 10), stream.at("init"))
    holders = [module for module in network if hasattr(module, "weight")]
    with torch.no_grad():
        for module, (weight, bias) in zip(
            holders, rows_to_modules(architecture, recipe, row), strict=True
        ):
            module.weight.copy_(weight)
            module.bias.copy_(bias)
    optimizer, losses = plain_optimizer(network, recipe), []
    dropouts = [module for module in network if isinstance(module, Masked)]
    for epoch in range(1, EPOCHS + 1):
        order = stream.at("order", epoch).permutation(len(data.images)).split(recipe.batch_size)
        masks = masks_of_epoch(architecture, recipe, stream.at("dropout", epoch), len(order))
        losses = []
        for step, batch in enumerate(order):
            for module, mask in zip(dropouts, masks, strict=True):
                module.mask = mask[step]
            logits = network(data.images[batch].double())
            loss = nn.functional.cross_entropy(logits, data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    for module in dropouts:
        module.mask = None
    return network, sum(losses) / len(losses)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_training_matches_a_plain_autograd_loop(
    recipe: Recipe, architecture: Architecture, data: Data
) -> None:
    stream = Stream(5).at("trial", 0)
    network, train_loss = plainly_trained(architecture, recipe, stream, data)
    # Mates of other optimisers and activations, so that rows of a stack are cut into runs.
    mates = [Task(mate, Stream(6), EPOCHS) for mate in RECIPES.values()]
    results = list(train([*mates, Task(recipe, stream, EPOCHS)], architecture, data, "cpu"))
    result = results[-1][-1]

    row = result.state()["parameters"]
    holders = [module for module in network if hasattr(module, "weight")]
    for module, (weight, bias) in zip(
        holders, rows_to_modules(architecture, recipe, row), strict=True
    ):
        torch.testing.assert_close(weight, module.weight.detach(), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(bias.double(), module.bias.detach(), rtol=1e-3, atol=1e-4)
    probabilities = network(data.validation_images.double()).softmax(-1).detach().numpy()
    labels = data.validation_labels.numpy()
    assert result.train_loss == pytest.approx(train_loss, rel=1e-4)
    assert result.log_loss == pytest.approx(log_loss(labels, probabilities), rel=1e-4)
    assert result.accuracy == pytest.approx(
        accuracy_score(labels, probabilities.argmax(1)), abs=1 / len(labels)
    )
