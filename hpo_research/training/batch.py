"""Training many networks at once: the loop over epochs, stack by stack."""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.architecture import Architecture
from hpo_research.training.data import Data
from hpo_research.training.layout import CLASSES, Layout
from hpo_research.training.optimizers import OPTIMIZERS
from hpo_research.training.recipe import Task
from hpo_research.training.stack import Curriculum, Stack, curriculum, trained, validated

_MOST_STACKED = {"cpu": 16, "cuda": 256}
"""How many networks a stack has at most: bounds memory and sets the speed, never a number."""


@dataclass(frozen=True)
class Result:
    """What one network has come to after an epoch.

    `id` is its place among the tasks. `accuracy` and `log_loss` are on the validation images;
    `train_loss` is the mean loss of the epoch's steps, dropout included. `state` copies what the
    network needs to go on.
    """

    id: int
    epoch: int
    accuracy: float
    log_loss: float
    train_loss: float
    state: Callable[[], Mapping[str, Tensor]]


Training = Generator[list[Result], Collection[int] | None, None]
"""Yields one epoch's results; `send(ids)` drops networks before the next."""


def train(tasks: Sequence[Task], architecture: Architecture, data: Data, device: str) -> Training:
    """Train every task from its `start` to its `until`, one epoch a step."""
    subject = curriculum(architecture, data, device)
    stacks = _stacks(tasks, subject)
    while stacks:
        results = []
        for i, stack in enumerate(stacks):
            stacks[i], losses = trained(stack, subject)
            results += _results(stacks[i], losses.tolist(), subject)
        dropped = (yield sorted(results, key=lambda result: result.id)) or ()
        stacks = [rest for stack in stacks if (rest := _going_on(stack, dropped)) is not None]


def _results(stack: Stack, losses: Sequence[float], subject: Curriculum) -> list[Result]:
    accuracies, log_losses = (metric.tolist() for metric in validated(stack, subject))
    return [
        Result(id, epoch, accuracy, log_loss, train_loss, partial(stack.state, row))
        for row, (id, epoch, accuracy, log_loss, train_loss) in enumerate(
            zip(stack.ids, stack.epochs, accuracies, log_losses, losses, strict=True)
        )
    ]


def _going_on(stack: Stack, dropped: Collection[int]) -> Stack | None:
    kept = [
        row
        for row, (id, task, epoch) in enumerate(
            zip(stack.ids, stack.tasks, stack.epochs, strict=True)
        )
        if epoch < task.until and id not in dropped
    ]
    if not kept:
        return None
    return stack if len(kept) == len(stack.ids) else stack.keep(kept)


def _stacks(tasks: Sequence[Task], subject: Curriculum) -> list[Stack]:
    groups = defaultdict(list)
    for id, task in enumerate(tasks):
        if task.start < task.until:
            signature = (subject.architecture.padded(task.recipe.width), task.recipe.batch_size)
            groups[signature].append(id)
    stacks = []
    most = _MOST_STACKED[subject.device.type]
    for ids in groups.values():
        ids.sort(key=lambda id: (tasks[id].recipe.optimizer, tasks[id].recipe.activation, id))
        for begin in range(0, len(ids), most):
            stacks.append(_stack(ids[begin : begin + most], tasks, subject))
    return stacks


def _stack(ids: Sequence[int], tasks: Sequence[Task], subject: Curriculum) -> Stack:
    members = [tasks[id] for id in ids]
    width = subject.architecture.padded(members[0].recipe.width)
    layout = Layout(subject.architecture.layers(width, CLASSES))
    states = [_state(task, layout, subject) for task in members]
    moments = []
    for name, run in groupby(states, key=lambda state: state[0]):
        rows = [tensors for _, tensors in run]
        moments.append(tuple(_stacked(rows, key, subject) for key in OPTIMIZERS[name].moments))
    return Stack(
        ids=tuple(ids),
        tasks=tuple(members),
        epochs=tuple(task.start for task in members),
        layout=layout,
        parameters=_stacked([tensors for _, tensors in states], "parameters", subject),
        moments=tuple(moments),
    )


def _state(task: Task, layout: Layout, subject: Curriculum) -> tuple[str, Mapping[str, Tensor]]:
    """Return a network's optimiser and the tensors it begins with."""
    name = task.recipe.optimizer
    if task.state is not None:
        return name, task.state
    real = subject.architecture.layers(task.recipe.width, subject.data.classes)
    parameters = layout.initial(real, task.stream.at("init"))
    zeros = {moment: torch.zeros_like(parameters) for moment in OPTIMIZERS[name].moments}
    return name, {"parameters": parameters, **zeros}


def _stacked(
    states: Sequence[Mapping[str, Tensor]], name: str, subject: Curriculum
) -> Float32[Tensor, "b p"]:
    return torch.stack([state[name] for state in states]).to(subject.device)
