"""Training many networks at once: the loop over epochs, stack by stack."""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from math import isfinite

import torch
from torch import Tensor

from hpo_research.ambient import ordinary, stepwise
from hpo_research.device import is_out_of_memory, release
from hpo_research.errors import ProblemError
from hpo_research.training.architecture import Architecture
from hpo_research.training.data import Data
from hpo_research.training.epoch import Evaluated, passed
from hpo_research.training.recipe import Task
from hpo_research.training.stack import PreparedData, Signature, Stack, prepared, stack_of

_LARGEST = 31 << 20  # bytes; glibc's largest threshold is 32 MiB


@dataclass(frozen=True)
class EpochResult:
    """What one network has come to after an epoch.

    `id` is its place among the tasks. `accuracy` and `log_loss` are on the validation images,
    `test_accuracy` and `test_log_loss` on the test images; `train_loss` is the mean loss of the
    epoch's steps, dropout and label smoothing included. All are NaN for a network that has
    diverged, and this is then its last result. `state` copies what the network needs to go on.
    """

    id: int
    epoch: int
    accuracy: float
    log_loss: float
    train_loss: float
    test_accuracy: float
    test_log_loss: float
    state: Callable[[], Mapping[str, Tensor]]


Training = Generator[list[EpochResult], Collection[int] | None, None]
"""Yields one epoch's results; `send(ids)` drops networks before the next."""


@stepwise
def train(tasks: Sequence[Task], architecture: Architecture, data: Data, device: str) -> Training:
    """Train every task from its `start` to its `until`, one epoch a step.

    A network that diverges ends there, alone. A stack that does not fit in memory is halved, until
    a single network does not fit. Raises `ProblemError` for a batch larger than the training set.
    """
    for task in tasks:
        if task.recipe.batch_size > len(data.images):
            raise ProblemError(
                f"Recipe(batch_size={task.recipe.batch_size}): there are only {len(data.images)} "
                "images to train on"
            )
    _keep_freed_memory()
    subject = prepared(architecture, data, device)
    stacks = _stacks(tasks, subject)
    while stacks:
        done = [pair for stack in stacks for pair in _passed(stack, subject)]
        results = [result for stack, evaluated in done for result in _results(stack, evaluated)]
        diverged = {result.id for result in results if not isfinite(result.log_loss)}
        stacks = [stack for stack, _ in done]
        del done
        dropped = (yield sorted(results, key=lambda result: result.id)) or ()
        gone = diverged.union(dropped)
        stacks = [rest for stack in stacks if (rest := _going_on(stack, gone)) is not None]


def _keep_freed_memory() -> None:
    """Have glibc keep the memory that a step frees for the next one; elsewhere this does nothing.

    It hands back to the system what lies above twice the largest chunk that was ever freed, and
    each step would fault in the pages of all its tensors anew: up to a third of the time of wide
    networks. The chunk is never written to, so it costs nothing.
    """
    torch.empty(_LARGEST, dtype=torch.uint8)


def _passed(stack: Stack, subject: PreparedData) -> list[tuple[Stack, Evaluated]]:
    """Train a stack for one epoch, by halves where the memory does not hold it."""
    try:
        return [passed(stack, subject)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(stack.ids) == 1:
            raise
    # Outside the except clause, whose traceback would keep the tensors of the attempt alive.
    release()
    rows = range(len(stack.ids))
    half = (len(rows) + 1) // 2
    halves = (stack.keep(rows[:half]), stack.keep(rows[half:]))
    return [pair for part in halves for pair in _passed(part, subject)]


def _results(stack: Stack, evaluated: Evaluated) -> list[EpochResult]:
    columns = {field.name: getattr(evaluated, field.name).tolist() for field in fields(Evaluated)}
    return [
        EpochResult(
            id,
            epoch,
            state=ordinary()(partial(stack.state, row)),
            **{name: column[row] for name, column in columns.items()},
        )
        for row, (id, epoch) in enumerate(zip(stack.ids, stack.epochs, strict=True))
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


def _stacks(tasks: Sequence[Task], subject: PreparedData) -> list[Stack]:
    groups = defaultdict(list)
    for id, task in enumerate(tasks):
        if task.start < task.until:
            groups[Signature.of(task.recipe, subject.architecture)].append(id)
    stacks = []
    for signature, ids in groups.items():
        most = subject.architecture.stacked(signature.shape, signature.batch_size, subject.device)
        ids.sort(key=lambda id: (tasks[id].recipe.optimizer, tasks[id].recipe.activation, id))
        for begin in range(0, len(ids), most):
            stacks.append(stack_of(ids[begin : begin + most], tasks, signature, subject))
    return stacks
