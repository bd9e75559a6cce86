"""The law: a network's numbers are its own, bit for bit on the CPU with one thread."""

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from hpo_research.rng import Stream
from hpo_research.training import Architecture, Data, Recipe, Result, Task, train
from hpo_research.training.layout import CLASSES, Layout

Draw = Callable[[Architecture, int], list[Recipe]]
States = dict[int, dict[int, Mapping[str, Tensor]]]

COUNT, EPOCHS = 60, 3
ORDER = [(17 * i) % COUNT for i in range(COUNT)]
ALONE = [ORDER[i : i + 1] for i in range(0, COUNT, 4)]
THREES = [ORDER[i : i + 3] for i in range(0, COUNT, 6)]
THIRTIES = [ORDER[:30], ORDER[30:]]


def tasks_of(recipes: Sequence[Recipe], until: int = EPOCHS) -> list[Task]:
    return [Task(recipe, Stream(3).at("trial", i), until) for i, recipe in enumerate(recipes)]


def bits(result: Result) -> bytes:
    """Metrics as bytes, so that NaN equals NaN and nothing else is forgiven."""
    return struct.pack("3d", result.accuracy, result.log_loss, result.train_loss)


def trained(
    tasks: Sequence[Task],
    architecture: Architecture,
    data: Data,
    drop: Mapping[int, Collection[int]] | None = None,
) -> tuple[dict[int, dict[int, bytes]], States]:
    """Return each network's metrics and states by epoch; `drop` says whom to drop after a step."""
    metrics: dict[int, dict[int, bytes]] = {i: {} for i in range(len(tasks))}
    states: States = {i: {} for i in range(len(tasks))}
    training, dropped, step = train(tasks, architecture, data, "cpu"), None, 0
    while True:
        try:
            results = training.send(dropped)
        except StopIteration:
            return metrics, states
        step += 1
        dropped = (drop or {}).get(step)
        for result in results:
            metrics[result.id][result.epoch] = bits(result)
            states[result.id][result.epoch] = result.state()


def flat(state: Mapping[str, Tensor]) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


@pytest.fixture(scope="module")
def tasks(architecture: Architecture, draw_recipes: Draw) -> list[Task]:
    return tasks_of(draw_recipes(architecture, COUNT))


@pytest.fixture(scope="module")
def together(architecture: Architecture, tasks: list[Task], data: Data):
    """All networks in one batch: what every other grouping must reproduce."""
    return trained(tasks, architecture, data)


