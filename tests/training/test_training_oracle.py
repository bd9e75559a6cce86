"""Against a slow plain loop: one unpadded network, torch modules, autograd, float64."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn

from hpo_research.rng import Stream
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe, Task, train
from hpo_research.training.architecture import Shape
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import CLASSES, Layout
from hpo_research.training.schedules import learning_rates

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
    "adamw-without-momentum": replace(RECIPE, optimizer="adamw", learning_rate=1e-3, momentum=0.0),
    "nesterov-cosine": replace(RECIPE, optimizer="nesterov", schedule="cosine", warmup=0.2),
    "adam-step-three-deep": replace(
        RECIPE, optimizer="adam", learning_rate=2e-3, schedule="step", depth=3, weight_decay=0.01
    ),
    "rmsprop-smoothed": replace(
        RECIPE, optimizer="rmsprop", learning_rate=3e-4, momentum=0.5, label_smoothing=0.2
    ),
    "layer-norm": replace(RECIPE, normalisation="layer", activation="silu"),
    # Wide groups and few steps: where a group's units are nearly equal, rounding grows 300-fold.
    "group-norm": replace(RECIPE, normalisation="group", width=44, batch_size=128, depth=3),
    "shallow-ragged-batches": replace(RECIPE, depth=1, batch_size=100),
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

    def normalised() -> list[nn.Module]:
        if recipe.normalisation == "none":
            return []
        groups = 1 if recipe.normalisation == "layer" else math.gcd(width, 4)
        return [nn.GroupNorm(groups, width)]

    sizes = list(itertools.pairwise([0, *[width] * recipe.depth]))
    if isinstance(architecture, MLP):
        hidden = [[nn.Linear(k or 64, w), *normalised(), activation(), Masked()] for k, w in sizes]
        return nn.Sequential(*itertools.chain(*hidden), nn.Linear(width, 10)).double()
    blocks = [
        [nn.Conv2d(k or 1, w, 3, padding=1), *normalised(), activation(), nn.AvgPool2d(2)]
        for k, w in sizes
    ]
    positions = (8 >> recipe.depth) ** 2
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        *itertools.chain(*blocks),
        *(nn.Flatten(), Masked(), nn.Linear(positions * width, 10)),
    ).double()


def rows_to_modules(
    architecture: Architecture, recipe: Recipe, row: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return the unpadded (weight, bias) of every layer as torch's modules hold them."""
    shape = Shape.of(recipe)
    layout = Layout(architecture.layers(architecture.padded(shape), CLASSES))
    real, convolutional = architecture.layers(shape, 10), isinstance(architecture, CNN)
    pairs = []
    for i, (layer, padded, (matrix, bias)) in enumerate(
        zip(real, layout.layers, layout.weights(row[None]), strict=True)
    ):
        weight = matrix.view(padded.taps, padded.inputs, padded.outputs)
        weight = weight[:, : layer.inputs, : layer.outputs].double().permute(2, 1, 0)
        if layer.is_gain:
            weight = weight.flatten()
        elif convolutional and i < len(real) - 1:
            weight = weight.reshape(layer.outputs, layer.inputs, 3, 3)
        else:
            weight = weight.flatten(1)
        pairs.append((weight, bias[0, : layer.outputs]))
    return pairs


def masks_of_epoch(
    architecture: Architecture, recipe: Recipe, stream: Stream, steps: int
) -> list[Tensor]:
    """Return every dropout layer's masks as the plain network wants them: steps n units."""
    shape = architecture.padded(Shape.of(recipe))
    masks = dropout_masks(
        [stream], [recipe.dropout], (steps, recipe.batch_size), architecture.dropped(shape)
    )
    if isinstance(architecture, MLP):
        return [mask[:, 0, :, : recipe.width].double() for mask in masks]
    features = masks[0][:, 0].unflatten(-1, (-1, shape.width))[..., : recipe.width]
    return [features.transpose(2, 3).flatten(2).double()]


def plain_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    rate, momentum = recipe.learning_rate, recipe.momentum
    common = {"lr": rate, "weight_decay": recipe.weight_decay}
    if recipe.optimizer in ("sgd", "nesterov"):
        is_nesterov = recipe.optimizer == "nesterov"
        return torch.optim.SGD(parameters, momentum=momentum, nesterov=is_nesterov, **common)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, momentum=momentum, **common)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, betas=(momentum, 0.999), **common)


def plainly_trained(
    architecture: Architecture, recipe: Recipe, stream: Stream, data: Data
) -> tuple[nn.Sequential, float]:
    """Return the network after all epochs, and the mean training loss of the last."""
    network = plain(architecture, recipe)
    shape = Shape.of(recipe)
    layout = Layout(architecture.layers(architecture.padded(shape), CLASSES))
    row = layout.initial(architecture.layers(shape, 10), stream.at("init"))
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
        order = [batch for batch in order if len(batch) == recipe.batch_size]
        masks = masks_of_epoch(architecture, recipe, stream.at("dropout", epoch), len(order))
        losses = []
        for step, batch in enumerate(order):
            for module, mask in zip(dropouts, masks, strict=True):
                module.mask = mask[step]
            logits = network(data.images[batch].double())
            loss = nn.functional.cross_entropy(
                logits, data.labels[batch], label_smoothing=recipe.label_smoothing
            )
            task = Task(recipe, stream, EPOCHS, horizon=EPOCHS)
            # Held against torch's schedulers in test_training_layers.py.
            rate = learning_rates(task, (epoch - 1) * len(order), len(order))[step]
            for group in optimizer.param_groups:
                group["lr"] = rate
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
    mates = [Task(mate, Stream(6), EPOCHS, horizon=EPOCHS) for mate in RECIPES.values()]
    tasks = [*mates, Task(recipe, stream, EPOCHS, horizon=EPOCHS)]
    results = list(train(tasks, architecture, data, "cpu"))
    result = results[-1][-1]

    row = result.state()["parameters"]
    holders = [module for module in network if hasattr(module, "weight")]
    for module, (weight, bias) in zip(
        holders, rows_to_modules(architecture, recipe, row), strict=True
    ):
        torch.testing.assert_close(weight, module.weight.detach(), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(bias.double(), module.bias.detach(), rtol=1e-3, atol=1e-4)
    assert result.train_loss == pytest.approx(train_loss, rel=1e-4)
    for images, labels, loss, accuracy in (
        (data.validation_images, data.validation_labels, result.log_loss, result.accuracy),
        (data.test_images, data.test_labels, result.test_log_loss, result.test_accuracy),
    ):
        probabilities = network(images.double()).softmax(-1).detach().numpy()
        known = list(range(10))
        expected = log_loss(labels.numpy(), probabilities, labels=known)
        assert loss == pytest.approx(expected, rel=1e-4)
        assert accuracy == pytest.approx(
            accuracy_score(labels.numpy(), probabilities.argmax(1)), abs=1 / len(labels)
        )
