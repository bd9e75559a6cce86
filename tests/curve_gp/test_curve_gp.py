"""The GP over configuration and epoch beside dense algebra, finite differences and itself."""

import math

import numpy as np
import pytest
import torch

from hpo_research.curve_gp.covariance import NAMES, CurveHyperparameters
from hpo_research.curve_gp.data import Curves
from hpo_research.curve_gp.fit import fit_curves
from hpo_research.curve_gp.likelihood import CurvePriors, curve_evidence
from hpo_research.curve_gp.posterior import condition_curves
from hpo_research.gp import KERNELS, Data
from hpo_research.rng import Stream
from tests.gp.drawn import LIKE, TIED, kernel_of
from tests.gp.test_bits import agree

OWNERS = {"one": (0,), "three": (0, 1, 2), "tied": TIED}
PARTS = {"first": [0], "last": [8], "three": [7, 1, 3], "backwards": list(range(8, -1, -1))}


def drawn(lengthscale_of, *, b=3, n=24, seed=0):
    """Curves of three epochs each, fewer and fewer of them known, with θ at random."""
    stream, d = Stream(seed).at("curves", b, n, len(lengthscale_of)), len(lengthscale_of)
    curves = -(-n // 3)
    x = stream.at("x").uniform(b, curves, d, like=LIKE).repeat_interleave(3, dim=1)[:, :n]
    epoch = torch.tensor([1.0, 3.0, 9.0]).double().repeat(curves)[:n].expand(b, n)
    trial = torch.arange(curves).repeat_interleave(3)[:n].expand(b, n)
    known = n - (torch.arange(b) * 5) % n
    mask = torch.arange(n)[None] < known[:, None]
    y = stream.at("y").normal(b, n, like=LIKE)
    theta = 0.5 * stream.at("theta").normal(b, max(lengthscale_of) + 1 + len(NAMES), like=LIKE)
    data = Data.of(x, y, mask, lengthscale_of)
    return theta, Curves.of(data, epoch.contiguous(), trial.contiguous(), count=(curves + 1, 4))


def dense(name, theta, curves, row):
    """The covariance function of one GP written out plainly, trend and noise apart."""
    hyper = dict(zip(NAMES, theta[row, -len(NAMES) :].exp().tolist(), strict=True))
    columns = curves.data.x.shape[-1]
    kernel = kernel_of(name, columns).to(theta)
    kernel.lengthscale = theta[row, : -len(NAMES)].exp()[curves.data.index]

    def d(t, u):
        return ((2 + hyper["onset"]) / (t + u + hyper["onset"])) ** hyper["power"]

    def a(t):
        return 1 + (hyper["early"] - 1) * np.sqrt(d(t, t))

    def covariance(x, i, t, z, j, u):
        t, u = t.numpy()[:, None], u.numpy()[None, :]
        times = hyper["scale"] * (a(t) * a(u) + hyper["apart"] * d(t, u))
        same = (i[:, None] == j[None, :]).numpy()
        return (kernel(x, z).to_dense().detach().numpy() + hyper["own"] * same) * times

    def trend(t, u):
        return 4 * (1 + 3 / (t.numpy()[:, None] + u.numpy()[None, :] + 1))

    return covariance, trend, hyper["noise"]


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=OWNERS)
@pytest.mark.parametrize("name", KERNELS)
def test_the_evidence_is_that_of_dense_algebra(name, lengthscale_of):
    theta, curves = drawn(lengthscale_of)
    value, _ = curve_evidence(theta, curves, KERNELS[name], None)
    for row in range(len(theta)):
        known = curves.data.mask[row]
        rows = (curves.data.x[row, known], curves.trial[row, known], curves.epoch[row, known])
        covariance, trend, noise = dense(name, theta, curves, row)
        k = covariance(*rows, *rows) + trend(rows[2], rows[2]) + noise * np.eye(len(rows[1]))
        y = curves.data.y[row, known].numpy()
        plain = -0.5 * (y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1])
        plain -= 0.5 * len(y) * math.log(2 * math.pi)
        assert float(value[row]) == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("priors", [None, CurvePriors()], ids=["alone", "with priors"])
@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=OWNERS)
@pytest.mark.parametrize("name", KERNELS)
def test_the_gradient_is_that_of_finite_differences(name, lengthscale_of, priors):
    theta, curves = drawn(lengthscale_of)
    _, gradient = curve_evidence(theta, curves, KERNELS[name], priors)
    for j in range(theta.shape[1]):
        step = torch.zeros_like(theta[0])
        step[j] = 1e-5
        up, down = (
            curve_evidence(theta + sign * step, curves, KERNELS[name], priors)[0]
            for sign in (1, -1)
        )
        torch.testing.assert_close(gradient[:, j], (up - down) / 2e-5, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=OWNERS)
