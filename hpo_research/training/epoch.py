"""How a stack passes through an epoch: its batches, its steps, and what it is worth afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from hpo_research.rng import Stream
from hpo_research.training.augmentation import Moves, moved, moves_of
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import Weights
from hpo_research.training.losses import (
    accuracy_and_log_loss,
    smoothed,
    smoothing_of,
    training_losses,
)
from hpo_research.training.optimizers import Rates, rates_of_steps, updated
from hpo_research.training.stack import PreparedData, Stack

_MOST_GATHERED = 1 << 20  # floats of inputs that are gathered at once
_MOST_EVALUATED = {"cpu": 128, "cuda": 1024}  # images that pass through a network at once


@dataclass(frozen=True)
class Evaluated:
    """Each network's metrics after an epoch; all are NaN for one that has diverged."""

    accuracy: Float64[Tensor, " b"]
    log_loss: Float64[Tensor, " b"]
    train_loss: Float64[Tensor, " b"]
    test_accuracy: Float64[Tensor, " b"]
    test_log_loss: Float64[Tensor, " b"]


def passed(stack: Stack, subject: PreparedData) -> tuple[Stack, Evaluated]:
    """Train a stack for one epoch and evaluate it; the stack that is given stays as it was."""
    trained, loss = _trained(stack, subject)
    logits = _held_out(trained, subject)
    data, m = subject.data, len(subject.data.validation_labels)
    metrics = [
        *accuracy_and_log_loss(logits[:, :m], data.validation_labels),
        loss,
        *accuracy_and_log_loss(logits[:, m:], data.test_labels),
    ]
    # Not by the test metrics: what they are must change nothing that a search sees.
    is_finite = torch.stack(metrics[:3]).isfinite().all(0)
    return trained, Evaluated(*(torch.where(is_finite, each, torch.nan) for each in metrics))


def _trained(stack: Stack, subject: PreparedData) -> tuple[Stack, Float64[Tensor, " b"]]:
    """Train a stack for one epoch; return it with each network's mean training loss."""
    classes, size = subject.data.classes, stack.signature.batch_size
    order = _orders(stack, len(subject.inputs)).to(subject.device)
    steps = order.shape[1] // size
    smoothing = smoothing_of(stack.recipes, subject.device)
    masks, rates = _masks(stack, subject, steps), _rates(stack, subject, steps)
    parameters, moments, seen = stack.parameters, stack.moments, []
    for step, (x, targets) in enumerate(_batches(stack, subject, order)):
        gradient, logits = subject.architecture.gradient(
            _weights(stack, parameters, subject),
            x,
            targets if smoothing is None else smoothed(targets, smoothing, classes),
            stack.traits,
            [None if mask is None else mask[step] for mask in masks],
        )
        seen.append(logits)
        parameters, moments = updated(
            stack.optimizers, parameters, moments, stack.layout.rows(gradient), rates[step]
        )
    labels = subject.data.labels[order]
    loss = training_losses(torch.cat(seen, 1), labels, smoothing, classes)
    epochs = tuple(epoch + 1 for epoch in stack.epochs)
    return replace(stack, epochs=epochs, parameters=parameters, moments=moments), loss


def _held_out(stack: Stack, subject: PreparedData) -> Float32[Tensor, "b m c"]:
    """Return the class scores of the validation and test images, some images at a time."""
    weights = _weights(stack, stack.parameters, subject)
    blocks = torch.split(subject.held_out, _MOST_EVALUATED[subject.device.type])
    b = len(stack.ids)
    found = [
        subject.architecture.logits(weights, x.expand(b, *x.shape), stack.traits) for x in blocks
    ]
    return torch.cat(found, 1)


def _batches(
    stack: Stack, subject: PreparedData, order: Int64[Tensor, "b n"]
) -> Iterator[tuple[Float32[Tensor, "b n k"], Float32[Tensor, "b n c"]]]:
    """Gather the inputs and targets of each step, several steps at a time."""
    b, size = len(stack.ids), stack.signature.batch_size
    floats = b * size * subject.inputs.shape[1]
    moves = _moves(stack, order.shape[1]) if stack.signature.is_augmented else None
    if moves is not None:
        moves = moves.to(subject.device)
    most = max(recipe.shift for recipe in stack.recipes)
    for columns in _blocks(order.shape[1], size, max(1, _MOST_GATHERED // floats)):

        def by_steps(x: Tensor, columns: slice = columns) -> Tensor:
            return x[:, columns].view(b, -1, size).transpose(0, 1).flatten()

        index = by_steps(order)
        if moves is None:
            x = subject.inputs.index_select(0, index)
        else:
            how = (by_steps(moves.down), by_steps(moves.right), by_steps(moves.is_mirrored))
            images = moved(subject.data.images, subject.data.shape, index, how, most)
            x = subject.architecture.inputs(images)
        targets = subject.targets.index_select(0, index)
        yield from zip(
            x.view(-1, b, size, x.shape[1]).unbind(),
            targets.view(-1, b, size, targets.shape[1]).unbind(),
            strict=True,
        )


def _blocks(n: int, size: int, steps: int) -> Iterator[slice]:
    for begin in range(0, n, size * steps):
        yield slice(begin, min(begin + size * steps, n))


def _streams(stack: Stack, purpose: str) -> list[Stream]:
    """Return each network's stream of its next epoch."""
    pairs = zip(stack.tasks, stack.epochs, strict=True)
    return [task.stream.at(purpose, epoch + 1) for task, epoch in pairs]


def _orders(stack: Stack, n: int) -> Int64[Tensor, "b n"]:
    """Draw each network's order of images, without a last batch that is not full."""
    whole = n - n % stack.signature.batch_size
    return torch.stack([stream.permutation(n)[:whole] for stream in _streams(stack, "order")])


def _moves(stack: Stack, n: int) -> Moves:
    return moves_of(_streams(stack, "augment"), stack.recipes, n)


def _masks(
    stack: Stack, subject: PreparedData, steps: int
) -> list[Float32[Tensor, "s b n _"] | None]:
    units = subject.architecture.dropped(stack.signature.shape)
    rates = [recipe.dropout for recipe in stack.recipes]
    if not any(rates):
        return [None] * len(units)
    shape = (steps, stack.signature.batch_size)
    masks = dropout_masks(_streams(stack, "dropout"), rates, shape, units)
    return [mask.to(subject.device) for mask in masks]


def _rates(stack: Stack, subject: PreparedData, steps: int) -> list[list[Rates]]:
    """Return, for each step, the rates of each run of rows."""
    runs = [
        rates_of_steps(optimizer, stack.tasks[rows], stack.epochs[rows], steps).to(subject.device)
        for rows, optimizer in stack.optimizers
    ]
    return [[run[step].unbind() for run in runs] for step in range(steps)]


def _weights(stack: Stack, parameters: Float32[Tensor, "b p"], subject: PreparedData) -> Weights:
    *inner, (matrix, bias) = stack.layout.weights(parameters)
    return [*inner, (matrix, bias + subject.absent)]
