"""A stack: networks of one signature, and how it passes through an epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from math import log

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from hpo_research.training.activations import ACTIVATIONS, Rules
from hpo_research.training.architecture import Architecture
from hpo_research.training.data import Data
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import CLASSES, Layout, Weights
from hpo_research.training.optimizers import OPTIMIZERS, Moments, Rates, Runs, schedule, updated
from hpo_research.training.recipe import Task

# scikit-learn clips probabilities at the resolution of their dtype; so does the log loss here.
_MOST_LOSS = -log(torch.finfo(torch.float32).eps)


@dataclass(frozen=True)
class Curriculum:
    """An architecture and its data, prepared on the device once for all epochs.

    `targets` are one-hot rows; `absent` is added to the scores: 0 for a class, −1e30 for padding.
    """

    architecture: Architecture
    data: Data
    inputs: Float32[Tensor, "n k"]
    targets: Float32[Tensor, "n c"]
    validation_inputs: Float32[Tensor, "m k"]
    absent: Float32[Tensor, " c"]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.inputs.device


def curriculum(architecture: Architecture, data: Data, device: str) -> Curriculum:
    """Prepare the data for an architecture on a device."""
    data = data.to(device)
    classes = torch.arange(CLASSES, device=device)
    return Curriculum(
        architecture,
        data,
        architecture.inputs(data.images),
        (data.labels[:, None] == classes).float(),
        architecture.inputs(data.validation_images),
        torch.where(classes < data.classes, 0.0, -1e30),
    )


@dataclass(frozen=True)
class Stack:
    """Networks of one padded width and batch size after some epochs, a row each.

    Rows are sorted by optimiser and activation, so that each is one run of rows; `moments` holds
    one entry a run. `ids` says which networks they are, `epochs` how far each has come.
    """

    ids: tuple[int, ...]
    tasks: tuple[Task, ...]
    epochs: tuple[int, ...]
    layout: Layout
    parameters: Float32[Tensor, "b p"]
    moments: tuple[Moments, ...]

    @cached_property
    def optimizers(self) -> Runs:
        """Which rows are trained by which optimiser."""
        names = [task.recipe.optimizer for task in self.tasks]
        return [(rows, OPTIMIZERS[name]) for rows, name in _runs(names)]

    @cached_property
    def rules(self) -> Rules:
        """Which rows use which activation."""
        names = [task.recipe.activation for task in self.tasks]
        return [(rows, ACTIVATIONS[name]) for rows, name in _runs(names)]

    def state(self, row: int) -> dict[str, Tensor]:
        """Copy what one network needs to go on: its parameters and moments, on the CPU."""
        tensors = {"parameters": self.parameters[row]}
        for (rows, optimizer), moments in zip(self.optimizers, self.moments, strict=True):
            if rows.start <= row < rows.stop:
                for name, moment in zip(optimizer.moments, moments, strict=True):
                    tensors[name] = moment[row - rows.start]
        return {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}

    def keep(self, kept: Sequence[int]) -> "Stack":
        """Return the stack of these rows alone, in ascending order; at least one."""
        moments = []
        for (rows, _), tensors in zip(self.optimizers, self.moments, strict=True):
            local = [row - rows.start for row in kept if rows.start <= row < rows.stop]
            if local:
                moments.append(tuple(tensor[local] for tensor in tensors))
        return replace(
            self,
            ids=tuple(self.ids[row] for row in kept),
            tasks=tuple(self.tasks[row] for row in kept),
            epochs=tuple(self.epochs[row] for row in kept),
            parameters=self.parameters[list(kept)],
            moments=tuple(moments),
        )


def trained(stack: Stack, subject: Curriculum) -> tuple[Stack, Float64[Tensor, " b"]]:
    """Train a stack for one epoch; return it with each network's mean training loss."""
    n, b = len(subject.inputs), len(stack.ids)
    size = stack.tasks[0].recipe.batch_size
    order = _orders(stack, n).to(subject.device).view(b, -1, size).transpose(0, 1)
    steps, index = len(order), order.flatten()
    x = subject.inputs.index_select(0, index).view(steps, b, size, -1).unbind()
    targets = subject.targets.index_select(0, index).view(steps, b, size, -1).unbind()
    masks = [mask.to(subject.device).unbind() for mask in _masks(stack, subject, (steps, size))]
    rates = _schedules(stack, steps, subject.device)
    parameters, moments, rules, seen = stack.parameters, stack.moments, stack.rules, []
    for step in range(steps):
        gradient, logits = subject.architecture.gradient(
            _weights(stack.layout, parameters, subject),
            x[step],
            targets[step],
            rules,
            [mask[step] for mask in masks],
        )
        seen.append(logits)
        parameters, moments = updated(
            stack.optimizers, parameters, moments, stack.layout.rows(gradient), rates[step]
        )
    labels = subject.data.labels[order.transpose(0, 1).reshape(b, n)]
    loss = _losses(torch.cat(seen, 1), labels).double().mean(-1)
    epochs = tuple(epoch + 1 for epoch in stack.epochs)
    return replace(stack, epochs=epochs, parameters=parameters, moments=moments), loss


