"""The law: a network's numbers are its own, bit for bit on the CPU with one thread."""

import math
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor
from training.conftest import classes_of_noise

from hpo_research.errors import ProblemError
from hpo_research.rng import Stream
from hpo_research.training import (
    CNN,
    MLP,
    Architecture,
    Data,
    EpochResult,
    Recipe,
    Task,
    batch,
    train,
)
from hpo_research.training.architecture import Shape
from hpo_research.training.data import check_labels
from hpo_research.training.epoch import Evaluated, passed
from hpo_research.training.layout import CLASSES, Layout
from hpo_research.training.stack import PreparedData, Stack

Draw = Callable[[Architecture, int], list[Recipe]]
States = dict[int, dict[int, Mapping[str, Tensor]]]

COUNT, EPOCHS, HORIZON = 28, 3, 9
METRICS = ("accuracy", "log_loss", "train_loss", "test_accuracy", "test_log_loss")
ORDER = [(17 * i) % COUNT for i in range(COUNT)]
ALONE = [ORDER[i : i + 1] for i in range(0, COUNT, 4)]
THREES = [ORDER[i : i + 3] for i in range(0, COUNT, 6)]
HALVES = [ORDER[: COUNT // 2], ORDER[COUNT // 2 :]]


def tasks_of(recipes: Sequence[Recipe], until: int = EPOCHS) -> list[Task]:
    return [
        Task(recipe, Stream(3).at("trial", i), until, horizon=HORIZON)
        for i, recipe in enumerate(recipes)
    ]


def bits(result: EpochResult) -> bytes:
    """Metrics as bytes, so that NaN equals NaN and nothing else is forgiven."""
    return struct.pack("5d", *(getattr(result, name) for name in METRICS))


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


def ends(states: dict[int, Mapping[str, Tensor]]) -> dict[str, bytes]:
    """The state at a network's last epoch, as bytes."""
    return flat(states[max(states)])


def flat(state: Mapping[str, Tensor]) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


@pytest.fixture(scope="module")
def tasks(architecture: Architecture, draw_recipes: Draw) -> list[Task]:
    return tasks_of(draw_recipes(architecture, COUNT))


@pytest.fixture(scope="module")
def together(architecture: Architecture, tasks: list[Task], data: Data):
    """All networks in one batch: what every other grouping must reproduce."""
    return trained(tasks, architecture, data)


@pytest.mark.parametrize("group", ALONE + THREES + HALVES, ids=lambda g: f"{len(g)}-{g[0]}")
def test_a_network_does_not_see_its_batch_mates(
    group: list[int], together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    own, found = trained([tasks[i] for i in group], architecture, data)
    assert list(own.values()) == [metrics[i] for i in group]
    assert [ends(each) for each in found.values()] == [ends(states[i]) for i in group]


@pytest.mark.parametrize("normalisation", ["none", "layer", "group"])
@pytest.mark.parametrize("width", [5, 21])
def test_a_network_does_not_see_the_mates_of_its_own_stack(
    width: int, normalisation: str, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    # One signature for all, and an odd width: without padding, torch's kernels break the law here.
    common = {"width": width, "depth": 2, "batch_size": 36, "normalisation": normalisation}
    alike = [
        replace(task, recipe=replace(task.recipe, **common, shift=1), until=2)
        for task in tasks[:18]
    ]
    metrics, _ = trained(alike, architecture, data)
    alone = [trained([task], architecture, data)[0][0] for task in alike[::3]]
    assert list(metrics.values())[::3] == alone


@pytest.mark.parametrize("pause", [1, 2])
def test_pausing_and_resuming_from_a_file_changes_nothing(
    pause: int, together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    # A network that has diverged has no next epoch; half of the others at the least go on.
    kept = [i for i in range(COUNT) if pause + 1 in metrics[i]]
    assert len(kept) > COUNT // 2
    resumed = [
        replace(tasks[i], start=pause, state=load(save(dict(states[i][pause])))) for i in kept
    ]
    went_on, found = trained(resumed, architecture, data)
    assert list(went_on.values()) == [
        {epoch: value for epoch, value in metrics[i].items() if epoch > pause} for i in kept
    ]
    assert [ends(each) for each in found.values()] == [ends(states[i]) for i in kept]


def test_three_epochs_then_nine_equal_nine(
    architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    scheduled = [task for task in tasks if task.recipe.schedule != "constant"][:4]
    through, _ = trained([replace(task, until=9) for task in scheduled], architecture, data)
    early, states = trained(scheduled, architecture, data)
    kept = [i for i in range(len(scheduled)) if 4 in through[i]]
    later, _ = trained(
        [replace(scheduled[i], until=9, start=3, state=states[i][3]) for i in kept],
        architecture,
        data,
    )
    assert len(kept) >= 2
    assert [early[i] | later[row] for row, i in enumerate(kept)] == [through[i] for i in kept]


def test_segments_of_any_start_and_end_share_a_batch(
    together, architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    metrics, states = together
    spans = [((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))[i % 6] for i in range(COUNT)]
    kept = [i for i in range(COUNT) if spans[i][0] + 1 in metrics[i]]
    mixed = [
        replace(tasks[i], until=until, start=start, state=states[i][start] if start else None)
        for i, (start, until) in enumerate(spans)
        if i in kept
    ]
    assert list(trained(mixed, architecture, data)[0].values()) == [
        {epoch: value for epoch, value in metrics[i].items() if spans[i][0] < epoch <= spans[i][1]}
        for i in kept
    ]


@pytest.mark.parametrize("kept", [{0}, set(range(0, COUNT, 2)), set(range(20, COUNT))], ids=len)
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
    recipe, stream = replace(tasks[0].recipe, depth=2), tasks[0].stream
    layout = Layout(architecture.layers(architecture.padded(Shape.of(recipe)), CLASSES))
    real = architecture.layers(Shape.of(recipe), 10)
    one, other = (layout.initial(real, stream.at("init")) for _ in range(2))
    assert torch.equal(one, other)


def test_padded_units_stay_zero(
    architecture: Architecture, tasks: list[Task], together, data: Data
) -> None:
    metrics, states = together
    is_small = [
        task.recipe.width % 8 and task.recipe.normalisation != "none" and EPOCHS in metrics[i]
        for i, task in enumerate(tasks)
    ]
    assert sum(map(bool, is_small)) > 3
    for i in (i for i, small in enumerate(is_small) if small):
        shape = Shape.of(tasks[i].recipe)
        layout = Layout(architecture.layers(architecture.padded(shape), CLASSES))
        real = architecture.layers(shape, data.classes)
        # Writing the real entries into zeros must give back the whole row.
        row, rebuilt = states[i][EPOCHS]["parameters"][None], torch.zeros(1, layout.length)
        for layer, padded, (w, b), (w_new, b_new) in zip(
            real, layout.layers, layout.weights(row), layout.weights(rebuilt), strict=True
        ):
            sizes = (padded.taps, padded.inputs, padded.outputs)
            inside = (slice(None), slice(layer.inputs), slice(layer.outputs))
            w_new.view(sizes)[inside] = w.view(sizes)[inside]
            b_new[:, : layer.outputs] = b[:, : layer.outputs]
        assert torch.equal(row, rebuilt)


def test_a_network_that_diverges_reports_nan_once_and_leaves_its_mates_alone(
    architecture: Architecture, tasks: list[Task], together, data: Data
) -> None:
    metrics, _ = together
    wild = Recipe(1e20, 0.9, 0.0, 32, tasks[0].recipe.width, 0.0, "relu", "sgd")
    own, _ = trained([*tasks[:6], Task(wild, Stream(0), EPOCHS)], architecture, data)
    assert list(own[6]) == [1] and all(map(math.isnan, struct.unpack("5d", own[6][1])))
    assert [own[i] for i in range(6)] == [metrics[i] for i in range(6)]


def test_no_step_is_spent_on_a_network_that_has_diverged(
    monkeypatch: pytest.MonkeyPatch, data: Data
) -> None:
    rows: list[int] = []

    def counted(stack: Stack, subject: PreparedData) -> tuple[Stack, Evaluated]:
        rows.append(len(stack.ids))
        return passed(stack, subject)

    monkeypatch.setattr(batch, "passed", counted)
    tame = Recipe()
    tasks = [Task(replace(tame, learning_rate=rate), Stream(0), 3) for rate in (1e-3, 1e20, 1e-2)]
    list(train(tasks, MLP(), data, "cpu"))
    assert rows == [3, 2, 2]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError("Unable to allocate 2 GiB"),
    ],
    ids=["cuda", "cpu", "numpy"],
)
def test_a_stack_that_does_not_fit_in_memory_is_halved_and_changes_no_number(
    error: Exception, monkeypatch: pytest.MonkeyPatch, architecture: Architecture, data: Data
) -> None:
    recipes = [Recipe(learning_rate=rate, width=10) for rate in (1e-4, 1e-3, 2e-3, 4e-3, 1e-2)]
    tasks = tasks_of(recipes, until=2)
    expected, _ = trained(tasks, architecture, data)
    sizes: list[int] = []

    def crowded(stack: Stack, subject: PreparedData) -> tuple[Stack, Evaluated]:
        sizes.append(len(stack.ids))
        if len(stack.ids) > 2:
            raise error
        return passed(stack, subject)

    monkeypatch.setattr(batch, "passed", crowded)
    assert trained(tasks, architecture, data)[0] == expected
    # Tried whole, then by halves; the second epoch begins with what fitted.
    assert sizes == [5, 3, 2, 1, 2, 2, 1, 2]


def test_a_network_that_does_not_fit_alone_says_so(
    monkeypatch: pytest.MonkeyPatch, tasks: list[Task], data: Data
) -> None:
    def full(stack: Stack, subject: PreparedData) -> tuple[Stack, Evaluated]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(batch, "passed", full)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        next(train(tasks[:3], MLP(), data, "cpu"))


def test_another_error_is_not_taken_for_a_full_memory(
    monkeypatch: pytest.MonkeyPatch, tasks: list[Task], data: Data
) -> None:
    calls: list[int] = []

    def broken(stack: Stack, subject: PreparedData) -> tuple[Stack, Evaluated]:
        calls.append(1)
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(batch, "passed", broken)
    with pytest.raises(RuntimeError, match="size mismatch"):
        next(train(tasks, MLP(), data, "cpu"))
    assert len(calls) == 1


def test_a_state_is_flat_on_the_cpu_and_owns_its_memory(
    architecture: Architecture, tasks: list[Task], data: Data
) -> None:
    results = next(train(tasks[:5], architecture, data, "cpu"))
    tensors = [tensor for result in results for tensor in result.state().values()]
    assert all(tensor.device.type == "cpu" and tensor.is_contiguous() for tensor in tensors)
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in tensors)
    assert len({tensor.data_ptr() for tensor in tensors}) == len(tensors)


@pytest.mark.parametrize(
    "shape",
    [(1, 28, 28), (3, 32, 32), (1, 12, 12), (1, 9, 9)],
    ids=["28x28", "32x32x3", "by blocks, then 6x6 and 3x3", "odd"],
)
def test_the_law_holds_for_images_of_other_sides(
    shape: tuple[int, int, int], draw_recipes: Draw
) -> None:
    data = classes_of_noise(shape, (96, 32, 32))
    recipes = [replace(recipe, batch_size=32) for recipe in draw_recipes(CNN(), 8)]
    tasks = tasks_of(recipes, until=2)
    metrics, states = trained(tasks, CNN(shape), data)
    for i in range(0, len(tasks), 3):
        assert trained([tasks[i]], CNN(shape), data)[0][0] == metrics[i]
    kept = [i for i in range(len(tasks)) if 2 in metrics[i]]
    resumed = [replace(tasks[i], start=1, state=states[i][1]) for i in kept]
    went_on, _ = trained(resumed, CNN(shape), data)
    assert [own[2] for own in went_on.values()] == [metrics[i][2] for i in kept]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            {"activation": "tanh"},
            r"Recipe\(activation='tanh'\): activation must be one of relu, gelu, silu",
        ),
        ({"optimizer": "lbfgs"}, r"optimizer='lbfgs'\): optimizer must be one of sgd, nesterov"),
        ({"dropout": 1.0}, r"dropout=1.0\): dropout must be a number >= 0 and < 1"),
        ({"depth": 0}, r"depth=0\): depth must be an integer >= 1"),
        (
            {"learning_rate": float("nan")},
            r"learning_rate=nan\): learning_rate must be a finite",
        ),
        ({"batch_size": 30}, r"batch_size=30\): batch_size must be a multiple of 4"),
        ({"batch_size": 32.0}, r"batch_size=32.0\): batch_size must be an integer"),
        ({"width": "8"}, r"width='8'\): width must be an integer"),
        ({"depth": True}, r"depth=True\): depth must be an integer"),
        ({"dropout": "0.1"}, r"dropout='0.1'\): dropout must be a number"),
        ({"flip": 1}, r"flip=1\): flip must be True or False"),
        ({"activation": ["relu"]}, r"activation=\['relu'\]\): activation must be one of"),
    ],
)
def test_a_wrong_recipe_is_refused(recipe: dict[str, object], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Recipe(**recipe)


def test_a_start_without_a_state_is_refused_and_a_state_without_a_start() -> None:
    with pytest.raises(ProblemError, match=r"Task\(start=3.*: a network that resumes needs th"):
        Task(Recipe(), Stream(0), 5, start=3)
    with pytest.raises(ProblemError, match=r"Task\(start=0.*a new one has none; got one"):
        Task(Recipe(), Stream(0), 5, state={})


def test_a_schedule_without_a_horizon_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"until=3, horizon=None\): a schedule needs a horizon"):
        Task(Recipe(schedule="cosine"), Stream(0), 3)
    with pytest.raises(ProblemError, match=r"until=3, horizon=2\): a schedule needs a horizon"):
        Task(Recipe(warmup=0.1), Stream(0), 3, horizon=2)


def test_what_the_data_cannot_hold_is_refused(data: Data) -> None:
    with pytest.raises(ProblemError, match=r"batch_size=512\): there are only 256 images"):
        next(train([Task(Recipe(batch_size=512), Stream(0), 1)], MLP(), data, "cpu"))
    with pytest.raises(ProblemError, match="depth of 4 pools the image away"):
        next(train([Task(Recipe(depth=4), Stream(0), 1)], CNN(), data, "cpu"))
    with pytest.raises(ProblemError, match=r"images=...\): expected a multiple of 32 images"):
        replace(data, images=data.images[:33], labels=data.labels[:33])
    with pytest.raises(ProblemError, match=r"shape=\(1, 8, 9\)\): images have 64 .*, expected 72"):
        replace(data, shape=(1, 8, 9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"classes": 17}, r"classes=17\): expected from 1 to 16 classes"),
        (
            lambda d: {"classes": 9},
            r"labels=...\): expected integers from 0 to 8, got .* to 9;",
        ),
        (
            lambda d: {"test_labels": d.test_labels - 1},
            r"test_labels=...\): expected integers .* from -1 to 8; count the classes from 0",
        ),
    ],
    ids=["too many", "too few", "negative"],
)
def test_labels_that_are_no_classes_are_refused(
    change: Callable[[Data], dict[str, object]], message: str, data: Data
) -> None:
    with pytest.raises(ProblemError, match=message):
        replace(data, **change(data))


def test_labels_of_another_number_or_type_are_refused(data: Data) -> None:
    with pytest.raises(ProblemError, match=r"labels=...\): expected a label .* 256 images, got 60"):
        check_labels("labels", data.labels[:60], 256, 10)
    with pytest.raises(ProblemError, match=r"labels=...\): .* got torch.float32 from 0.0 to 9.0"):
        check_labels("labels", data.labels.float(), 256, 10)


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
