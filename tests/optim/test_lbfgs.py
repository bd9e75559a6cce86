"""The batched optimiser against SciPy's L-BFGS-B row by row, and rows against each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from hpo_research.optim import Minimum, Options, lbfgs, minimise
from hpo_research.rng import Stream

OPTIONS = Options(evaluations=500)
LIKE = torch.zeros(1, dtype=torch.float64)
GROUPS, STARTS = 3, 3


@dataclass(frozen=True)
class Function:
    """A function of rows and of numbers that each group has, with autograd's gradient."""

    formula: Callable[..., Tensor]
    numbers: tuple[Tensor, ...] = ()

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        value = self.formula(x, *self.numbers)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient

    def take(self, groups: Tensor) -> "Function":
        return replace(self, numbers=tuple(number[groups] for number in self.numbers))


@dataclass(frozen=True)
class Case:
    function: Function
    x: Tensor
    lower: Tensor
    upper: Tensor

    def take(self, groups: list[int]) -> "Case":
        bounds = (self.x[groups], self.lower[groups], self.upper[groups])
        return Case(self.function.take(torch.tensor(groups)), *bounds)

    def minimum(self, options: Options = OPTIONS) -> Minimum:
        return minimise(self.function, self.x, self.lower, self.upper, options)


def quadratic(x, matrix, centre):
    moved = x - centre[:, None]
    return 0.5 * (moved * torch.einsum("bij,bsj->bsi", matrix, moved)).sum(-1)