@pytest.mark.parametrize("name", KERNELS)
def test_a_prediction_is_that_of_dense_algebra(name, lengthscale_of):
    """Known curves at later epochs and new ones; the trend at its posterior mean."""
    theta, curves = drawn(lengthscale_of)
    posterior = condition_curves(curves, KERNELS[name], CurveHyperparameters(theta))
    fresh = Stream(1).at("x").uniform(len(theta), 4, len(lengthscale_of), like=LIKE)
    x = torch.cat([curves.data.x[:, :6], fresh], dim=1)
    trial = torch.cat([curves.trial[:, :6], torch.full((len(theta), 4), -1)], dim=1)
    epoch = torch.tensor([27.0, 1.0] * 5).double().expand(len(theta), -1)
    later = torch.tensor([3.0, 20.0] * 5).double().expand(len(theta), -1)
    mean, variance = posterior.predict(x, trial, epoch)
    between = posterior.foretell(x, trial, epoch, later).covariance
    for row in range(len(theta)):
        known = curves.data.mask[row]
        rows = (curves.data.x[row, known], curves.trial[row, known], curves.epoch[row, known])
        asked = (x[row], trial[row], epoch[row])
        covariance, trend, noise = dense(name, theta, curves, row)
        k = covariance(*rows, *rows) + noise * np.eye(len(rows[1]))
        cross = covariance(*asked, *rows)
        y = curves.data.y[row, known].numpy()
        alpha = np.linalg.solve(k + trend(rows[2], rows[2]), y)
        plain = (cross + trend(asked[2], rows[2])) @ alpha
        np.testing.assert_allclose(mean[row].numpy(), plain, rtol=1e-8, atol=1e-9)
        # A new curve's own share is its own even when it is asked for at two epochs.
        named = (x[row], torch.where(trial[row] < 0, -1 - torch.arange(10), trial[row]))
        other = covariance(*named, epoch[row], *named, later[row])
        half = np.linalg.solve(k, covariance(x[row], trial[row], later[row], *rows).T)
        plain = np.diag(other) - np.sum(cross * half.T, axis=1)
        np.testing.assert_allclose(between[row].numpy(), plain, rtol=1e-7, atol=1e-9)
        prior = np.diag(covariance(*named, epoch[row], *named, epoch[row]))
        plain = prior - np.sum(cross * np.linalg.solve(k, cross.T).T, axis=1)
        np.testing.assert_allclose(variance[row].numpy(), plain, rtol=1e-7, atol=1e-9)


def test_the_function_at_one_epoch_is_a_gp_of_unit_variance():
    theta, curves = drawn(TIED)
    posterior = condition_curves(curves, KERNELS["matern52"], CurveHyperparameters(theta))
    x = Stream(1).at("x").uniform(3, 5, len(TIED), like=LIKE)
    at, unit = posterior.at(torch.full((3,), 9.0).double(), free_rows=2)
    found = at.predict(x)
    none, nine = torch.full((3, 5), -1), torch.full((3, 5), 9.0).double()
    mean, variance = posterior.predict(x, none, nine)
    torch.testing.assert_close(found.mean[..., 0] * unit[:, None], mean)
    own = posterior.hyperparameters["own"][:, None] * unit[:, None] ** 2
    torch.testing.assert_close(found.variance * unit[:, None] ** 2 + own, variance)


def test_a_pending_point_of_that_gp_is_conditioned_on():
    theta, curves = drawn((0, 1, 2))
    posterior = condition_curves(curves, KERNELS["matern52"], CurveHyperparameters(theta))
    x = Stream(1).at("x").uniform(3, 5, 3, like=LIKE)
    at, _ = posterior.at(torch.full((3,), 9.0).double(), free_rows=1)
    z = torch.tensor([[0.0, 1.0]]).double().expand(3, 2)
    before = at.predict(x)
    after = at.extended(x[:, 0], z, curves.heads.row.shape[1]).predict(x)
    assert (after.variance[:, 0] < 1e-8).all()
    assert (after.variance <= before.variance + 1e-12).all()
    reached = before.mean[:, 0, 0] + before.variance[:, 0].sqrt()
    torch.testing.assert_close(after.mean[:, 0, 1], reached)
    torch.testing.assert_close(after.mean[..., 0], before.mean[..., 0])


