"""A GP has the same bits alone, among three and in a batch, in any order, under ragged masks."""

from collections.abc import Iterator

import pytest
import torch

from hpo_research.gp import (
    KERNELS,
    TRANSFORMS,
    Data,
    Kernel,
    Priors,
    condition,
    condition_on_samples,
    evidence,
    fit,
)
from hpo_research.gp.quasi_random import normal_set
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, TIED, drawn

BATCH = 24
PARTS = {
    "first": [0],
    "last": [23],
    "three": [7, 1, 9],
    "backwards": list(range(23, -1, -1)),
    "rest": list(range(5, 24)),
}
OWNERS = {1: (0,), 2: (0, 1), 3: (0, 1, 2), 6: TIED, 7: (0, 0, 1, 2, 3, 4, 5)}


def tensors(value: object) -> Iterator[torch.Tensor]:
    """Every tensor of a result."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from tensors(part)
    else:
        for name in getattr(value, "__dataclass_fields__", ()):
            yield from tensors(getattr(value, name))


def agree(whole: object, part: object, rows: list[int]) -> None:
    for all_rows, some in zip(tensors(whole), tensors(part), strict=True):
        assert torch.equal(all_rows[rows].nan_to_num(0.5), some.nan_to_num(0.5))


@pytest.mark.parametrize("d", OWNERS)
@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 33, 48, 112])
@pytest.mark.parametrize("name", KERNELS)
def test_evidence_has_the_same_bits_alone_and_in_a_batch(name, n, d):
    batch = drawn(OWNERS[d], b=BATCH, n=n)
    whole = evidence(batch.theta, batch.data, KERNELS[name], Priors())
    for rows in PARTS.values():
        part = batch.take(torch.tensor(rows))
        agree(whole, evidence(part.theta, part.data, KERNELS[name], Priors()), rows)


@pytest.mark.parametrize("samples", [2, 64])
@pytest.mark.parametrize("q", [1, 2, 3, 17, 64])
@pytest.mark.parametrize(("n", "d"), [(16, 1), (16, 2), (17, 7), (33, 3), (112, 6)])
def test_a_posterior_has_the_same_bits_alone_and_in_a_batch(n, d, q, samples):
    batch = drawn(OWNERS[d], b=BATCH, n=n, q=q)
    z = Stream(1).at("z").normal(BATCH, samples, like=LIKE)
    by_mean = Stream(1).at("mean").normal(BATCH, q, samples, like=LIKE)
    by_variance = Stream(1).at("variance").normal(BATCH, q, like=LIKE)

    def everything(rows):
        part = batch.take(torch.tensor(rows))
        posterior = condition(part.data, KERNELS["matern52"], part.hyperparameters, free_rows=2)
        for k in range(2):
            posterior = posterior.extended(part.asked[:, k % q], z[rows], n + k)
        prediction, pullback = posterior.predict_with_pullback(part.asked)
        return posterior, prediction, pullback(by_mean[rows], by_variance[rows])

    whole = everything(list(range(BATCH)))
    for rows in PARTS.values():
        agree(whole, everything(rows), rows)


@pytest.mark.parametrize("n", [1, 3, 16, 33])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_has_the_same_bits_alone_and_in_a_batch(name, n):
    data = drawn((0,), b=BATCH, n=n).data
    whole = TRANSFORMS[name](data.y, data.mask)
    for rows in PARTS.values():
        agree(whole, TRANSFORMS[name](data.y[rows], data.mask[rows]), rows)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (16, 2), (33, 3), (112, 6)])
def test_draws_at_the_data_have_the_same_bits_alone_and_in_a_batch(n, d):
    batch, normals = drawn(OWNERS[d], b=BATCH, n=n), normal_set(64, 2 * n, "noisy")

    def everything(rows):
        part = batch.take(torch.tensor(rows))
        kernel = mixed(BATCH).take(torch.tensor(rows))
        return condition_on_samples(part.data, kernel, part.hyperparameters, normals, free_rows=2)

    whole = everything(list(range(BATCH)))
    for rows in PARTS.values():
        agree(whole, everything(rows), rows)


@pytest.mark.parametrize("n", [2, 16, 33])
def test_a_gp_does_not_see_the_kernels_of_the_others(n):
    batch = drawn(OWNERS[3], b=BATCH, n=n)
    whole = evidence(batch.theta, batch.data, mixed(BATCH), Priors())
    for i, kernel in enumerate(KERNELS.values()):
        rows = list(range(i, BATCH, len(KERNELS)))
        part = batch.take(torch.tensor(rows))
        agree(whole, evidence(part.theta, part.data, kernel, Priors()), rows)


def mixed(b: int) -> Kernel:
    """One kernel after the other."""
    kernels = list(KERNELS.values())
    return Kernel(torch.cat([kernels[i % len(kernels)].coefficients for i in range(b)]))


@pytest.mark.parametrize("kernels", [("matern52",), tuple(KERNELS)], ids=["one", "all"])
@pytest.mark.parametrize(("n", "d"), [(16, 2), (32, 6)])
def test_a_fit_has_the_same_bits_alone_and_in_a_batch(n, d, kernels):
    data, tried = drawn(OWNERS[d], b=BATCH, n=n).data, [KERNELS[name] for name in kernels]
    whole = fit(data, tried)
    for name in ("last", "three", "rest"):
        part = Data.of(
            *(t[PARTS[name]] for t in (data.x, data.y, data.mask)),
            lengthscale_of=data.lengthscale_of,
        )
        agree(whole, fit(part, tried), PARTS[name])
