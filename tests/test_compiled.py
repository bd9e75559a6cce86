"""What the CPU's loops compute is what the tensors of a GPU would."""

import importlib
import math
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from hpo_research import compiled, elementary, tiles, vectors
from hpo_research.acquisition import criteria
from hpo_research.compiled import _tell, _telling, by_loops
from hpo_research.gp import KERNELS, Data, Priors, condition, evidence, fit, fits, transforms
from hpo_research.gp.kernels import squared_distances
from hpo_research.optim import Options, lbfgs
from hpo_research.rng import Stream

LIKE = torch.zeros(1, dtype=torch.float64)


def data(b=3, n=20, d=4, counted=15):
    stream = Stream(0).at("compiled", n, d)
    x = stream.at("x").uniform(b, n, d, like=LIKE)
    y = stream.at("y").normal(b, n, like=LIKE)
    mask = torch.arange(n).expand(b, -1) < counted
    return Data.of(x, y, mask, lengthscale_of=(0, 1, 1, 2))


def close(found, expected, *, rtol=1e-10):
    atol = rtol * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


def test_loops_take_neither_what_autograd_derives_nor_what_a_gpu_holds():
    assert by_loops(LIKE)
    assert not by_loops(LIKE, torch.zeros(1, requires_grad=True))
    assert not by_loops(2 * torch.zeros(1, requires_grad=True))


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_between_rows(name):
    x = data().x
    found = KERNELS[name].between(x / 0.7, x[:, :8] / 0.7)
    expected = KERNELS[name].profile(squared_distances(x / 0.7, x[:, :8] / 0.7))
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs, rtol=1e-6)  # the product loses digits where rows are the same
    assert bool((found[0][:, :8].diagonal(dim1=1, dim2=2)[:, :8] == 1).all())


@pytest.mark.parametrize("name", KERNELS)
def test_the_evidence_and_its_derivatives(name, monkeypatch):
    known = data()
    theta = Stream(1).at("theta").normal(3, 5, like=LIKE) * 0.3
    theta[:, 3] -= 2.0
    found = evidence(theta, known, KERNELS[name], Priors())
    monkeypatch.setattr(importlib.import_module(evidence.__module__), "by_loops", lambda *_: False)
    expected = evidence(theta, known, KERNELS[name], Priors())
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)


def test_the_fit_with_every_kernel(monkeypatch):
    """A data set whose search no rounding leads elsewhere; the last GP cannot be fitted at all."""
    known, kernels = data(), list(KERNELS.values())
    known.y[2, 3] = torch.nan
    found = fits(known, kernels)
    monkeypatch.setattr(importlib.import_module(fit.__module__), "by_loops", lambda *_: False)
    for ours, theirs in zip(found, fits(known, kernels), strict=True):
        close(ours.log_evidence[:2], theirs.log_evidence[:2], rtol=1e-5)
        close(ours.hyperparameters.theta, theirs.hyperparameters.theta, rtol=1e-2)
        assert torch.equal(ours.start, theirs.start) and torch.equal(ours.choice, theirs.choice)
        assert torch.equal(ours.has_converged, theirs.has_converged)
        assert ours.log_evidence[2] == theirs.log_evidence[2] == -torch.inf


@pytest.mark.parametrize("n", [1, 2, 60])
@pytest.mark.parametrize("bend", ["none", "exp", "cube", "steps"])
def test_the_power_of_an_output_transform(n, bend):
    bends = {
        "none": lambda y: y,
        "exp": torch.exp,
        "cube": lambda y: 1e5 * y**3,
        "steps": torch.round,
    }
    y = bends[bend](Stream(6).at("power", n).normal(8, n, like=LIKE))
    mask = Stream(7).at("mask", n).uniform(8, n, like=LIKE) < 0.9
    own, tensors = transforms._compiled_power(y * mask, mask), transforms._power(y * mask, mask)
    lost = [transforms._likelihood(y * mask, found[:, None], mask) for found in (tensors, own)]
    assert float((lost[0] - lost[1]).abs().max()) < 1e-12 * n


