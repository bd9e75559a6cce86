from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from hpo_research.rng import Stream
from hpo_research.training import Recipe, Task
from hpo_research.training.activations import ACTIVATIONS
from hpo_research.training.architecture import loss_gradient
from hpo_research.training.augmentation import moved, moves_of
from hpo_research.training.blocks import (
    convolved_blocks,
    convolved_blocks_backward,
    pooled_blocks,
    pooled_blocks_backward,
    windows,
)
from hpo_research.training.convolution import (
    convolved,
    convolved_backward,
    patches,
    patches_backward,
    pooled,
    pooled_backward,
    unfolded,
)
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import Affine, Layout
from hpo_research.training.losses import smoothed, smoothing_of, training_losses
from hpo_research.training.normalisation import (
    group_count,
    groups_of,
    normalise,
    normalise_backward,
)
from hpo_research.training.optimizers import OPTIMIZERS, rates_of_steps
from hpo_research.training.schedules import learning_rates

CPU = torch.device("cpu")


def maps(*shape: int) -> torch.Tensor:
    return Stream(0).at("maps").normal(*shape, like=torch.zeros(1))


def test_patches_are_the_neighbourhoods_that_unfold_gives() -> None:
    x = maps(2, 3, 4, 4, 5)
    unfolded = torch.nn.functional.unfold(x.flatten(0, 1).permute(0, 3, 1, 2), 3, padding=1)
    expected = unfolded.view(2, 3, 5, 9, 16).permute(0, 1, 4, 3, 2).reshape(2, 3 * 16, 45)
    assert torch.equal(patches(x), expected)


def test_the_backward_pass_of_patches_is_its_transpose() -> None:
    x = maps(2, 3, 4, 6, 5).requires_grad_()
    columns = patches(x)
    gradient = maps(*columns.shape)
    columns.backward(gradient)
    torch.testing.assert_close(patches_backward(gradient, (3, 4, 6)), x.grad)


def convolution_of_torch(x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    channels = x.shape[-1]
    return torch.stack(
        [
            torch.conv2d(
                x[i].permute(0, 3, 1, 2),
                matrix[i].view(3, 3, channels, 16).permute(3, 2, 0, 1),
                bias[i],
                padding=1,
            ).permute(0, 2, 3, 1)
            for i in range(len(x))
        ]
    )


@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize(
    ("way", "shape"),
    [(unfolded, (4, 6)), (convolved, (3, 2)), (convolved, (3, 5)), (convolved, (28, 27))],
    ids=["unfolded", "written-out", "written-out-or-one-by-one", "one-by-one"],
)
def test_a_convolution_and_its_gradients_are_torchs(
    way: Callable[..., tuple[torch.Tensor, torch.Tensor]], shape: tuple[int, int], channels: int
) -> None:
    x = maps(2, 4, *shape, channels).requires_grad_()
    matrix, bias = maps(2, 9 * channels, 16).requires_grad_(), maps(2, 16).requires_grad_()
    expected = convolution_of_torch(x, matrix, bias).flatten(1, 3)
    gradient = maps(*expected.shape)
    expected.backward(gradient)
    z, known = way(x.detach(), matrix.detach(), bias.detach())
    (dmatrix, dbias), dmaps = convolved_backward(gradient, known, matrix.detach(), (4, *shape))
    tolerance = {"rtol": 1e-4, "atol": 1e-3}
    torch.testing.assert_close(z, expected, **tolerance)
    torch.testing.assert_close(dmatrix, matrix.grad, **tolerance)
    torch.testing.assert_close(dbias, bias.grad, **tolerance)
    torch.testing.assert_close(dmaps, x.grad, **tolerance)
    assert convolved_backward(gradient, known, matrix, None)[1] is None


@pytest.mark.parametrize("shape", [(8, 8, 1), (4, 6, 3)])
def test_a_convolution_by_blocks_with_its_pooling_is_torchs(shape: tuple[int, int, int]) -> None:
    x, matrix, bias = maps(5, *shape), maps(2, 9 * shape[2], 16), maps(2, 16)
    matrix.requires_grad_(), bias.requires_grad_()
    whole = convolution_of_torch(x.expand(2, *x.shape), matrix, bias)
    expected = torch.nn.functional.avg_pool2d(whole.flatten(0, 1).permute(0, 3, 1, 2), 2)
    expected = expected.permute(0, 2, 3, 1).reshape(2, -1, 16)
    gradient = maps(*expected.shape)
    expected.backward(gradient)
    columns = windows(x).expand(2, 5, -1)
    z, known = convolved_blocks(columns, matrix.detach(), bias.detach())
    torch.testing.assert_close(pooled_blocks(z), expected.detach(), rtol=1e-4, atol=1e-4)
    dz = pooled_blocks_backward(gradient)
    dmatrix, dbias = convolved_blocks_backward(dz, known)
    torch.testing.assert_close(dmatrix, matrix.grad, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(dbias, bias.grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4, 5), (2, 3, 7, 5, 8)], ids=["even", "odd"])