def validated(
    stack: Stack, subject: Curriculum
) -> tuple[Float64[Tensor, " b"], Float64[Tensor, " b"]]:
    """Return each network's accuracy and log loss on the validation images.

    The log loss clips probabilities as scikit-learn does, so that it is at most 15.95. Both are
    NaN where the scores are not finite.
    """
    x = subject.validation_inputs
    logits = subject.architecture.logits(
        _weights(stack.layout, stack.parameters, subject),
        x.expand(len(stack.tasks), *x.shape),
        stack.rules,
    )
    labels = subject.data.validation_labels.expand(len(stack.tasks), -1)
    loss = _losses(logits, labels).clamp(max=_MOST_LOSS).double().mean(-1)
    accuracy = (logits.argmax(-1) == labels).double().mean(-1)
    return torch.where(loss.isnan(), loss, accuracy), loss


def _weights(layout: Layout, parameters: Float32[Tensor, "b p"], subject: Curriculum) -> Weights:
    *hidden, (matrix, bias) = layout.weights(parameters)
    return [*hidden, (matrix, bias + subject.absent)]


def _orders(stack: Stack, n: int) -> Int64[Tensor, "b n"]:
    return torch.stack(
        [
            task.stream.at("order", epoch + 1).permutation(n)
            for task, epoch in zip(stack.tasks, stack.epochs, strict=True)
        ]
    )


def _masks(
    stack: Stack, subject: Curriculum, shape: tuple[int, int]
) -> list[Float32[Tensor, "s b n _"]]:
    width = subject.architecture.padded(stack.tasks[0].recipe.width)
    return dropout_masks(
        [
            task.stream.at("dropout", epoch + 1)
            for task, epoch in zip(stack.tasks, stack.epochs, strict=True)
        ],
        [task.recipe.dropout for task in stack.tasks],
        shape,
        subject.architecture.dropped(width),
    )


def _schedules(stack: Stack, steps: int, device: torch.device) -> list[list[Rates]]:
    """Return, for each step, the rates of each run of rows."""
    runs = []
    for rows, optimizer in stack.optimizers:
        recipes = [task.recipe for task in stack.tasks[rows]]
        done = [epoch * steps for epoch in stack.epochs[rows]]
        runs.append(schedule(optimizer, recipes, done, steps, device))
    return [list(rates) for rates in zip(*runs, strict=True)]


def _losses(
    logits: Float32[Tensor, "b n c"], labels: Int64[Tensor, "b n"]
) -> Float32[Tensor, "b n"]:
    """Return the cross-entropy of every image."""
    return -torch.log_softmax(logits, -1).gather(2, labels.unsqueeze(-1)).squeeze(-1)


def _runs(names: Sequence[str]) -> Iterator[tuple[slice, str]]:
    begin = 0
    for name, members in groupby(names):
        end = begin + len(list(members))
        yield slice(begin, end), name
        begin = end