def rosenbrock(x):
    return (100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum(-1)


def barrier(x, slope):
    """NaN outside the positive orthant, with its minimum at 1 / slope."""
    return (x * slope[:, None] - x.log()).sum(-1)


def quadratics(p, condition, bound, groups=GROUPS, starts=STARTS):
    """Return a case whose minima lie within 3 or so of 0, inside and outside of the bounds."""
    stream = Stream(0).at("quadratic", p, int(math.log10(condition)))
    q = torch.linalg.qr(stream.at("q").normal(groups, p, p, like=LIKE))[0]
    spectrum = torch.logspace(0, math.log10(condition), p, dtype=torch.float64)
    matrix = q @ spectrum.diag() @ q.transpose(1, 2)
    centre = stream.at("centre").normal(groups, p, like=LIKE)
    x = (3 * stream.at("x").normal(groups, starts, p, like=LIKE)).clamp(-bound, bound)
    ends = torch.full_like(x, bound)
    return Case(Function(quadratic, (matrix, centre)), x, -ends, ends)


def valleys(p, upper):
    x = 4 * Stream(1).at("valley", p).uniform(GROUPS, STARTS, p, like=LIKE) - 2
    ends = torch.full_like(x, upper)
    return Case(Function(rosenbrock), x.clamp(max=upper), torch.full_like(x, -5.0), ends)


def barriers(p, lower):
    stream = Stream(2).at("barrier", p)
    x = stream.at("x").uniform(GROUPS, STARTS, p, like=LIKE) + 0.01
    slope = 10 * stream.at("slope").uniform(GROUPS, p, like=LIKE) + 0.1
    ends = torch.full_like(x, 100.0)
    return Case(Function(barrier, (slope,)), x, torch.full_like(x, lower), ends)


SLOW = [(60, 1e4, "free")]
CONVEX = {
    f"quadratic of {p}, condition {condition:g}, {word}": quadratics(p, condition, bound)
    for p in (1, 6, 60)
    for condition in (1.0, 1e2, 1e4)
    for word, bound in (("free", 20.0), ("at its bounds", 0.5))
    if (p, condition, word) not in SLOW
}
VALLEYS = {
    f"valley of {p} below {upper:g}": valleys(p, upper) for p in (2, 6) for upper in (5.0, 0.8)
}
BARRIERS = {f"barrier of {p} from {low:g}": barriers(p, low) for p in (1, 5) for low in (-5.0, 0.0)}
CASES = CONVEX | VALLEYS | BARRIERS


def scipy_row(case: Case, group: int, start: int) -> optimize.OptimizeResult:
    function = case.function.take(torch.tensor([group]))

    def value_and_gradient(z):
        value, gradient = function(torch.from_numpy(z)[None, None])
        return value.item(), gradient[0, 0].numpy()

    ends = (case.lower[group, start], case.upper[group, start])
    return optimize.minimize(
        value_and_gradient,
        case.x[group, start].numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([end.numpy() for end in ends], axis=1),
        options={
            "maxfun": OPTIONS.evaluations,
            "gtol": OPTIONS.gradient,
            "ftol": OPTIONS.decrease,
            "maxcor": OPTIONS.history,
        },
    )


def values_of(rows: list[optimize.OptimizeResult]) -> Tensor:
    return torch.tensor([row.fun for row in rows], dtype=torch.float64)


@pytest.fixture(scope="module")
def theirs() -> dict[str, list[optimize.OptimizeResult]]:
    return {
        name: [scipy_row(case, i, j) for i in range(GROUPS) for j in range(STARTS)]
        for name, case in (CONVEX | VALLEYS).items()
    }


@pytest.mark.parametrize("name", CONVEX)
def test_every_row_ends_as_low_as_scipys(name, theirs):
    found = CASES[name].minimum()
    gap = found.value.flatten() - values_of(theirs[name])
    assert (gap <= 1e-6 * found.value.flatten().abs().clamp(min=1)).all()
    assert found.has_converged.all()


@pytest.mark.parametrize("name", VALLEYS)
def test_a_valley_of_two_ends_is_followed_to_one_of_them_like_scipys(name, theirs):
    case, ends = CASES[name], values_of(theirs[name])
    found = case.minimum()
    torch.testing.assert_close(found.value.median(), ends.median(), rtol=1e-6, atol=1e-6)
    _, gradient = case.function(found.x)
    target = (found.x - gradient).clamp(case.lower, case.upper)
    assert (found.x - target).abs().max() < 5e-3  # of a curvature of 1000
    assert found.has_converged.all()


@pytest.mark.parametrize("name", BARRIERS)
def test_a_region_without_values_is_kept_out_of(name):
    """SciPy's search ends at its first NaN, so the minimum in closed form is the oracle."""
    case = CASES[name]
    (slope,) = case.function.numbers
    found = case.minimum()
    exact = (1 + slope.log()).sum(dim=1, keepdim=True).expand_as(found.value)
    torch.testing.assert_close(found.value, exact, rtol=1e-7, atol=1e-7)
    assert found.has_converged.all()


@pytest.mark.parametrize("name", CASES)
def test_a_row_ends_within_its_bounds_with_the_value_it_reports(name):
    case = CASES[name]
    found = case.minimum()
    assert ((found.x >= case.lower) & (found.x <= case.upper)).all()
    value, _ = case.function(found.x)
    torch.testing.assert_close(value, found.value, rtol=1e-10, atol=1e-12)


def test_it_takes_about_as_many_evaluations_as_scipy(theirs):
    ratios = [
        CASES[name].minimum().evaluations.double().median().item()
        / np.median([row.nfev for row in theirs[name]])
        for name in theirs
    ]
    assert 0.5 < np.median(ratios) < 2
    assert max(ratios) < 4


@pytest.mark.parametrize("p", [2, 6])
def test_an_ill_conditioned_problem_with_bounds_is_solved(p):
    """Condition 1e6, against the exact solution of bounded least squares."""
    case = quadratics(p, 1e6, 0.5, groups=8, starts=2)
    matrix, centre = case.function.numbers
    found, missed, theirs = case.minimum(), 0, 0
    for i in range(8):
        values, vectors = np.linalg.eigh(matrix[i].numpy())
        root = vectors * np.sqrt(values) @ vectors.T
        exact = optimize.lsq_linear(
            root, root @ centre[i].numpy(), (-0.5, 0.5), method="bvls", tol=1e-14
        )
        limit = exact.cost + 1e-5 * max(exact.cost, 1)
        for j in range(2):
            missed += found.value[i, j].item() > limit
            theirs += scipy_row(case, i, j).fun > limit
    assert missed == 0 <= theirs  # SciPy misses some of 16


@pytest.mark.parametrize("name", CASES)
def test_a_group_has_the_same_bits_alone_and_among_others(name):
    case = CASES[name]
    whole = case.minimum()
    for groups in ([1], [2, 0]):
        part = case.take(groups).minimum()
        for field in ("x", "value", "evaluations", "has_converged"):
            assert torch.equal(getattr(whole, field)[groups], getattr(part, field))


def test_a_start_has_the_same_bits_whatever_other_starts_there_are():
    case = CASES["valley of 6 below 0.8"]
    whole = case.minimum()
    for j in range(STARTS):
        alone = Case(case.function, *(t[:, j : j + 1] for t in (case.x, case.lower, case.upper)))
        assert torch.equal(alone.minimum().x[:, 0], whole.x[:, j])


@pytest.mark.parametrize("condition", [1e2, 1e4])
def test_a_scale_changes_the_way_and_not_the_end(condition):
    case = quadratics(6, condition, 0.5)
    scale = 10 ** (2 * Stream(0).at("scale").uniform(GROUPS, 1, 6, like=LIKE) - 1)
    plain = case.minimum()
    found = minimise(case.function, case.x, case.lower, case.upper, OPTIONS, scale=scale)
    assert not torch.equal(found.evaluations, plain.evaluations)
    torch.testing.assert_close(found.value, plain.value, rtol=1e-5, atol=1e-5)
    bound = (plain.x == case.lower) | (plain.x == case.upper)
    assert bound.any()
    assert ((found.x == case.lower) | (found.x == case.upper))[bound].double().mean() > 0.99
    assert ((found.x >= case.lower) & (found.x <= case.upper)).all()


def test_only_the_best_rows_go_on_after_a_heat():
    case = quadratics(6, 1e4, 0.5)
    found = case.minimum(replace(OPTIONS, prune=(5, 2)))
    early = case.minimum(replace(OPTIONS, evaluations=5))
    whole = case.minimum()
    order = early.value.argsort(dim=1, stable=True)[:, :2]
    assert torch.equal(found.row, order)
    torch.testing.assert_close(found.value, whole.value.gather(1, order), rtol=0, atol=0)


@dataclass(frozen=True)
class Replay:
    """What a CUDA graph of a step does, on the CPU."""

    step: Callable[[], Sequence[Tensor]]
    into: Sequence[Tensor]

    def replay(self) -> None:
        for old, new in zip(self.into, self.step(), strict=True):
            old.copy_(new)


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize("prune", [None, (5, 2)])
def test_what_a_gpu_does_otherwise_changes_no_bit(prune, graphs, loops, monkeypatch):
    """It looks seldom which groups have ended, leaves them out late, and may replay its steps."""
    case = CASES["quadratic of 6, condition 100, free"]
    if not loops:  # operations on tensors, as on a GPU
        monkeypatch.setattr(lbfgs, "by_loops", lambda *tensors: False)
    whole = case.minimum(replace(OPTIONS, prune=prune))
    assert len(whole.evaluations.unique()) > 1
    monkeypatch.setattr(lbfgs, "_looks", lambda x: (8, 0.5))
    monkeypatch.setattr(lbfgs, "is_recorded", lambda x: graphs)
    monkeypatch.setattr(lbfgs, "recorded", Replay)
    found = case.minimum(replace(OPTIONS, prune=prune, is_recordable=True))
    for field in fields(whole):
        assert torch.equal(getattr(whole, field.name), getattr(found, field.name))


def test_a_row_that_is_nan_everywhere_ends_where_it_began():
    case = CASES["quadratic of 6, condition 100, free"]
    matrix, centre = case.function.numbers
    centre = centre.clone()
    centre[1] = torch.nan
    broken = replace(case, function=Function(quadratic, (matrix, centre)))
    found, healthy = broken.minimum(), case.minimum()
    assert found.value[1].isnan().all()
    assert torch.equal(found.x[1], case.x[1])
    assert found.evaluations[1].tolist() == [1] * STARTS
    assert not found.has_converged[1].any()
    assert torch.equal(found.x[[0, 2]], healthy.x[[0, 2]])
    assert torch.equal(found.value[[0, 2]], healthy.value[[0, 2]])


def test_a_start_without_a_value_does_not_hold_its_group_up():
    case = barriers(3, -5.0)
    x = case.x.clone()
    x[:, 0] = -1.0
    found, healthy = replace(case, x=x).minimum(), case.minimum()
    assert found.value[:, 0].isnan().all()
    assert torch.equal(found.x[:, 0], x[:, 0])
    assert torch.equal(found.x[:, 1:], healthy.x[:, 1:])


def test_a_variable_whose_bounds_are_equal_stays_put():
    case = CASES["quadratic of 6, condition 100, free"]
    lower, upper = case.lower.clone(), case.upper.clone()
    lower[..., 2] = upper[..., 2] = 0.25
    found = replace(case, lower=lower, upper=upper).minimum()
    assert (found.x[..., 2] == 0.25).all()
    matrix, centre = case.function.numbers
    free = [0, 1, 3, 4, 5]
    pull = matrix[:, free, 2] * (0.25 - centre[:, 2:3])
    exact = centre[:, free] - torch.linalg.solve(matrix[:, free][:, :, free], pull)
    torch.testing.assert_close(
        found.x[..., free], exact[:, None].expand(-1, STARTS, -1), rtol=1e-4, atol=1e-4
    )


def test_all_bounds_equal_ends_at_once():
    case = CASES["quadratic of 6, condition 1, free"]
    found = replace(case, lower=case.x, upper=case.x).minimum()
    assert torch.equal(found.x, case.x)
    assert (found.evaluations == 1).all()
    assert found.has_converged.all()


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_a_start_at_a_bound_leaves_it_where_the_descent_leads_inside(end):
    case = CASES["quadratic of 6, condition 100, free"]
    found = replace(case, x=getattr(case, end)).minimum()
    assert found.value.max() < 1e-8


def test_a_start_outside_of_the_bounds_is_moved_to_them():
    case = CASES["quadratic of 6, condition 100, at its bounds"]
    inside = replace(case, x=case.upper).minimum()
    outside = replace(case, x=case.upper + 7).minimum()
    assert torch.equal(inside.x, outside.x)


@pytest.mark.parametrize("limit", [2, 7])
def test_no_row_takes_more_evaluations_than_it_may(limit):
    case = CASES["valley of 6 below 5"]
    found = case.minimum(replace(OPTIONS, evaluations=limit))
    assert (found.evaluations <= limit).all()
    assert (found.value <= case.function(case.x)[0]).all()


def test_what_it_is_given_is_left_alone():
    case = CASES["valley of 6 below 0.8"]
    before = [t.clone() for t in (case.x, case.lower, case.upper)]
    case.minimum()
    for old, new in zip(before, (case.x, case.lower, case.upper), strict=True):
        assert torch.equal(old, new)
