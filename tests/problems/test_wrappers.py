"""Wrappers against plain formulas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from hpo_research.errors import ProblemError
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Evaluation, Problem
from hpo_research.problems.reporting import NoValue
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic
from hpo_research.problems.wrappers import Discretised, Noisy, Rotated, Shifted
from hpo_research.records import Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Float, Integer, SearchSpace

BRANIN, SPHERE, MICHALEWICZ = Synthetic("branin"), Synthetic("sphere", 3), Synthetic("michalewicz")
FUNCTION = st.sampled_from(sorted(FUNCTIONS)).map(Synthetic)
SEED = st.integers(0, 2**31)


@dataclass(frozen=True)
class Mixed:
    """A problem with a parameter of each kind that is not a function of points."""

    name: str = "mixed"
    metric: str = "accuracy"
    direction: str = "maximize"
    max_epochs: int = 2
    can_resume: bool = False
    optimum: float | None = None
    has_recorded_seconds: bool = False

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(
            rate=Float(1e-4, 1.0, scale="log"),
            decay=Float(0.0, 0.7),
            width=Integer(1, 8),
            kind=Categorical(["a", "b"]),
        )

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        for epoch in (1, 2):
            yield [Report(*s.key, epoch, {"accuracy": 0.5, "loss": 3.0}) for s in segments]


def value(problem: Problem, point: Sequence[float]) -> float:
    config = problem.space.validate(dict(zip(problem.space.names, point, strict=True)))
    ((report,),) = problem.evaluate([Segment(0, 0, config, 1, Stream(0))])
    return report.metrics[problem.metric]


def cube(problem: Problem, n: int) -> torch.Tensor:
    low, high = torch.tensor(problem.bounds, dtype=torch.float64).T
    return low + (high - low) * Stream(5).uniform(n, len(low), like=low)


def test_noise_has_the_stated_spread_and_no_bias():
    problem = Noisy(SPHERE, 2.5)
    config = {"x1": 1.0, "x2": 2.0, "x3": 0.0}
    batch = [Segment(0, i, config, 1, Stream(0).at("trial", i)) for i in range(2000)]
    ((*reports,),) = problem.evaluate(batch)
    noise = np.array([r.metrics["value"] - r.metrics["noise_free"] for r in reports])
    assert {r.metrics["noise_free"] for r in reports} == {5.0}
    # Fails by chance once in 10,000 draws; the streams are fixed, so once is for ever.
    assert kstest(noise / 2.5, "norm").pvalue > 1e-4


def test_noise_differs_from_epoch_to_epoch_and_not_with_the_start():
    problem = Noisy(Mixed(), 1.0)
    segment = Segment(0, 0, {}, 2, Stream(0))
    (first,), (second,) = problem.evaluate([segment])
    assert first.metrics["accuracy"] != second.metrics["accuracy"]
    assert first.metrics["noise_free"] == second.metrics["noise_free"] == 0.5
    assert first.metrics["loss"] == 3.0
    z = Stream(0).at("noise", 2).generator().standard_normal()
    assert second.metrics["accuracy"] == 0.5 + z


def test_noise_around_noisy_curves_keeps_the_value_without_any():
    clean, noisy = LearningCurves(max_epochs=1), LearningCurves(max_epochs=1, noise=1.0)
    segment = Segment(0, 0, {"x1": 0.0, "x2": 0.0}, 1, Stream(0))
    ((one,),), ((both,),) = clean.evaluate([segment]), Noisy(noisy, 1.0).evaluate([segment])
    assert both.metrics["noise_free"] == one.metrics["value"]
    ((inner,),) = noisy.evaluate([segment])
    ours, theirs = both.metrics["value"], inner.metrics["value"]
    assert ours - theirs != pytest.approx(theirs - one.metrics["value"])


def test_no_noise_changes_no_value():
    assert value(Noisy(BRANIN, 0), (1.0, 2.0)) == value(BRANIN, (1.0, 2.0))


@given(FUNCTION, SEED)
def test_a_drawn_shift_keeps_the_optimum_inside_and_exactly_attained(function, seed):
    problem = Shifted(function, seed=seed)
    (minimiser,) = problem.minimisers
    for x, (low, high) in zip(minimiser, problem.bounds, strict=True):
        assert low + 0.0999 * (high - low) <= x <= high - 0.0999 * (high - low)
    assert problem.optimum == function.optimum
    assert value(problem, minimiser) == value(function, function.minimisers[0])


@given(FUNCTION, SEED)
def test_no_shift_inside_the_box_makes_a_lower_value(function, seed):
    problem = Shifted(Shifted(function, seed=seed), seed=seed + 1)
    slack = 1e-12 * max(1, abs(function.optimum))
    assert float(problem.values(cube(problem, 2000)).min()) >= problem.optimum - slack


@pytest.mark.parametrize("offset", [(0.5, -1.0), [3, -1], (-0.25, 2.0)])
def test_a_shift_evaluates_f_at_x_minus_s(offset):
    problem = Shifted(BRANIN, offset=offset)
    x = cube(problem, 64)
    expected = BRANIN.values(x - torch.tensor(offset, dtype=torch.float64))
    assert torch.allclose(problem.values(x), expected, rtol=1e-11)
    assert problem.offset == tuple(map(float, offset))


def test_a_shifted_sphere_is_the_squared_distance_to_the_given_point():
    target = (3.25, -4.0, 0.1)
    problem = Shifted(SPHERE, offset=target)
    assert problem.minimisers == (target,)
    assert value(problem, target) == 0.0
    assert value(problem, (3.25, 0.0, 0.1)) == 16.0


def test_a_seed_draws_the_minimiser_uniformly_over_the_middle_of_the_box():
    drawn = np.array([Shifted(Synthetic("sphere"), seed=s).minimisers[0] for s in range(500)])
    # Two tests; each fails by chance once in 10,000 draws, and the seeds are fixed.
    assert all(kstest((column + 4) / 8, "uniform").pvalue > 1e-4 for column in drawn.T)


def test_a_shift_that_keeps_one_of_several_minimisers_is_accepted():
    problem = Shifted(BRANIN, offset=(-9.0, 5.0))
    assert problem.minimisers == ((3 * math.pi - 9.0, 2.475 + 5.0),)


def test_a_shift_of_a_function_without_known_minimiser_has_no_known_optimum():
    problem = Shifted(Rotated(MICHALEWICZ, 0), seed=0)
    assert problem.optimum is None
    assert problem.minimisers == ()
    assert torch.isfinite(problem.values(cube(problem, 20))).all()


@given(FUNCTION, SEED)
def test_a_rotation_is_orthogonal_and_evaluates_f_at_the_turned_point(function, seed):
    problem = Rotated(function, seed)
    q = torch.tensor(problem.matrix, dtype=torch.float64)
    assert torch.allclose(q @ q.T, torch.eye(len(q), dtype=q.dtype), atol=1e-14)
    low, high = torch.tensor(problem.bounds, dtype=torch.float64).T
    x = cube(problem, 40)
    turned = ((x - low) / (high - low) - 0.5) @ q.T
    expected = function.values(low + (turned + 0.5) * (high - low))
    assert torch.allclose(problem.values(x), expected, rtol=1e-8, atol=1e-8)


@given(FUNCTION, SEED)
def test_a_rotation_keeps_the_optimum_exactly_or_says_that_it_is_unknown(function, seed):
    problem = Rotated(function, seed)
    assert (problem.optimum is None) == (problem.minimisers == ())
    for minimiser in problem.minimisers:
        assert problem.optimum == function.optimum
        assert value(problem, minimiser) in {value(function, m) for m in function.minimisers}


def test_an_optimum_that_leaves_the_box_is_unknown():
    # Turned at random, a corner's direction is seldom as far inside the box as before.
    corner = Shifted(Synthetic("sphere", 6), offset=(4.5,) * 6)
    lost = [Rotated(corner, seed) for seed in range(40) if Rotated(corner, seed).optimum is None]
    assert len(lost) > 20
    for problem in lost:
        assert float(problem.values(cube(problem, 4000)).min()) > 0


def test_michalewicz_is_unknown_when_rotated_since_it_is_lower_outside_its_box():
    assert Rotated(MICHALEWICZ, 0).optimum is None


@pytest.mark.parametrize("steps", [1, 2, 7, 30, 1000])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_grid_has_equal_steps_inside_the_bounds(name, steps):
    problem = Discretised(Synthetic(name), steps)
    for inner, outer in zip(
        problem.problem.space.parameters.values(), problem.space.parameters.values(), strict=True
    ):
        assert outer.size == steps + 1
        assert inner.low <= outer.low < outer.high <= inner.high
        slack = 1e-11 * steps * max(1, inner.high)
        assert (outer.low, outer.high) == pytest.approx((inner.low, inner.high), abs=slack)
        assert inner.validate(outer.value_at(steps)) == outer.high


def test_a_grid_leaves_discrete_parameters_alone_and_follows_a_scale():
    space = Discretised(Mixed(), 4).space
    assert space.parameters["width"] == Integer(1, 8)
    assert space.parameters["kind"] == Categorical(["a", "b"])
    assert space.parameters["decay"] == Float(0.0, 0.7, step=0.175)
    rate = space.parameters["rate"]
    assert rate.ordered
    assert rate.values == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert Discretised(Mixed(), 4).optimum is None


@pytest.mark.parametrize("function", [BRANIN, Shifted(SPHERE, seed=1), Rotated(MICHALEWICZ, 2)])
def test_the_optimum_of_a_grid_is_the_least_of_its_values(function):
    problem = Discretised(function, 6)
    configs = [problem.space.config_at(i) for i in range(problem.space.size)]
    batch = [Segment(0, i, config, 1, Stream(0)) for i, config in enumerate(configs)]
    ((*reports,),) = problem.evaluate(batch)
    assert problem.optimum == min(report.metrics["value"] for report in reports)


def test_a_grid_through_the_minimiser_keeps_the_optimum_however_large_it_is():
    assert Discretised(Synthetic("rastrigin", 20), 4).optimum == 0.0
    assert Discretised(Synthetic("rastrigin", 20), 5).optimum is None


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (Noisy(BRANIN, 0.1), "branin+noise(0.1)"),
        (Shifted(BRANIN, seed=3), "branin+shift(seed=3)"),
        (Shifted(BRANIN, offset=(1, 0)), "branin+shift(1,0)"),
        (Rotated(BRANIN, 3), "branin+rotate(seed=3)"),
        (Noisy(Discretised(BRANIN, 3), 1), "branin+steps(3)+noise(1)"),
        (Noisy(BRANIN, 0.1, name="mine"), "mine"),
    ],
    ids=str,
)
def test_a_name_says_what_was_done(problem, name):
    assert problem.name == name


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Noisy("branin", 1), r"Noisy\('branin', sd=1\): expected a problem"),
        (lambda: Noisy(BRANIN, -1), r"Noisy\(branin, sd=-1\): sd must be a finite number >= 0"),
        (lambda: Noisy(BRANIN, math.nan), "sd must be a finite number >= 0, got nan"),
        (lambda: Noisy(BRANIN, "1"), "sd must be a finite number >= 0, got '1'"),
        (lambda: Noisy(Discretised(Noisy(BRANIN, 1), 3), 1), "noisy already; use one Noisy"),
        (lambda: Shifted(BRANIN), "expected a seed or an offset, exactly one of them"),
        (lambda: Shifted(BRANIN, 1, (0, 0)), "expected a seed or an offset, exactly one of them"),
        (lambda: Shifted(BRANIN, "1"), "seed must be an integer, got '1'"),
        (lambda: Shifted(BRANIN, offset=(1,)), r"offset must be 2 finite numbers, got \(1,\)"),
        (lambda: Shifted(BRANIN, offset=3.0), "offset must be 2 finite numbers, got 3.0"),
        (lambda: Shifted(BRANIN, offset=(0, math.inf)), "offset must be 2 finite numbers"),
        (lambda: Shifted(BRANIN, offset="12"), "offset must be 2 finite numbers, got '12'"),
        (lambda: Shifted(BRANIN, offset=(20, 0)), r"carries the minimiser \(-3.14.*smaller one"),
        (lambda: Shifted(Rotated(MICHALEWICZ, 0), offset=(0, 0)), "no minimiser is known"),
        (lambda: Shifted(Noisy(BRANIN, 1), 0), "expected a function of points; move it before"),
        (lambda: Rotated(Discretised(BRANIN, 3), 0), "expected a function of points; move it"),
        (lambda: Rotated(BRANIN, 0.5), "seed must be an integer, got 0.5"),
        (lambda: Rotated(None, 0), r"Rotated\(None, seed=0\): expected a problem"),
        (lambda: Discretised(BRANIN, 0), "steps must be an integer >= 1, got 0"),
        (lambda: Discretised(BRANIN, 2.0), "steps must be an integer >= 1, got 2.0"),
        (lambda: Discretised(Discretised(BRANIN, 3), 3), "discrete already; use it as it is"),
        (lambda: Discretised(BRANIN, 2**53), "too narrow for so many steps; use fewer"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_legal(build, message):
    with pytest.raises(ProblemError, match=message):
        build()


@pytest.mark.parametrize("metrics", [{"accuracy": NoValue("bad width")}, {"loss": 3.0}])
def test_noise_leaves_a_report_without_a_value_as_it_is(metrics: dict[str, float]):
    @dataclass(frozen=True)
    class Failing(Mixed):
        def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
            yield [Report(*s.key, 1, metrics) for s in segments]

    ((report,),) = Noisy(Failing(), 1.0).evaluate([Segment(0, 0, {}, 2, Stream(0))])
    assert report.metrics is metrics


@pytest.mark.parametrize("wrap", [lambda p: Noisy(p, 0.1), lambda p: Discretised(p, 4)])
def test_the_reason_of_a_failure_comes_through_a_wrapper(wrap):
    def f(config):
        raise ValueError("bad width")

    problem = wrap(FunctionProblem(f, SearchSpace(x=Float(0, 1))))
    ((report,),) = problem.evaluate([Segment(0, 0, {"x": 0.5}, 1, Stream(0))])
    assert "ValueError: bad width" in report.metrics["loss"].reason
