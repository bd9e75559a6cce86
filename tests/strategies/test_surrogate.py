import numpy as np
import pytest
import torch

from hpo_research.errors import StrategyError
from hpo_research.records import Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models.surrogate import surrogate

SPACE = SearchSpace(x=Float(0, 1), n=Integer(1, 4))


def run(direction: str = "minimize", count: int = 8) -> Run:
    """Values of a smooth function, or its negative where it is maximised."""
    cube = np.random.default_rng(3).random((count, 2))
    sign = 1.0 if direction == "minimize" else -1.0
    configs = SPACE.from_uniform(cube)
    values = [sign * ((c["x"] - 0.3) ** 2 + c["n"] / 4) for c in configs]
    trials = [
        Trial(i, c, "finished", 1, value=v)
        for i, (c, v) in enumerate(zip(configs, values, strict=True))
    ]
    return Run(SPACE, direction=direction, trials=tuple(trials))


def configs_of(ask) -> list[dict]:
    return [proposal.config for proposal in ask.proposals]


def test_it_is_the_model_that_an_ask_used():
    (ask,) = Bayesian().ask([run()], [3])
    seen = surrogate(Bayesian(), run(), configs_of(ask))
    hyper = seen.surfaces[0].posterior.hyperparameters
    assert hyper.lengthscale[0].tolist() == ask.notes["lengthscale"]
    for k, config in enumerate(seen.chosen):
        value = seen.acquisition(SPACE.encode([config]), k)
        assert value[0] == pytest.approx(ask.notes["acquisition"][k], abs=1e-9)


def test_its_band_holds_the_values_it_was_fitted_to_and_the_median_is_between():
    seen = surrogate(Bayesian(), run())
    belief = seen.believe(SPACE.encode([t.config for t in run().trials]))
    values = np.array([t.value for t in run().trials])
    assert np.all(belief.low <= belief.median) and np.all(belief.median <= belief.high)
    assert belief.median == pytest.approx(values, abs=0.05)


def test_a_metric_to_maximise_is_believed_in_its_own_sign():
    cube = np.random.default_rng(0).random((5, 2))
    down = surrogate(Bayesian(), run("minimize")).believe(cube)
    up = surrogate(Bayesian(), run("maximize")).believe(cube)
    assert up.median == pytest.approx(-down.median, abs=1e-9)
    assert up.low == pytest.approx(-down.high, abs=1e-9)


def test_a_run_without_two_values_has_no_model():
    with pytest.raises(StrategyError, match="needs at least 2 values, the run has 1"):
        surrogate(Bayesian(), run(count=1))


MODELS = {
    "q-EI": Bayesian(),
    "noisy": Bayesian(acquisition="qlognei"),
    "averaged": Bayesian(model="averaged"),
    "ranks": Bayesian(transform="rank"),
}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("name", MODELS)
def test_functions_drawn_have_the_moments_that_are_believed(name, direction):
    """Of 512 functions: means within 5 of their standard errors at 20 points, in 8 cases."""
    seen = surrogate(MODELS[name], run(direction))
    cube = np.random.default_rng(1).random((20, 2))
    drawn = seen.draw(cube, 512, Stream(0))
    x = seen.batch.domain.placed(torch.from_numpy(cube)[None]).x
    mean, variance = (part[0].numpy() for part in seen.surfaces[0].moments(x))
    deviation = np.sqrt(variance)
    apart = drawn.mean(axis=0) - seen.run.sign * mean
    # What is drawn given the data misses what samples of the data add, and kernels' shares round.
    assert np.all(np.abs(apart) < 5 * deviation / 512**0.5 + 0.05 * deviation.max())
    assert np.median(drawn.std(axis=0) / deviation) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_density_of_a_value_is_that_of_a_normal_forecast(direction):
    """Its integral over the metric is 1, and 95 % lie within 1.96 standard deviations."""
    seen = surrogate(Bayesian(), run(direction))
    grid = np.linspace(-3, 3, 20001)
    judged = seen.judge(np.full((len(grid), 2), 0.9), grid)
    assert np.trapezoid(np.exp(judged.log_density), grid) == pytest.approx(1, abs=1e-3)
    inside = np.abs(judged.residual) < 1.959964
    shares = np.where(inside, np.exp(judged.log_density), 0)
    assert np.trapezoid(shares, grid) == pytest.approx(0.95, abs=3e-3)
    assert np.all(np.diff(judged.residual) >= 0)


def test_ranks_have_residuals_and_no_density():
    judged = surrogate(MODELS["ranks"], run()).judge(np.full((1, 2), 0.5), np.array([0.4]))
    assert np.isfinite(judged.residual).all() and np.isnan(judged.log_density).all()