@pytest.mark.parametrize("n", [8, 24, 264, 520])
def test_a_factor_its_inverse_and_what_stands_beside(n):
    """264 and 520 rows: more than one share, and more than two."""
    stream = Stream(5).at("factor", n)
    root, beside = (
        stream.at("root").normal(n, n, like=LIKE),
        stream.at("beside").normal(n, 8, like=LIKE),
    )
    matrix = root @ root.T / n + torch.eye(n, dtype=torch.float64)
    upper, inverse = panels(torch.cat([matrix, beside], dim=1)), torch.empty(n // 8, n, 8).double()
    tiles.set_identity(inverse.numpy())
    half = tiles.factorise(upper.numpy(), inverse.numpy())
    cholesky = torch.linalg.cholesky(matrix)
    assert half == pytest.approx(float(cholesky.diagonal().log().sum()), rel=1e-12)
    close(flat(upper)[:, :n].triu(), cholesky.T, rtol=1e-12)
    close(flat(inverse), torch.linalg.inv(cholesky), rtol=1e-12)
    close(flat(upper)[:, n:], torch.linalg.solve_triangular(cholesky, beside, upper=False))


def test_a_matrix_that_is_not_definite_has_no_factor():
    matrix = torch.eye(24, dtype=torch.float64)
    matrix[17, 17] = -1e-9
    inverse = torch.empty(3, 24, 8).double()
    tiles.set_identity(inverse.numpy())
    assert math.isnan(tiles.factorise(panels(matrix).numpy(), inverse.numpy()))


def panels(matrix):
    n, columns = matrix.shape
    return matrix.reshape(n, columns // 8, 8).transpose(0, 1).contiguous()


def flat(parts):
    return parts.transpose(0, 1).flatten(1)


def test_a_loop_is_compiled_anew_where_one_that_it_calls_has_changed():
    files = compiled._sources(vars(tiles))
    assert {Path(file).name for file in files} == {"tiles.py", "vectors.py"}
    used = compiled._sources(vars(importlib.import_module(evidence.__module__).compiled_evidence))
    for module in (tiles, vectors, elementary):
        assert module.__file__ in used


def test_padded_rows_change_no_bit_of_the_evidence():
    known = data(n=16, counted=16)
    far = Data.of(
        torch.cat([known.x, known.x], dim=1),
        torch.cat([known.y, known.y], dim=1),
        torch.arange(32).expand(3, -1) < 16,
        known.lengthscale_of,
    )
    theta = torch.tensor([[-0.5, 0.2, 0.1, -3.0, 0.4]], dtype=torch.float64).expand(3, -1)
    short, long = (evidence(theta, one, KERNELS["matern52"], None) for one in (known, far))
    for ours, theirs in zip(short, long, strict=True):
        close(ours, theirs, rtol=1e-13)


def test_a_posterior(monkeypatch):
    """Of rows that count here and there."""
    known, hyper = data(), fit(data(), [KERNELS["matern52"]]).hyperparameters
    mask = known.mask & (torch.arange(20) % 3 != 1)
    known = Data.of(known.x, known.y, mask, known.lengthscale_of)
    own = condition(known, KERNELS["rbf"], hyper, free_rows=2)
    monkeypatch.setattr(importlib.import_module(condition.__module__), "by_loops", lambda *_: False)
    theirs = condition(known, KERNELS["rbf"], hyper, free_rows=2)
    assert torch.equal(own.mask, theirs.mask)
    for name in ("x", "whitening", "weights"):
        close(getattr(own, name), getattr(theirs, name))


def test_a_pullback(monkeypatch):
    known = data()
    posterior = condition(
        known, KERNELS["matern52"], fit(known, [KERNELS["matern52"]]).hyperparameters
    )
    x = Stream(2).at("x").uniform(3, 6, 4, like=LIKE)
    prediction, pullback = posterior.predict_with_pullback(x)
    by_mean = torch.ones_like(prediction.mean)
    by_variance = torch.full_like(prediction.variance, 0.3)
    by_k = pullback.by_covariance(by_mean, by_variance)
    close(pullback(by_mean, by_variance), pullback._pulled(by_k))


@pytest.mark.parametrize("shift", [0.0, 3.0, 10.0, 28.0, 40.0, 1e4, 1e90])
@pytest.mark.parametrize("m", [1, 2, 128])
def test_what_a_point_adds_to_qei(shift, m):
    stream = Stream(3).at("increment", m)
    mean = stream.at("mean").normal(2, 30, m, like=LIKE) + shift
    variance = stream.at("variance").uniform(2, 30, like=LIKE) + 1e-3
    best = stream.at("best").normal(2, m, like=LIKE)
    found = criteria.log_qei_increment(mean, variance, best)
    expected = criteria._log_qei_increment(mean, variance, best)
    assert all(bool(part.isfinite().all()) for part in found)
    close(found.value, expected.value, rtol=1e-12)
    # Samples that weigh nothing beside others have no share; the others are alike.
    largest = expected.by_mean.abs().amax(dim=-1, keepdim=True)
    assert float(((found.by_mean - expected.by_mean) / largest).abs().max()) < 1e-9
    torch.testing.assert_close(found.by_variance, expected.by_variance, rtol=1e-8, atol=0.0)


class Rosenbrock:
    """In any number of variables, and NaN on a side."""

    def __call__(self, x):
        a, b = x[..., :-1], x[..., 1:]
        value = (100 * (b - a * a) ** 2 + (1 - a) ** 2).sum(dim=-1)
        gradient = torch.zeros_like(x)
        gradient[..., :-1] += -400 * a * (b - a * a) - 2 * (1 - a)
        gradient[..., 1:] += 200 * (b - a * a)
        return torch.where(x[..., 0] > 1.8, torch.nan, value), gradient

    def take(self, groups):
        return self


def test_every_step_of_the_search():
    """Step by step from the same state: over many steps even rounding would lead far apart."""
    options, objective = Options(evaluations=60, backtracks=6), Rosenbrock()
    x = 4 * Stream(4).at("x").uniform(2, 16, 5, like=LIKE) - 2
    lower, upper = torch.full_like(x, -1.5), torch.full_like(x, 1.2)
    lower[..., 3], upper[..., 3] = x[..., 3], x[..., 3]
    x = x.clamp(lower, upper)
    state = lbfgs._begun(objective, x, lower, upper, options)
    for _ in range(options.evaluations):
        trial = (state.x + state.step[..., None] * state.direction).clamp(lower, upper)
        value, gradient = objective(trial)
        expected = lbfgs._judged(state, trial, value, gradient, options)
        own = replace(state, **{f.name: getattr(state, f.name).clone() for f in fields(state)})
        lbfgs._judge(own, trial, value, gradient, options)
        going = ~expected.is_done
        for field in fields(state):
            ours, theirs = getattr(own, field.name), getattr(expected, field.name)
            if field.name in ("direction", "step", "scale", "pairs", "backtracks"):
                ours, theirs = ours[going], theirs[going]
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9, equal_nan=True)
        state = own
    assert bool(state.is_done.any())


@pytest.mark.parametrize(
    ("is_terminal", "found", "said"), [(True, None, 1), (True, 1, 0), (False, None, 0)]
)
def test_who_waits_at_a_terminal_is_told_that_loops_are_compiled(
    monkeypatch, capsys, is_terminal, found, said
):
    _tell.cache_clear()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    load = _telling(lambda *_: found)
    assert [load("signature", None), load("another", None)] == [found, found]
    assert capsys.readouterr().err.count("compiling its loops") == said
    _tell.cache_clear()