@pytest.mark.parametrize("group", ALONE + THREES + THIRTIES, ids=lambda g: f"{len(g)}-{g[0]}")
def test_a_network_does_not_see_its_batch_mates(
    group: list[int], together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    own, ends = trained([tasks[i] for i in group], architecture, data)
    assert list(own.values()) == [metrics[i] for i in group]
    assert [flat(end[EPOCHS]) for end in ends.values()] == [flat(states[i][EPOCHS]) for i in group]


@pytest.mark.parametrize("width", [5, 21])
def test_a_network_does_not_see_the_mates_of_its_own_stack(
    width: int, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    # One signature for all, and an odd width: without padding, torch's kernels break the law here.
    alike = [
        Task(replace(task.recipe, width=width, batch_size=32), task.stream, 2)
        for task in tasks[:20]
    ]
    metrics, _ = trained(alike, architecture, data)
    alone = [trained([task], architecture, data)[0][0] for task in alike]
    assert list(metrics.values()) == alone


@pytest.mark.parametrize("pause", [1, 2])
def test_pausing_and_resuming_from_a_file_changes_nothing(
    pause: int, together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    resumed = [
        Task(task.recipe, task.stream, EPOCHS, pause, load(save(dict(states[i][pause]))))
        for i, task in enumerate(tasks)
    ]
    went_on, ends = trained(resumed, architecture, data)
    assert went_on == {
        i: {epoch: value for epoch, value in own.items() if epoch > pause}
        for i, own in metrics.items()
    }
    assert [flat(e[EPOCHS]) for e in ends.values()] == [flat(s[EPOCHS]) for s in states.values()]


def test_segments_of_any_start_and_end_share_a_batch(
    together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    spans = [((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))[i % 6] for i in range(COUNT)]
    mixed = [
        Task(task.recipe, task.stream, until, start, states[i][start] if start else None)
        for i, (task, (start, until)) in enumerate(zip(tasks, spans, strict=True))
    ]
    assert trained(mixed, architecture, data)[0] == {
        i: {epoch: metrics[i][epoch] for epoch in range(start + 1, until + 1)}
        for i, (start, until) in enumerate(spans)
    }


@pytest.mark.parametrize("kept", [{0}, set(range(0, COUNT, 2)), set(range(40, COUNT))], ids=len)
def test_dropping_batch_mates_changes_nothing_for_the_rest(
    kept: set[int], together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, _ = together
    gone = set(range(COUNT)) - kept
    assert trained(tasks, architecture, data, drop={1: gone})[0] == {
        i: metrics[i] if i in kept else {1: metrics[i][1]} for i in range(COUNT)
    }


def test_dropping_everyone_ends_the_training(
    architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, _ = trained(tasks[:4], architecture, data, drop={1: range(4)})
    assert [list(own) for own in metrics.values()] == [[1]] * 4


def test_the_other_options_do_not_change_the_initial_network(
    architecture: Architecture, tasks: list[Task]
) -> None:
    recipe, stream = tasks[0].recipe, tasks[0].stream
    layout = Layout(architecture.layers(architecture.padded(recipe.width), CLASSES))
    real = architecture.layers(recipe.width, 10)
    one, again = (layout.initial(real, stream.at("init")) for _ in range(2))
    other = layout.initial(real, Stream(4).at("trial", 0, "init"))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_padded_units_stay_zero(
    architecture: Architecture, tasks: list[Task], together, data: Data
) -> None:
    _, states = together
    i = next(i for i, task in enumerate(tasks) if task.recipe.width < 20)
    width = architecture.padded(tasks[i].recipe.width)
    layout = Layout(architecture.layers(width, CLASSES))
    real = architecture.layers(tasks[i].recipe.width, data.classes)
    # Writing the real entries into zeros must give back the whole row.
    row, rebuilt = states[i][EPOCHS]["parameters"][None], torch.zeros(1, layout.length)
    for layer, padded, (w, b), (w_new, b_new) in zip(
        real, layout.layers, layout.weights(row), layout.weights(rebuilt), strict=True
    ):
        shape = (padded.taps, padded.inputs, padded.outputs)
        inside = (slice(None), slice(layer.inputs), slice(layer.outputs))
        w_new.view(shape)[inside] = w.view(shape)[inside]
        b_new[:, : layer.outputs] = b[:, : layer.outputs]
    assert torch.equal(row, rebuilt)
    assert row.isfinite().all()


def test_a_network_that_diverges_reports_nan_and_leaves_its_mates_alone(
    architecture: Architecture, tasks: list[Task], together, data: Data
) -> None:
    metrics, _ = together
    wild = Recipe(1e20, 0.9, 0.0, 32, tasks[0].recipe.width, 0.0, "relu", "sgd")
    own, _ = trained([*tasks[:6], Task(wild, Stream(0), EPOCHS)], architecture, data)
    accuracy, log_loss, _ = struct.unpack("3d", own[6][EPOCHS])
    assert accuracy != accuracy and log_loss != log_loss
    assert [own[i] for i in range(6)] == [metrics[i] for i in range(6)]


def test_a_state_is_flat_on_the_cpu_and_owns_its_memory(
    architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    results = next(train(tasks[:5], architecture, data, "cpu"))
    tensors = [tensor for result in results for tensor in result.state().values()]
    assert all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in tensors)
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in tensors)
    assert len({tensor.data_ptr() for tensor in tensors}) == len(tensors)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu_within_a_hundredth(
    architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    # Tame networks only: rounding grows without bound in those that diverge.
    tame = [task for task in tasks if task.recipe.learning_rate < 3e-3]
    cpu, cuda = (
        [epoch for epoch in train(tame, architecture, data, device)][-1]
        for device in ("cpu", "cuda:0")
    )
    assert [result.log_loss for result in cuda] == pytest.approx(
        [result.log_loss for result in cpu], rel=1e-2
    )
    assert [result.train_loss for result in cuda] == pytest.approx(
        [result.train_loss for result in cpu], rel=1e-2
    )