def test_pooling_averages_blocks_as_torch_does(shape: tuple[int, ...]) -> None:
    h = maps(*shape)
    expected = torch.nn.functional.avg_pool2d(h.flatten(0, 1).permute(0, 3, 1, 2), 2)
    actual = pooled(h).flatten(0, 1).permute(0, 3, 1, 2)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4, 5), (2, 3, 7, 5, 8)], ids=["even", "odd"])
def test_the_backward_pass_of_pooling_is_its_transpose(shape: tuple[int, ...]) -> None:
    h = maps(*shape).requires_grad_()
    # The forward pass works in place on its own sums, which autograd follows.
    out = pooled(h)
    gradient = maps(*out.shape)
    out.backward(gradient)
    torch.testing.assert_close(pooled_backward(gradient, shape[1:4]), h.grad.flatten(1, 3))


@pytest.mark.parametrize("images", [6, 24], ids=["convolution", "perceptron"])
@pytest.mark.parametrize("normalisation", ["layer", "group"])
@pytest.mark.parametrize("width", [12, 10, 7])
def test_normalisation_and_its_gradients_are_torchs(
    width: int, normalisation: str, images: int
) -> None:
    # Two networks, the other of another width, both padded to 16 units.
    recipes = [Recipe(width=w, normalisation=normalisation) for w in (width, 16)]
    groups = groups_of(recipes, 16, torch.device("cpu"))
    real = (torch.arange(16) < width).float()
    z, dy = maps(2, 24, 16), maps(2, 24, 16).flip(0)
    gain, shift = maps(2, 1, 16) + 1, maps(2, 16)
    masked = [torch.stack([x[0] * real, x[1]]) for x in (z, dy, gain, shift)]
    y, known = normalise(masked[0], (masked[2], masked[3]), groups, images)
    dz, (dgain, dshift) = normalise_backward(masked[1], known, groups)
    for i, recipe in enumerate(recipes):
        w = recipe.width
        module = torch.nn.GroupNorm(group_count(recipe), w)
        with torch.no_grad():
            module.weight.copy_(gain[i, 0, :w])
            module.bias.copy_(shift[i, :w])
        x = z[i, :, :w].reshape(images, -1, w).transpose(1, 2).detach().requires_grad_()
        out = module(x)
        out.backward(dy[i, :, :w].reshape(images, -1, w).transpose(1, 2))
        expected, gradient = (t.transpose(1, 2).reshape(24, w) for t in (out, x.grad))
        torch.testing.assert_close(y[i, :, :w], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(dz[i, :, :w], gradient, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(dgain[i, 0, :w], module.weight.grad, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(dshift[i, :w], module.bias.grad, rtol=1e-4, atol=1e-4)
    padded = [y[0, :, width:], dz[0, :, width:], dgain[0, :, width:], dshift[0, width:]]
    assert not any(tensor.any() for tensor in padded)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_label_smoothing_and_its_gradient_are_torchs(share: float) -> None:
    logits = maps(2, 8, 16)
    logits[..., 10:] = -1e30
    labels = torch.arange(16).view(2, 8) % 10
    smoothing = smoothing_of([Recipe(label_smoothing=share), Recipe(label_smoothing=0.3)], CPU)
    hard = torch.nn.functional.one_hot(labels, 16).float()
    gradient = loss_gradient(logits, smoothed(hard, smoothing, 10))
    losses = training_losses(logits, labels, smoothing, 10)
    for i, own in enumerate((share, 0.3)):
        x = logits[i, :, :10].clone().requires_grad_()
        expected = torch.nn.functional.cross_entropy(x, labels[i], label_smoothing=own)
        expected.backward()
        assert losses[i].item() == pytest.approx(expected.item(), rel=1e-5)
        torch.testing.assert_close(gradient[i, :, :10], x.grad)
        assert not gradient[i, :, 10:].any()


def test_nobody_smooths_where_all_shares_are_0() -> None:
    assert smoothing_of([Recipe(), Recipe()], CPU) is None


@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 4, 4)])
def test_images_move_as_slow_loops_move_them(shape: tuple[int, int, int]) -> None:
    recipes = [Recipe(shift=2, flip=True), Recipe(shift=1), Recipe(flip=True), Recipe()]
    streams = [Stream(3).at(i) for i in range(len(recipes))]
    moves = moves_of(streams, recipes, 12)
    images = maps(12, shape[0] * shape[1] * shape[2])
    for i, recipe in enumerate(recipes):
        how = (moves.down[i], moves.right[i], moves.is_mirrored[i])
        actual = moved(images, shape, torch.arange(12), how, 2).view(12, *shape)
        for image, own, down, right, mirrored in zip(
            images.view(12, *shape), actual, *(x.tolist() for x in how), strict=True
        ):
            assert max(abs(down), abs(right)) <= recipe.shift and mirrored <= recipe.flip
            framed = torch.nn.functional.pad(image.flip(2) if mirrored else image, (2,) * 4)
            rows = slice(2 - down, 2 - down + shape[1])
            columns = slice(2 - right, 2 - right + shape[2])
            assert torch.equal(own, framed[:, rows, columns])
    assert {-2, 2} <= {*moves.down[0].tolist()} and moves.is_mirrored[0].any()


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("name", ["constant", "cosine", "step"])
def test_a_schedule_is_torchs_step_by_step(name: str, warmup: float) -> None:
    epochs, steps = 6, 7
    total = epochs * steps
    risen = round(warmup * total)
    rest = total - risen
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    after = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, factor=1.0),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, T_max=rest),
        "step": lambda: lr_scheduler.MultiStepLR(optimizer, [rest // 2, 3 * rest // 4]),
    }[name]
    if risen:
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (risen + 1), total_iters=risen)
        schedule = lr_scheduler.SequentialLR(optimizer, [rise, after()], milestones=[risen])
    else:
        schedule = after()
    expected = []
    for _ in range(total):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    recipe = Recipe(learning_rate=0.3, schedule=name, warmup=warmup)
    task = Task(recipe, Stream(0), epochs, horizon=epochs)
    actual = [
        rate for epoch in range(epochs) for rate in learning_rates(task, epoch * steps, steps)
    ]
    assert actual == pytest.approx(expected, rel=1e-9, abs=1e-12)