@pytest.mark.parametrize("n", [3, 17, 33, 64])
@pytest.mark.parametrize("lengthscale_of", OWNERS.values(), ids=OWNERS)
def test_curves_have_the_same_bits_alone_and_in_a_batch(lengthscale_of, n):
    theta, curves = drawn(lengthscale_of, b=9, n=n)
    asked = Stream(1).at("x").uniform(9, 5, len(lengthscale_of), like=LIKE)
    kernel = KERNELS["matern52"]

    def everything(rows):
        rows = torch.tensor(rows)
        part = curves.take(rows)
        posterior = condition_curves(part, kernel, CurveHyperparameters(theta[rows]))
        late, soon = (torch.full((len(rows), 5), t).double() for t in (27.0, 2.0))
        none = torch.full((len(rows), 5), -1)
        return (
            curve_evidence(theta[rows], part, kernel, CurvePriors()),
            posterior.predict(asked[rows], part.trial[:, :1].expand(-1, 5), late),
            posterior.foretell(asked[rows], none, late, soon),
            posterior.at(late[:, 0], free_rows=2),
        )

    whole = everything(list(range(9)))
    for rows in PARTS.values():
        agree(whole, everything(rows), rows)


@pytest.mark.parametrize("n", [17, 33])
def test_a_fit_of_curves_has_the_same_bits_alone_and_in_a_batch(n):
    theta, curves = drawn((0, 1, 2), b=9, n=n)
    kernel = KERNELS["matern52"]
    for warm in (None, theta):

        def hyper(rows, warm=warm):
            return None if warm is None else CurveHyperparameters(warm[rows])

        whole = fit_curves(curves, kernel, warm=hyper(slice(None)))
        for rows in PARTS.values():
            part = fit_curves(curves.take(torch.tensor(rows)), kernel, warm=hyper(rows))
            agree(whole, part, rows)


def falling(seed: int, noise: float = 0.0):
    """Curves towards an asymptote that depends on x, seen for 1, 3, 9 or 27 epochs."""
    stream = Stream(seed).at("falling")
    x = stream.at("x").uniform(1, 24, 2, like=LIKE)
    epochs = torch.tensor([1.0, 3.0, 9.0, 27.0]).double()
    final = (x[..., 0] - 0.3) ** 2 + 0.5 * x[..., 1]
    values = final[..., None] + 0.8 * (1 + x[..., :1]) / epochs
    values = values + noise * stream.at("noise").normal(1, 24, 4, like=LIKE)
    seen = torch.tensor([4 if i % 6 == 0 else 2 for i in range(24)])
    mask = (torch.arange(4)[None] < seen[:, None]).reshape(1, 96)
    trial = torch.arange(24).repeat_interleave(4)[None]
    data = Data.of(x.repeat_interleave(4, dim=1), (values.reshape(1, 96) - 0.8) / 0.5, mask, (0, 1))
    return Curves.of(data, epochs.repeat(24)[None], trial, count=(24, 4)), (
        final + 0.8 * (1 + x[..., 0]) / 27
    )


def test_a_fit_foretells_the_end_of_curves_that_were_seen_for_three_epochs():
    curves, final = falling(0)
    fit = fit_curves(curves, KERNELS["matern52"])
    posterior = condition_curves(curves, KERNELS["matern52"], fit.hyperparameters)
    last = torch.full((1, 24), 27.0).double()
    mean, variance = posterior.predict(curves.data.x[:, ::4], curves.trial[:, ::4], last)
    error = (mean - (final - 0.8) / 0.5).abs()
    assert float(error.max()) < 0.15  # in units of the targets' standard deviation, about
    assert (error <= 4 * variance.sqrt() + 1e-3).all()


def test_a_fit_has_more_evidence_than_where_it_began():
    curves, _ = falling(1, noise=0.05)
    kernel = KERNELS["matern52"]
    cold = fit_curves(curves, kernel)
    table = CurvePriors().table(2, LIKE)
    begun, _ = curve_evidence(table[:1], curves, kernel, CurvePriors())
    assert float(cold.log_evidence) > float(begun) + 1
    warm = fit_curves(curves, kernel, warm=cold.hyperparameters)
    assert float(warm.log_evidence) >= float(cold.log_evidence) - 1e-2
    assert (
        (cold.hyperparameters.theta >= table[2]) & (cold.hyperparameters.theta <= table[3])
    ).all()
