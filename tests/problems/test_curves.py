"""Learning curves: exact final values, agreement as asked, recorded seconds."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from hpo_research.errors import ProblemError
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic
from hpo_research.problems.wrappers import Noisy, Rotated, Shifted
from hpo_research.records import Segment
from hpo_research.rng import Stream

BASES = ["branin", "hartmann6", "rosenbrock", "michalewicz", "ackley"]
AGREEMENTS = [0.0, 0.25, 0.5, 0.75, 0.9, 1.0]


def points(problem: LearningCurves, n: int) -> torch.Tensor:
    low, high = torch.tensor(problem.function.bounds, dtype=torch.float64).T
    return low + (high - low) * Stream(1).uniform(n, len(low), like=low)


def curves(problem: LearningCurves, n: int) -> torch.Tensor:
    """The values alone. Shape: n epochs."""
    return problem.curves(points(problem, n))[:, :-1]


def agreement(problem: LearningCurves, epoch: int) -> float:
    values = curves(problem, 2000)
    return float(spearmanr(values[:, epoch - 1], values[:, -1]).statistic)


@pytest.mark.parametrize("base", sorted(FUNCTIONS))
@pytest.mark.parametrize("max_epochs", [1, 2, 27])
def test_the_final_value_is_exactly_the_base_functions(base, max_epochs):
    problem = LearningCurves(base, max_epochs=max_epochs, agreement=0.3)
    values = curves(problem, 100)
    assert values.shape == (100, max_epochs)
    assert values[:, -1].equal(Synthetic(base).values(points(problem, 100)))
    assert problem.optimum == Synthetic(base).optimum


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_curves_fall_strictly_and_steeply_at_first(base, rho):
    values = curves(LearningCurves(base, agreement=rho), 300)
    falls = values[:, :-1] - values[:, 1:]
    assert (falls > 0).all()
    assert (falls[:, :-1] > falls[:, 1:]).all()


@settings(max_examples=40)
@given(st.sampled_from(BASES), st.integers(0, 1000), st.floats(0, 1), st.integers(1, 100))
def test_no_early_value_is_below_the_optimum(base, seed, rho, max_epochs):
    problem = LearningCurves(base, max_epochs=max_epochs, agreement=rho, seed=seed)
    values = curves(problem, 64)
    assert torch.isfinite(values).all()
    assert float(values.min()) >= problem.optimum


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("rho", AGREEMENTS)
def test_agreement_is_the_rank_correlation_of_the_first_epoch_with_the_last(base, rho):
    assert agreement(LearningCurves(base, agreement=rho), 1) == pytest.approx(rho, abs=0.12)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_early_ranks_agree_more_the_greater_the_agreement(base, seed):
    found = [agreement(LearningCurves(base, agreement=a, seed=seed), 1) for a in AGREEMENTS]
    assert found == sorted(found)


@pytest.mark.parametrize("base", BASES)
def test_later_ranks_agree_more_than_earlier_ones(base):
    found = [agreement(LearningCurves(base, agreement=0.5), e) for e in (1, 3, 9, 27)]
    assert found == sorted(found)
    assert found[-1] == 1


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("epoch", [1, 2, 9, 26])
def test_with_agreement_1_ranks_at_every_epoch_are_the_final_ones(base, epoch):
    values = curves(LearningCurves(base, agreement=1.0), 500)
    order = values[:, -1].argsort()
    assert (values[order, epoch - 1].diff() >= 0).all()


def test_another_seed_gives_other_curves_to_the_same_final_values():
    one, other = (curves(LearningCurves(seed=s), 50) for s in (0, 1))
    assert one[:, -1].equal(other[:, -1])
    assert not torch.isclose(one[:, 0], other[:, 0]).any()


def test_near_configurations_have_near_curves():
    problem = LearningCurves(agreement=0.0)
    x = points(problem, 200)
    gap = (problem.curves(x + 1e-7) - problem.curves(x)).abs() / problem.curves(x)
    assert float(gap.max()) < 1e-4


def test_seconds_depend_on_the_configuration_and_lie_within_a_factor_of_two():
    problem = LearningCurves(max_epochs=3, seconds=60.0)
    configs = [{"x1": float(i), "x2": 1.0} for i in range(10)]
    batch = [Segment(0, i, config, 3, Stream(i)) for i, config in enumerate(configs)]
    steps = [[report.seconds for report in reports] for reports in problem.evaluate(batch)]
    assert steps[0] == steps[1] == steps[2]
    assert len(set(steps[0])) == 10
    assert 30 < min(steps[0]) < max(steps[0]) < 120


def test_noise_is_keyed_by_stream_and_epoch_and_reported_beside_the_value_without_it():
    clean, noisy = LearningCurves(max_epochs=4), LearningCurves(max_epochs=4, noise=0.5)
    stream = Stream(9).at("trial", 2)
    segment = Segment(0, 0, {"x1": 1.0, "x2": 2.0}, 4, stream)
    for (plain,), (report,) in zip(
        clean.evaluate([segment]), noisy.evaluate([segment]), strict=True
    ):
        z = stream.at("curve noise", report.epoch).generator().standard_normal()
        assert set(plain.metrics) == {"value"}
        assert report.metrics["noise_free"] == plain.metrics["value"]
        assert report.metrics["value"] == plain.metrics["value"] + 0.5 * z


def test_a_trial_has_no_state():
    (first,), *_ = LearningCurves().evaluate([Segment(0, 0, {"x1": 1.0, "x2": 2.0}, 2, Stream(0))])
    assert first.state() == {}


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (LearningCurves(), "curves"),
        (LearningCurves("hartmann6"), "curves(hartmann6)"),
        (LearningCurves(agreement=0.5, max_epochs=9), "curves(max_epochs=9,agreement=0.5)"),
        (LearningCurves(name="mine", seed=3), "mine"),
    ],
    ids=str,
)
def test_a_name_says_what_is_not_usual(problem, name):
    assert problem.name == name


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LearningCurves("brain"), "Synthetic.'brain'.*expected one of branin"),
        (lambda: LearningCurves(3), r"LearningCurves\(3\): base must be a synthetic function"),
        (lambda: LearningCurves(Noisy(Synthetic("branin"), 1)), "base must be a synthetic"),
        (lambda: LearningCurves(Rotated(Synthetic("michalewicz"), 1)), "have a known optimum"),
        (lambda: LearningCurves(max_epochs=0), "max_epochs must be an integer >= 1, got 0"),
        (lambda: LearningCurves(max_epochs=9.0), "max_epochs must be an integer >= 1"),
        (lambda: LearningCurves(agreement=1.1), "agreement must be a number >= 0 and <= 1"),
        (lambda: LearningCurves(agreement=-0.1), "agreement must be a number >= 0 and <= 1"),
        (lambda: LearningCurves(agreement=math.nan), "agreement must be a number >= 0 and <= 1"),
        (lambda: LearningCurves(noise=-1), "noise must be a finite number >= 0, got -1"),
        (lambda: LearningCurves(noise=math.inf), "noise must be a finite number >= 0, got inf"),
        (
            lambda: LearningCurves(seconds=0),
            "seconds must be a finite number of seconds > 0, got 0",
        ),
        (
            lambda: LearningCurves(seconds="1"),
            "seconds must be a finite number of seconds > 0, got '1'",
        ),
        (lambda: LearningCurves(seed=0.5), "seed must be an integer, got 0.5"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_legal(build, message):
    with pytest.raises(ProblemError, match=message):
        build()


def test_a_moved_function_can_be_the_base():
    base = Shifted(Synthetic("sphere", 4), seed=2)
    problem = LearningCurves(base, max_epochs=3)
    assert problem.space == base.space
    config = dict(zip(problem.space.names, base.minimisers[0], strict=True))
    *_, (last,) = problem.evaluate([Segment(0, 0, config, 3, Stream(0))])
    assert last.metrics["value"] == 0.0