OPTIMISERS = {
    "sgd": lambda p, r: torch.optim.SGD(p, r.learning_rate, r.momentum, 0, r.weight_decay),
    "nesterov": lambda p, r: torch.optim.SGD(
        p, r.learning_rate, r.momentum, 0, r.weight_decay, nesterov=True
    ),
    "adam": lambda p, r: torch.optim.Adam(
        p, r.learning_rate, (r.momentum, 0.999), weight_decay=r.weight_decay
    ),
    "adamw": lambda p, r: torch.optim.AdamW(
        p, r.learning_rate, (r.momentum, 0.999), weight_decay=r.weight_decay
    ),
    "rmsprop": lambda p, r: torch.optim.RMSprop(
        p, r.learning_rate, momentum=r.momentum, weight_decay=r.weight_decay
    ),
}


@pytest.mark.parametrize("momentum", [0.5, 0.9])
@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_an_optimiser_is_torchs_step_by_step(name: str, momentum: float) -> None:
    assert set(OPTIMISERS) == set(OPTIMIZERS)
    # Two networks with rates of their own, and gradients that depend on the parameters.
    recipes = [
        Recipe(optimizer=name, momentum=momentum, learning_rate=0.01, weight_decay=0.1),
        Recipe(optimizer=name, momentum=0.7, learning_rate=0.003, weight_decay=0.02),
    ]
    tasks = [Task(recipe, Stream(0), 1) for recipe in recipes]
    ours = maps(2, 64)
    theirs = [row.clone().double().requires_grad_() for row in ours]
    steppers = [OPTIMISERS[name]([p], r) for p, r in zip(theirs, recipes, strict=True)]
    optimizer, target = OPTIMIZERS[name], maps(64, 64)[1]
    moments = tuple(torch.zeros_like(ours) for _ in optimizer.moments)
    rates = rates_of_steps(optimizer, tasks, [0, 0], 20)
    for step in range(20):
        before = ours.clone(), [moment.clone() for moment in moments]
        moved_on, kept = optimizer.update(ours, moments, ours - target, rates[step].unbind())
        assert torch.equal(ours, before[0]) and all(map(torch.equal, moments, before[1]))
        ours, moments = moved_on, kept
        for p, stepper in zip(theirs, steppers, strict=True):
            p.grad = (p - target).detach()
            stepper.step()
        for row, p in zip(ours, theirs, strict=True):
            torch.testing.assert_close(row.double(), p.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_an_activation_keeps_zero_and_its_backward_pass_is_autograds(name: str) -> None:
    z = maps(1000).requires_grad_()
    h = ACTIVATIONS[name].forward(z)
    gradient = maps(1000).flip(0)
    h.backward(gradient)
    torch.testing.assert_close(ACTIVATIONS[name].backward(gradient, z.detach()), z.grad)
    assert ACTIVATIONS[name].forward(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.6])
