"""Bad data of one run change no bit of another's ask, and still get lawful proposals."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from hpo_research.acquisition import (
    CRITERIA,
    Continuous,
    Domain,
    GPAcquisition,
    Points,
    Search,
    maximise,
)
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition, fit
from hpo_research.records import Ask, Run, Trial
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian
from tests.gp.drawn import drawn
from tests.gp.test_bits import agree

SPACES = {
    "continuous": SearchSpace(x=Float(0.0, 1.0), y=Float(1e-5, 1.0, scale="log")),
    "mixed": SearchSpace(
        x=Float(0.0, 1.0), n=Integer(1, 64, scale="log"), c=Categorical(("a", "b", "c"))
    ),
    "finite": SearchSpace(n=Integer(1, 20), m=Integer(1, 9), c=Categorical(("a", "b"))),
    "finite without a table": SearchSpace({f"c{i}": Categorical(tuple("abcd")) for i in range(9)}),
}
STRATEGIES = {
    "qlogei": Bayesian(initial=3, samples=16, starts=4),
    "ucb": Bayesian("ucb", "rbf", "standardise", initial=3, samples=8, starts=4),
}
ENDED, PENDING = 20, 2
EXACT, NEXT = 1.0, float(np.nextafter(1.0, 2.0))

# --- runs ---


def healthy(space: SearchSpace, seed: int, ended: int = ENDED) -> Run:
    """A run of a noisy bowl: `ended` trials, and two that are running."""
    draws = np.random.default_rng(seed)
    configs = space.from_uniform(draws.random((ended + PENDING, space.dimension)))
    values = ((space.encode(configs) - 0.3) ** 2).sum(axis=1) + 0.05 * draws.normal(
        size=len(configs)
    )
    trials = [
        Trial(i, config, "finished", 1, value=float(value))
        for i, (config, value) in enumerate(zip(configs[:ended], values, strict=False))
    ]
    for i, config in enumerate(configs[ended:], ended):
        trials.append(Trial(i, config, "running", 1))
    return Run(space, trials=tuple(trials), seed=seed, total=10**6)


Change = Callable[[Trial], Trial]


def changed(run: Run, change: Change) -> Run:
    trials = [trial if trial.is_running else change(trial) for trial in run.trials]
    return replace(run, trials=tuple(trials))


def valued(value: Callable[[Trial], float]) -> Callable[[Run], Run]:
    return lambda run: changed(run, lambda trial: replace(trial, value=value(trial)))


def failing(fails: Callable[[Trial], bool]) -> Callable[[Run], Run]:
    def change(trial: Trial) -> Trial:
        return replace(trial, status="failed", value=None) if fails(trial) else trial

    return lambda run: changed(run, change)


def repeated(run: Run) -> Run:
    """All rows, the pending ones too, are one configuration; values differ."""
    first = run.trials[0].config
    return replace(run, trials=tuple(replace(trial, config=first) for trial in run.trials))


def repeated_constant(run: Run) -> Run:
    return valued(lambda trial: 1.0)(repeated(run))


def paired(run: Run) -> Run:
    """Every second row repeats the one before, with a value far from its own."""
    trials = list(run.trials)
    for i in range(1, ENDED, 2):
        trials[i] = replace(trials[i], config=trials[i - 1].config, value=-3 * trials[i].value)
    return replace(run, trials=tuple(trials))


def clustered(run: Run) -> Run:
    """Rows within 1e-9 of one point, as far as the space has such."""
    space, draws = run.space, np.random.default_rng(run.seed)
    cube = 0.4 + 1e-9 * draws.random((len(run.trials), space.dimension))
    configs = space.decode(cube)
    trials = [replace(t, config=c) for t, c in zip(run.trials, configs, strict=True)]
    return replace(run, trials=tuple(trials))


BAD: dict[str, Callable[[Run], Run]] = {
    "one configuration": repeated,
    "one configuration and value": repeated_constant,
    "constant": valued(lambda trial: 1.0),
    "zero": valued(lambda trial: 0.0),
    "minus zero and zero": valued(lambda trial: -0.0 if trial.id % 2 else 0.0),
    "duplicates that disagree": paired,
    "a cluster": clustered,
    "all failed": failing(lambda trial: True),
    "all but one failed": failing(lambda trial: trial.id != 7),
    "all but two failed": failing(lambda trial: trial.id not in (7, 8)),
    "some failed": failing(lambda trial: trial.id % 3 == 0),
    "times 1e12": valued(lambda trial: 1e12 * trial.value),
    "times 1e-12": valued(lambda trial: 1e-12 * trial.value),
    "times 1e300": valued(lambda trial: 1e300 * trial.value),
    "times 1e-300": valued(lambda trial: 1e-300 * trial.value),
    "denormal": valued(lambda trial: 5e-324 * trial.id),
    "largest and least floats": valued(lambda trial: (-1) ** trial.id * 1.7e308),
    "an outlier of 1e300": valued(lambda trial: 1e300 if trial.id == 4 else trial.value),
    "an outlier of -1e300": valued(lambda trial: -1e300 if trial.id == 4 else trial.value),
    "last bits": valued(lambda trial: NEXT if trial.id % 2 else EXACT),
    "1e12 and last bits": valued(lambda trial: 1e12 + trial.id * 2.0**-13),
    "one infinity": valued(lambda trial: math.inf if trial.id == 4 else trial.value),
    "one minus infinity": valued(lambda trial: -math.inf if trial.id == 4 else trial.value),
    "both infinities": valued(lambda t: {4: math.inf, 5: -math.inf}.get(t.id, t.value)),
    "all infinite": valued(lambda trial: math.inf),
    "NaN for a value": valued(lambda trial: math.nan if trial.id % 4 else trial.value),
}

# --- asks ---


def to_the_bit(ask: Ask) -> str:
    """Everything of an ask but its seconds; Python writes a float so that no bit is lost."""
    return repr((ask.proposals, ask.notes))


@cache
def alone(name: str, space: str, seed: int, q: int, ended: int = ENDED) -> str:
    run = healthy(SPACES[space], seed, ended)
    return to_the_bit(STRATEGIES[name].ask([run], [q])[0])


def lawful(run: Run, ask: Ask, q: int) -> None:
    """As many configurations as slots, of the space, finite, and none that was tried.

    Notes are finite where the values are: executors make failures of values that are not, so an
    infinite one comes only from a run built by hand.
    """
    tried = {run.space.identity(trial.config) for trial in run.trials}
    assert len(ask.proposals) == q
    for proposal in ask.proposals:
        legal = run.space.validate(proposal.config)
        numbers = [value for value in legal.values() if isinstance(value, int | float)]
        assert all(map(math.isfinite, numbers))
        assert run.space.identity(legal) == run.space.identity(proposal.config)
        assert run.space.identity(legal) not in tried
        tried.add(run.space.identity(legal))
    if not np.isinf(run.losses).any():
        for note in ask.notes.values():
            assert np.isfinite([n for n in np.ravel(note) if not isinstance(n, str)]).all()


every_space = pytest.mark.parametrize("space", SPACES)
every_strategy = pytest.mark.parametrize("name", STRATEGIES)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize(
    ("name", "space"),
    [("qlogei", "continuous"), ("qlogei", "mixed"), ("qlogei", "finite"), ("ucb", "mixed")],
)
def test_a_bad_run_leaves_its_neighbour_as_it_was_and_is_not_changed_by_it(name, space, kind):
    bad, good = BAD[kind](healthy(SPACES[space], 5)), healthy(SPACES[space], 1)
    first, second = STRATEGIES[name].ask([bad, good], [1, 1])
    assert to_the_bit(second) == alone(name, space, 1, 1)
    assert to_the_bit(first) == to_the_bit(STRATEGIES[name].ask([bad], [1])[0])
    lawful(bad, first, 1)


@pytest.mark.parametrize("q", [1, 4])
@every_space
@every_strategy
def test_all_bad_runs_at_once_leave_the_healthy_among_them_as_they_were(name, space, q):
    """Healthy runs stand first, last, and between every two bad ones, whose order is turned."""
    bad = [make(healthy(SPACES[space], 5)) for make in BAD.values()]
    bad = bad[q:] + bad[:q]
    runs = [healthy(SPACES[space], 0)]
    for i, run in enumerate(bad):
        runs += [run, healthy(SPACES[space], (i + 1) % 3)]
    asks = STRATEGIES[name].ask(runs, [q] * len(runs))
    for i, ask in enumerate(asks[::2]):
        assert to_the_bit(ask) == alone(name, space, i % 3, q)
    for run, ask in zip(bad, asks[1::2], strict=True):
        lawful(run, ask, q)
    if q == 1:
        backwards = STRATEGIES[name].ask(runs[::-1], [q] * len(runs))
        assert list(map(to_the_bit, backwards[::-1])) == list(map(to_the_bit, asks))


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("space", ["continuous", "mixed"])
@every_strategy
def test_two_hundred_rows_within_1e_9_leave_their_neighbours_as_they_were(name, space, place):
    ended, draws = 200, np.random.default_rng(9)
    bad = healthy(SPACES[space], 5, ended)
    near = 0.4 + 1e-9 * draws.random((ended + PENDING, SPACES[space].dimension))
    configs = SPACES[space].decode(near)
    trials = [replace(t, config=c) for t, c in zip(bad.trials, configs, strict=True)]
    bad = replace(bad, trials=tuple(trials))
    runs = [healthy(SPACES[space], 0, ended), healthy(SPACES[space], 1, ended)]
    runs.insert(place, bad)
    asks = list(STRATEGIES[name].ask(runs, [1] * 3))
    lawful(bad, asks.pop(place), 1)
    assert [to_the_bit(ask) for ask in asks] == [
        alone(name, space, seed, 1, ended) for seed in (0, 1)
    ]


# --- a factor that fails even with the largest jitter ---


def with_a_bad_one(b: int, bad: int) -> tuple[Data, Hyperparameters]:
    """GPs of which one has a noise variance that no jitter makes a covariance of."""
    batch = drawn((0, 1, 2), b=b)
    hyper = batch.hyperparameters
    noise = hyper.noise.clone()
    noise[bad] = -2.0
    return batch.data, replace(hyper, noise=noise)


def part(hyper: Hyperparameters, rows: list[int]) -> Hyperparameters:
    return Hyperparameters(hyper.lengthscale[rows], hyper.noise[rows], hyper.mean[rows])


@pytest.mark.parametrize("bad", [0, 2, 4])
@pytest.mark.parametrize("name", KERNELS)
def test_a_posterior_whose_factor_fails_is_nan_and_the_others_keep_their_bits(name, bad):
    data, hyper = with_a_bad_one(5, bad)
    asked = drawn((0, 1, 2), b=5).asked
    z = Stream(0).normal(5, 8, like=asked)

    def everything(rows: list[int]) -> tuple[object, ...]:
        known = data.take(torch.tensor(rows))
        posterior = condition(known, KERNELS[name], part(hyper, rows), free_rows=2)
        posterior = posterior.extended(asked[rows, 0], z[rows], data.x.shape[1])
        prediction, pullback = posterior.predict_with_pullback(asked[rows])
        slope = pullback(torch.ones_like(prediction.mean), torch.ones_like(prediction.variance))
        return posterior, prediction, slope

    whole = everything(list(range(5)))
    prediction = whole[1]
    assert prediction.mean[bad].isnan().all() and prediction.variance[bad].isnan().all()
    for row in range(5):
        if row != bad:
            assert prediction.mean[row].isfinite().all()
            agree(whole, everything([row]), [row])


@pytest.mark.parametrize("bad", [0, 2, 4])
@pytest.mark.parametrize("what", ["rows", "targets"])
def test_a_fit_whose_factor_fails_everywhere_is_the_priors_mode_and_touches_no_other(what, bad):
    data = drawn((0, 1, 2), b=5).data
    x, y = data.x.clone(), data.y.clone()
    (x if what == "rows" else y)[bad, 1] = torch.nan
    data = replace(data, x=x, y=y)
    whole = fit(data, [KERNELS["matern52"]])
    assert whole.log_evidence[bad].isneginf() or whole.log_evidence[bad].isnan()
    assert whole.hyperparameters.theta[bad].isfinite().all()
    for row in range(5):
        if row != bad:
            assert whole.log_evidence[row].isfinite()
            agree(whole, fit(data.take(torch.tensor([row])), [KERNELS["matern52"]]), [row])


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_surface_that_is_nan_everywhere_is_searched_beside_others_that_keep_their_bits(bad):
    data, hyper = with_a_bad_one(3, bad)
    domain = Domain(3, tuple(map(Continuous, range(3))))
    centres = Points(data.x[:, :4], torch.zeros(3, 4, 0, dtype=torch.int64))

    def ends(rows: list[int]) -> list[torch.Tensor]:
        at = torch.tensor(rows)
        posterior = condition(data.take(at), KERNELS["matern52"], part(hyper, rows))
        best = data.y[rows].amin(dim=1)[:, None].repeat(1, 2)
        samples = torch.zeros(len(rows), 8, 0, dtype=torch.float64)
        found = maximise(
            GPAcquisition(posterior, CRITERIA["qlogei"], best, samples),
            domain,
            centres.take(at),
            lengthscale=hyper.lengthscale[rows],
            streams=[Stream(row) for row in rows],
            search=Search(starts=4),
        )
        return [found.points.x, found.value]

    x, value = ends([0, 1, 2])
    assert ((x >= 0) & (x <= 1)).all()
    assert value[bad].isnan().all()
    for row in range(3):
        if row != bad:
            assert value[row].isfinite().all()
            for whole, one in zip((x, value), ends([row]), strict=True):
                assert torch.equal(whole[row], one[0])
