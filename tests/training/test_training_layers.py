import numpy as np
import pytest
import torch

from hpo_research.rng import Stream
from hpo_research.training.activations import ACTIVATIONS
from hpo_research.training.cnn import patches, patches_backward, pooled, pooled_backward
from hpo_research.training.dropout import dropout_masks
from hpo_research.training.layout import Affine, Layout


def maps(*shape: int) -> torch.Tensor:
    return Stream(0).at("maps").normal(*shape, like=torch.zeros(1))


def test_patches_are_the_neighbourhoods_that_unfold_gives() -> None:
    x = maps(2, 3, 4, 4, 5)
    unfolded = torch.nn.functional.unfold(x.flatten(0, 1).permute(0, 3, 1, 2), 3, padding=1)
    expected = unfolded.view(2, 3, 5, 9, 16).permute(0, 1, 4, 3, 2).reshape(2, 3 * 16, 45)
    assert torch.equal(patches(x), expected)


def test_the_backward_pass_of_patches_is_its_transpose() -> None:
    x = maps(2, 3, 4, 4, 5).requires_grad_()
    columns = patches(x)
    gradient = maps(*columns.shape)
    columns.backward(gradient)
    torch.testing.assert_close(patches_backward(gradient, 3), x.grad)


def test_pooling_averages_blocks_as_torch_does() -> None:
    h = maps(2, 3 * 16, 5)
    expected = torch.nn.functional.avg_pool2d(h.view(6, 4, 4, 5).permute(0, 3, 1, 2), 2)
    actual = pooled(h, 3, 4).flatten(0, 1).permute(0, 3, 1, 2)
    torch.testing.assert_close(actual, expected)


def test_the_backward_pass_of_pooling_is_its_transpose() -> None:
    h = maps(2, 3 * 16, 5).requires_grad_()
    # The forward pass works in place on its own sums, which autograd follows.
    out = pooled(h, 3, 4)
    gradient = maps(*out.shape)
    out.backward(gradient)
    torch.testing.assert_close(pooled_backward(gradient, 4), h.grad)


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