def test_masks_drop_at_their_rate_and_keep_the_mean(rate: float) -> None:
    masks = dropout_masks([Stream(1).at("dropout", 1)], [rate], (8, 128), (64, 64))
    values = torch.stack(masks).flatten()
    dropped = (values == 0).double().mean().item()
    assert dropped == pytest.approx(rate, abs=4 * np.sqrt(0.25 / len(values)))
    assert values[values > 0].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=1e-4)
    assert rate == 0 or not torch.equal(masks[0], masks[1])


def test_rows_are_what_weights_were_cut_from() -> None:
    layout = Layout((Affine(9, 1, 8), Affine(9, 8, 8), Affine(4, 8, 16)))
    rows = maps(3, layout.length)
    end = layout.places[-1][3] + 16
    assert layout.length % 64 == 0
    assert torch.equal(layout.rows(layout.weights(rows))[:, :end], rows[:, :end])
    assert torch.equal(
        layout.rows(layout.weights(rows))[:, end:], torch.zeros(3, layout.length - end)
    )


def test_the_initial_matrices_have_the_variance_of_he() -> None:
    layout = Layout((Affine(1, 64, 128), Affine(1, 128, 16)))
    row = layout.initial((Affine(1, 64, 100), Affine(1, 100, 10)), Stream(0))
    (first, bias), (second, _) = layout.weights(row[None])
    assert first[..., :100].std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    assert second[:, :100, :10].std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.1)
    assert not bias.any() and not first[..., 100:].any() and not second[:, 100:].any()
