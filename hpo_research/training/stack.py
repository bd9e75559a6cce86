"""A stack: networks of one signature, a row each, and what they are trained with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import torch
from jaxtyping import Float32
from torch import Tensor

from hpo_research.training.activations import ACTIVATIONS
from hpo_research.training.architecture import Architecture, Shape, Traits
from hpo_research.training.data import Data
from hpo_research.training.layout import CLASSES, Layout
from hpo_research.training.normalisation import groups_of
from hpo_research.training.optimizers import OPTIMIZERS, Moments, RowGroups
from hpo_research.training.recipe import Recipe, Task


@dataclass(frozen=True)
class PreparedData:
    """An architecture and its data, prepared on the device once for all epochs.

    `targets` are one-hot rows; `absent` is added to the scores: 0 for a class, −1e30 for padding.
    `held_out` are the validation images, then the test images.
    """

    architecture: Architecture
    data: Data
    inputs: Float32[Tensor, "n k"]
    targets: Float32[Tensor, "n c"]
    held_out: Float32[Tensor, "m k"]
    absent: Float32[Tensor, " c"]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.inputs.device


def prepared(architecture: Architecture, data: Data, device: str) -> PreparedData:
    """Prepare the data for an architecture on a device."""
    data = data.to(device)
    classes = torch.arange(CLASSES, device=device, dtype=torch.int64)
    return PreparedData(
        architecture,
        data,
        architecture.inputs(data.images),
        (data.labels[:, None] == classes).float(),
        architecture.inputs(torch.cat([data.validation_images, data.test_images])),
        torch.zeros_like(classes, dtype=torch.float32).masked_fill(classes >= data.classes, -1e30),
    )


@dataclass(frozen=True)
class Signature:
    """What networks have in common that are stacked: a function of each one's own recipe."""

    shape: Shape
    batch_size: int
    is_augmented: bool

    @staticmethod
    def of(recipe: Recipe, architecture: Architecture) -> "Signature":
        """Return the signature of a network, its shape padded."""
        shape = architecture.padded(Shape.of(recipe))
        return Signature(shape, recipe.batch_size, recipe.shift > 0 or recipe.flip)


@dataclass(frozen=True)
class Stack:
    """Networks of one signature after some epochs, a row each.

    Rows are sorted by optimiser and activation, so that each is one run of rows; `moments` holds
    one entry a run. `ids` says which networks they are, `epochs` how far each has come.
    """

    ids: tuple[int, ...]
    tasks: tuple[Task, ...]
    epochs: tuple[int, ...]
    signature: Signature
    layout: Layout
    parameters: Float32[Tensor, "b p"]
    moments: tuple[Moments, ...]

    @cached_property
    def optimizers(self) -> RowGroups:
        """Which rows are trained by which optimiser."""
        names = [task.recipe.optimizer for task in self.tasks]
        return [(rows, OPTIMIZERS[name]) for rows, name in _runs(names)]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """What each row is trained with."""
        return tuple(task.recipe for task in self.tasks)

    @cached_property
    def traits(self) -> Traits:
        """Which rows use which activation, and how their units are grouped."""
        rules = [(rows, ACTIVATIONS[x]) for rows, x in _runs([r.activation for r in self.recipes])]
        shape = self.signature.shape
        if not shape.is_normalised:
            return Traits(rules)
        return Traits(rules, groups_of(self.recipes, shape.width, self.parameters.device))

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


def initial_state(task: Task, layout: Layout, subject: PreparedData) -> Mapping[str, Tensor]:
    """Return the tensors that a network begins with: those of its state, or a draw."""
    if task.state is not None:
        return task.state
    real = subject.architecture.layers(Shape.of(task.recipe), subject.data.classes)
    parameters = layout.initial(real, task.stream.at("init"))
    names = OPTIMIZERS[task.recipe.optimizer].moments
    return {"parameters": parameters, **{name: torch.zeros_like(parameters) for name in names}}


def stack_of(
    ids: Sequence[int], tasks: Sequence[Task], signature: Signature, subject: PreparedData
) -> Stack:
    """Stack the tasks of these ids, sorted by optimiser and activation."""
    members = [tasks[id] for id in ids]
    layout = Layout(subject.architecture.layers(signature.shape, CLASSES))
    states = [initial_state(task, layout, subject) for task in members]
    moments = []
    for rows, name in _runs([task.recipe.optimizer for task in members]):
        names = OPTIMIZERS[name].moments
        moments.append(tuple(_stacked(states[rows], each, subject) for each in names))
    return Stack(
        ids=tuple(ids),
        tasks=tuple(members),
        epochs=tuple(task.start for task in members),
        signature=signature,
        layout=layout,
        parameters=_stacked(states, "parameters", subject),
        moments=tuple(moments),
    )


def _stacked(
    states: Sequence[Mapping[str, Tensor]], name: str, subject: PreparedData
) -> Float32[Tensor, "b p"]:
    return torch.stack([state[name] for state in states]).to(subject.device)


def _runs(names: Sequence[str]) -> Iterator[tuple[slice, str]]:
    begin = 0
    for name, members in groupby(names):
        end = begin + len(list(members))
        yield slice(begin, end), name
        begin = end
