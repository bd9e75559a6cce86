"""The rivals: a plain PyTorch loop, and networks of equal sizes stacked by `torch.func.vmap`.

Both train what ours trains: the same recipes, images, batches and epochs, float32, validation and
test after each epoch, no schedule, label smoothing or augmentation.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import gcd

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from hpo_research.rng import Stream
from hpo_research.training import MLP, Architecture, Data, Recipe, Task, train

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def ours(recipes: Sequence[Recipe], architecture: Architecture, data: Data, epochs: int) -> None:
    """Train all networks as one batch."""
    tasks = [Task(recipe, Stream(0).at("trial", i), epochs) for i, recipe in enumerate(recipes)]
    device = str(data.images.device)
    for _ in train(tasks, architecture, data, device):
        pass


def network(recipe: Recipe, architecture: Architecture, data: Data) -> nn.Sequential:
    """The network that a user would write."""
    (channels, height, side), activation = data.shape, ACTIVATIONS[recipe.activation]
    widths = [recipe.width] * recipe.depth
    layers: list[nn.Module] = []
    if isinstance(architecture, MLP):
        for k, w in zip([architecture.pixels, *widths], widths, strict=False):
            layers += [
                nn.Linear(k, w),
                *normalised(recipe),
                activation(),
                nn.Dropout(recipe.dropout),
            ]
        layers += [nn.Linear(recipe.width, data.classes)]
    else:
        layers += [nn.Unflatten(1, data.shape)]
        for k, w in zip([channels, *widths], widths, strict=False):
            convolution = nn.Conv2d(k, w, 3, padding=1)
            layers += [convolution, *normalised(recipe), activation(), nn.AvgPool2d(2)]
        features = (height >> recipe.depth) * (side >> recipe.depth) * recipe.width
        layers += [nn.Flatten(), nn.Dropout(recipe.dropout), nn.Linear(features, data.classes)]
    return nn.Sequential(*layers).to(data.images.device)


def normalised(recipe: Recipe) -> list[nn.Module]:
    """The layer or group norm of a hidden layer, if there is one."""
    if recipe.normalisation == "none":
        return []
    if recipe.normalisation == "layer":
        return [nn.LayerNorm(recipe.width)]
    return [nn.GroupNorm(gcd(recipe.width, 4), recipe.width)]


def held_out(data: Data) -> Iterable[tuple[Tensor, Tensor]]:
    """The images and labels to evaluate on."""
    yield data.validation_images, data.validation_labels
    yield data.test_images, data.test_labels


def loop(recipes: Sequence[Recipe], architecture: Architecture, data: Data, epochs: int) -> None:
    """Train one network after another."""
    for recipe in recipes:
        model = network(recipe, architecture, data)
        common = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        if recipe.optimizer == "sgd":
            stepper = torch.optim.SGD(model.parameters(), momentum=recipe.momentum, **common)
        else:
            betas = (recipe.momentum, 0.999)
            stepper = torch.optim.AdamW(model.parameters(), betas=betas, **common)
        for _ in range(epochs):
            _plain_epoch(model, stepper, recipe.batch_size, data)


def _plain_epoch(
    model: nn.Module, stepper: torch.optim.Optimizer, batch_size: int, data: Data
) -> None:
    model.train()
    order = torch.randperm(len(data.images), device=data.images.device)
    for rows in order.split(batch_size):
        stepper.zero_grad()
        nn.functional.cross_entropy(model(data.images[rows]), data.labels[rows]).backward()
        stepper.step()
    model.eval()
    with torch.no_grad():
        for images, labels in held_out(data):
            scores = model(images)
            nn.functional.cross_entropy(scores, labels)
            (scores.argmax(1) == labels).float().mean()


def stacked(recipes: Sequence[Recipe], architecture: Architecture, data: Data, epochs: int) -> None:
    """Train networks of equal sizes, dropout, activation and optimiser as one by `vmap`.

    vmap takes one function for all, so whatever is no tensor splits the networks.
    """
    groups = defaultdict(list)
    for recipe in recipes:
        same = (recipe.width, recipe.batch_size, recipe.activation, recipe.optimizer)
        same += (recipe.normalisation,)
        groups[same, recipe.dropout > 0].append(recipe)
    for members in groups.values():
        _vmapped(members, architecture, data, epochs)


def _vmapped(
    recipes: Sequence[Recipe], architecture: Architecture, data: Data, epochs: int
) -> None:
    models = [network(recipe, architecture, data) for recipe in recipes]
    kept = torch.tensor([1 - recipe.dropout for recipe in recipes], device=data.images.device)
    parameters, _ = stack_module_state(models)
    parameters = {name: value.detach() for name, value in parameters.items()}
    inner = [Dropped() if isinstance(m, nn.Dropout) else m for m in models[0]]
    base = nn.Sequential(*inner).to("meta")
    rates = _rates(recipes, data.images.device)
    is_sgd = recipes[0].optimizer == "sgd"
    moments = [{name: torch.zeros_like(p) for name, p in parameters.items()} for _ in range(2)]

    def loss(p: dict[str, Tensor], x: Tensor, y: Tensor, keep: Tensor) -> Tensor:
        for module in base:
            if isinstance(module, Dropped):
                module.keep = keep
        return nn.functional.cross_entropy(functional_call(base, p, (x,)), y)

    def scores(p: dict[str, Tensor], x: Tensor) -> Tensor:
        for module in base:
            if isinstance(module, Dropped):
                module.keep = None
        return functional_call(base, p, (x,))

    gradient = vmap(grad(loss), randomness="different")
    evaluate = vmap(scores, in_dims=(0, None))
    count, size, step = len(recipes), recipes[0].batch_size, 0
    for _ in range(epochs):
        orders = [torch.randperm(len(data.images)).split(size) for _ in range(count)]
        for rows in zip(*orders, strict=True):
            step += 1
            index = torch.stack(rows).to(data.images.device)
            g = gradient(parameters, data.images[index], data.labels[index], kept)
            update = _sgd if is_sgd else _adamw
            for name in parameters:
                update(parameters[name], g[name], [m[name] for m in moments], rates, step)
        for images, labels in held_out(data):
            found = evaluate(parameters, images)
            nn.functional.cross_entropy(found.flatten(0, 1), labels.repeat(count))
            (found.argmax(2) == labels).float().mean(1)


class Dropped(nn.Module):
    """Dropout whose rate is a tensor, for `vmap`; none where `keep` is None."""

    keep: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop units and scale up the rest."""
        if self.keep is None:
            return x
        return x * (torch.rand_like(x) < self.keep) / self.keep


def _rates(recipes: Sequence[Recipe], device: torch.device) -> dict[str, Tensor]:
    names = ("learning_rate", "momentum", "weight_decay")
    return {n: torch.tensor([getattr(r, n) for r in recipes], device=device) for n in names}


def _sgd(p: Tensor, g: Tensor, moments: list[Tensor], rates: dict[str, Tensor], step: int) -> None:
    rate, momentum, decay = (rates[name].view(-1, *[1] * (p.ndim - 1)) for name in rates)
    moments[0].mul_(momentum).add_(g + decay * p)
    p.sub_(rate * moments[0])


def _adamw(
    p: Tensor, g: Tensor, moments: list[Tensor], rates: dict[str, Tensor], step: int
) -> None:
    rate, beta, decay = (rates[name].view(-1, *[1] * (p.ndim - 1)) for name in rates)
    first, second = moments
    first.lerp_(g, 1 - beta)
    second.mul_(0.999).addcmul_(g, g, value=0.001)
    p.mul_(1 - rate * decay)
    deviation = (second / (1 - 0.999**step)).sqrt_().add_(1e-8)
    p.sub_(rate * (first / (1 - beta**step)) / deviation)
