"""`Bayesian` with BoTorch's models and acquisition functions."""

import warnings
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from botorch.acquisition import (
    AcquisitionFunction,
    ExpectedImprovement,
    LogExpectedImprovement,
    LogNoisyExpectedImprovement,
    PosteriorMean,
    PriorGuidedAcquisitionFunction,
    UpperConfidenceBound,
    qExpectedImprovement,
    qLogExpectedImprovement,
    qLogNoisyExpectedImprovement,
    qMultiFidelityKnowledgeGradient,
    qUpperConfidenceBound,
)
from botorch.exceptions.warnings import NumericsWarning
from botorch.models import (
    MixedSingleTaskGP,
    ModelListGP,
    SingleTaskGP,
    SingleTaskMultiFidelityGP,
)
from botorch.models.deterministic import GenericDeterministicModel
from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler

import hpo_research as hpo
from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.experiment.description import describe
from hpo_research.records import Run, Trial
from hpo_research.rng import Stream, lent
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.store import Store
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models.botorch_models import Columns, lengthscales
from hpo_research.strategies.models.encoding import Encoding

PLANE = SearchSpace(x=Float(-1.0, 2.0), y=Float(0.0, 1.0))
MIXED = SearchSpace(
    x=Float(-1.0, 2.0), c=Categorical(("a", "b", "c")), n=Integer(1, 9), d=Categorical((1, 2))
)
CHEAP = {"initial": 4, "samples": 8, "starts": 2}
NEI = qLogNoisyExpectedImprovement


def loss(config):
    return (config["x"] - 0.7) ** 2 + 0.1 * len(str(config.get("c", "")))


def known(space=PLANE, count=8, running=0, seed=0):
    configs = space.decode(np.random.default_rng(3).random((count + running, space.dimension)))
    ended = [Trial(i, c, "finished", 1, (1,), (loss(c),), loss(c)) for i, c in enumerate(configs)]
    trials = ended[:count] + [Trial(i, configs[i], "running", 1) for i in range(count, len(ended))]
    return Run(space, trials=tuple(trials), seed=seed)


def asked(strategy, run=None, slots=1):
    return strategy.ask([run or known()], [slots])[0]


# --- what is asked and noted ---


def test_the_two_doors_note_what_they_used_and_fitted():
    theirs = asked(Bayesian(NEI, SingleTaskGP, **CHEAP), known(MIXED))
    assert theirs.proposals[0].origin == "qLogNoisyExpectedImprovement"
    assert theirs.notes["model"] == "SingleTaskGP"
    assert theirs.notes["function"] == "qLogNoisyExpectedImprovement"
    assert len(theirs.notes["lengthscale"]) == 4 and theirs.notes["noise"] > 0
    ours = asked(Bayesian(partial(qUpperConfidenceBound, beta=2.0), "rbf", **CHEAP))
    assert (ours.notes["model"], ours.notes["function"]) == ("rbf", "qUpperConfidenceBound")
    plain = asked(Bayesian("qlogei", "rbf", **CHEAP))
    assert ours.notes["lengthscale"] == plain.notes["lengthscale"]
    assert "model" not in plain.notes and "function" not in plain.notes


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("qlogei", "qLogExpectedImprovement"),
        ("qei", "qExpectedImprovement"),
        ("qlognei", "qLogNoisyExpectedImprovement"),
        ("ucb", "qUpperConfidenceBound"),
    ],
)
def test_a_name_of_ours_is_botorchs_class_beside_a_botorch_model(name, used):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask = asked(Bayesian(name, SingleTaskGP, **CHEAP))
    assert (ask.notes["function"], ask.proposals[0].origin) == (used, name)


def test_beta_reaches_botorchs_confidence_bound():
    own = asked(Bayesian("ucb", SingleTaskGP, beta=9.0, **CHEAP))
    bound = asked(Bayesian(partial(qUpperConfidenceBound, beta=9.0), SingleTaskGP, **CHEAP))
    assert own.proposals[0].config == bound.proposals[0].config
    assert own.notes["acquisition"] == bound.notes["acquisition"]


def test_botorchs_advice_reaches_the_user_who_chose_the_class():
    with pytest.warns(NumericsWarning, match="qLogExpectedImprovement"):
        asked(Bayesian(qExpectedImprovement, SingleTaskGP, **CHEAP))


def test_an_improvement_of_one_point_finds_what_our_own_finds():
    own = asked(Bayesian("qlogei", **{**CHEAP, "starts": 8}))
    theirs = asked(Bayesian(LogExpectedImprovement, **{**CHEAP, "starts": 8}))
    assert theirs.notes["acquisition"] == pytest.approx(own.notes["acquisition"], abs=1e-6)
    for name in PLANE.names:
        assert theirs.proposals[0].config[name] == pytest.approx(
            own.proposals[0].config[name], abs=1e-3
        )


@pytest.mark.parametrize("acquisition", ["qlogei", NEI], ids=["argument", "baseline"])
def test_points_of_a_batch_and_running_trials_are_pending(acquisition):
    run = known(running=1)
    ask = asked(Bayesian(acquisition, SingleTaskGP, **CHEAP), run, slots=2)
    places = PLANE.encode([run.trials[-1].config, *(p.config for p in ask.proposals)])
    apart = np.abs(places[:, None] - places[None]).max(axis=-1)[np.triu_indices(3, 1)]
    assert apart.min() > 1e-3
    assert ask.notes["pending"] == 1


def test_a_pending_point_is_told_to_a_function_that_names_no_such_argument():
    def improvement(model, best_f, sampler):
        return qLogExpectedImprovement(model, best_f, sampler)

    shared = {"model": SingleTaskGP, **CHEAP}
    told = asked(Bayesian(improvement, **shared), known(running=2), slots=2)
    named = asked(Bayesian(qLogExpectedImprovement, **shared), known(running=2), slots=2)
    assert [p.config for p in told.proposals] == [p.config for p in named.proposals]


def test_what_is_bound_is_not_supplied_again():
    sampler = SobolQMCNormalSampler(torch.Size([4]), seed=1)
    ask = asked(Bayesian(partial(NEI, sampler=sampler), SingleTaskGP, **CHEAP))
    assert ask != asked(Bayesian(NEI, SingleTaskGP, **CHEAP))


def test_a_model_in_evaluation_mode_is_taken_as_it_is():
    def chosen(train_X, train_Y):
        model = SingleTaskGP(train_X, train_Y)
        model.covar_module.lengthscale = 0.25
        return model.eval()

    assert asked(Bayesian(model=chosen, **CHEAP)).notes["lengthscale"] == pytest.approx([0.25] * 2)


def test_a_model_without_a_kernel_is_searched_and_noted_without_lengthscales():
    def surface(train_X, train_Y):
        return GenericDeterministicModel(
            lambda x: -(x - 0.25).square().sum(-1, keepdim=True)
        ).eval()

    ask = asked(Bayesian(PosteriorMean, surface, **CHEAP))
    assert "lengthscale" not in ask.notes and "noise" not in ask.notes
    place = PLANE.encode([ask.proposals[0].config])[0]
    assert place == pytest.approx([0.25, 0.25], abs=1e-4)


def test_targets_are_maximised_and_rows_lie_in_the_unit_cube():
    seen = []

    def looking(train_X, train_Y):
        seen.append((train_X, train_Y))
        return SingleTaskGP(train_X, train_Y)

    run = known(MIXED)
    asked(Bayesian(model=looking, transform="standardise", **CHEAP), run)
    ((x, y),) = seen
    assert x.shape == (8, 7) and y.shape == (8, 1) and x.dtype == y.dtype == torch.float64
    assert float(x.min()) >= 0 and float(x.max()) <= 1
    assert y[:, 0].argmax() == int(run.losses.argmin())


def test_a_model_that_takes_cat_dims_gets_one_column_a_hyperparameter():
    seen = []

    def looking(train_X, train_Y, cat_dims):
        seen.append((train_X, cat_dims))
        return MixedSingleTaskGP(train_X, train_Y, cat_dims)

    run = known(MIXED)
    ask = asked(Bayesian(model=looking, **CHEAP), run)
    ((x, dims),) = seen
    assert dims == [1, 3] and x.shape == (8, 4)
    categories = [("abc".index(trial.config["c"]) + 0.5) / 3 for trial in run.trials]
    assert x[:, 1].tolist() == categories
    assert len(ask.notes["lengthscale"]) == 4


def test_columns_are_turned_exactly_and_differentiably():
    encoding = Encoding(MIXED)
    configs = [{"x": 0.5, "c": c, "n": n, "d": d} for c in "abc" for n in (1, 9) for d in (1, 2)]
    columns = Columns(encoding, True)
    x = encoding.points(configs).x[0].requires_grad_()
    cube = torch.from_numpy(MIXED.encode(configs))
    assert torch.equal(columns(x)[:, [1, 3]], cube[:, [1, 3]])
    torch.testing.assert_close(columns(x), cube)
    (slope,) = torch.autograd.grad(columns(x).sum(), x)
    assert torch.equal(slope[0], torch.tensor([1, 0, 0, 0, 1, 0, 0]).double())
    assert (
        columns.lengthscale_of == (0, 1, 2, 3)
        and Columns(encoding, False).lengthscale_of == encoding.lengthscale_of
    )


def test_lengthscales_are_means_over_kernels_of_their_columns():
    x, y = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)).double(), torch.zeros(6, 1)
    model = MixedSingleTaskGP(x, y.double(), [1])
    model.covar_module.kernels[0].base_kernel.kernels[0].lengthscale = torch.tensor([1.0, 2.0])
    model.covar_module.kernels[1].base_kernel.kernels[0].lengthscale = torch.tensor([3.0, 4.0])
    model.covar_module.kernels[0].base_kernel.kernels[1].base_kernel.lengthscale = 5.0
    model.covar_module.kernels[1].base_kernel.kernels[1].lengthscale = 7.0
    assert lengthscales(model, (0, 1, 2)).tolist() == pytest.approx([2.0, 6.0, 3.0])


# --- randomness, identity ---


def test_global_draws_of_a_model_come_from_the_run_and_leave_no_trace():
    drawn = []

    def drawing(train_X, train_Y):
        drawn.append(float(torch.rand(())))
        return SingleTaskGP(train_X, train_Y)

    strategy = Bayesian(model=drawing, **CHEAP)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    asked(strategy)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    asked(strategy)
    asked(strategy, known(seed=1))
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_generator_that_was_lent_comes_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(KeyError), lent(Stream(1)):
        torch.rand(5)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_and_partials_identify_a_strategy():
    def described(**options):
        return describe(Bayesian(**options), "")

    beta = partial(qUpperConfidenceBound, beta=2.0)
    one = described(model=SingleTaskGP, acquisition=beta)
    assert one == described(
        model=SingleTaskGP, acquisition=partial(qUpperConfidenceBound, beta=2.0)
    )
    assert one["model"] == {"function": "botorch.models.gp_regression.SingleTaskGP"}
    assert one["acquisition"]["keywords"] == {"beta": 2.0}
    assert one != described(
        model=SingleTaskGP, acquisition=partial(qUpperConfidenceBound, beta=3.0)
    )


# --- an experiment ---


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("model", [SingleTaskGP, "matern52"], ids=["SingleTaskGP", "own"])
def test_an_experiment_killed_and_resumed_equals_one_uninterrupted(model, tmp_path, monkeypatch):
    experiment = hpo.Experiment(
        name="door",
        problems=[hpo.problem("branin")],
        strategies={"door": Bayesian(NEI, model, **CHEAP)},
        seeds=[0, 1],
        parallel=2,
        budget=hpo.Budget(evaluations=8),
    )
    whole = hpo.run(experiment, out=tmp_path / "whole", device="cpu").frame()
    append, calls = Store.append_asks, []

    def killing(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        append(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Store, "append_asks", killing)
        hpo.run(experiment, out=tmp_path / "killed", device="cpu")
    resumed = hpo.run(experiment, out=tmp_path / "killed", device="cpu").frame()
    columns = [c for c in whole if not c.endswith("_seconds")]
    assert len(whole) == 16
    assert resumed[columns].equals(whole[columns])


# --- what is refused ---


def failing(train_X, train_Y):
    raise RuntimeError("the kernel burst")


def elsewhere(train_X, train_Y):
    raise ModuleNotFoundError("No module named 'mine'")


def nothing(train_X, train_Y):
    return None


def two(train_X, train_Y):
    return SingleTaskGP(train_X, train_Y.repeat(1, 2))


def unfitted(train_X, train_Y):
    return ModelListGP(SingleTaskGP(train_X, train_Y))


def bottomless(train_X, train_Y):
    return GenericDeterministicModel(lambda x: x[..., :1] * torch.nan).eval()


def no_function(model):
    return model


def one_point(model, best_f):
    return LogExpectedImprovement(model, best_f)


class Shapeless(AcquisitionFunction):
    def forward(self, X):
        return X


BIRTH = [
    ({"model": "matern"}, r"model='matern'\): model must be one of matern52, matern32, rbf"),
    ({"model": 3}, r"model=3\): model must be one of matern52"),
    ({"model": int}, r"model=int\): <class 'int'> makes no BoTorch model"),
    ({"model": LogExpectedImprovement}, "LogExpectedImprovement'> makes no BoTorch model"),
    (
        {"model": lambda train_X, train_Y, rank: None},
        r"<lambda> also needs rank; bind it: functools.partial\(<lambda>, rank=...\)",
    ),
    (
        {"model": SingleTaskGP(torch.zeros(1, 1).double(), torch.zeros(1, 1).double())},
        r"model=SingleTaskGP\): got an object of SingleTaskGP; give its class",
    ),
    ({"acquisition": "lcb"}, r"acquisition='lcb'\): acquisition must be one of qlogei, qei"),
    ({"acquisition": SingleTaskGP}, "makes no BoTorch acquisition function"),
    (
        {"acquisition": UpperConfidenceBound},
        r"Bayesian\(acquisition=UpperConfidenceBound\): UpperConfidenceBound also needs beta; "
        r"bind it: functools.partial\(UpperConfidenceBound, beta=...\)",
    ),
    (
        {"acquisition": LogNoisyExpectedImprovement, "model": SingleTaskGP},
        r"Bayesian\(model=SingleTaskGP, acquisition=LogNoisyExpectedImprovement\): "
        r"LogNoisyExpectedImprovement needs a model with known variances \(train_Yvar\), .* use a "
        "model of ours",
    ),
    (
        {"acquisition": PriorGuidedAcquisitionFunction},
        r"PriorGuidedAcquisitionFunction wraps an acquisition function, .* give a function",
    ),
    (
        {"model": SingleTaskMultiFidelityGP},
        "SingleTaskMultiFidelityGP takes columns for a fidelity, .* or bind data_fidelities=...",
    ),
    (
        {"acquisition": qMultiFidelityKnowledgeGradient},
        "qMultiFidelityKnowledgeGradient is maximised over its fantasies as well, which is not "
        "supported; use qKnowledgeGradient",
    ),
    (
        {"acquisition": PosteriorMean(bottomless(None, None))},
        r"acquisition=PosteriorMean\): got an object of PosteriorMean; give its class",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("options", "message"), BIRTH)
def test_a_part_that_cannot_be_used_is_refused_at_birth(options, message):
    with pytest.raises(StrategyError, match=message):
        Bayesian(**options)


WHERE = r"run 0 \(seed 0, 8 trials\)"
ASKED = [
    (
        {"model": failing},
        rf"Bayesian\(model=failing, acquisition=qlogei\): {WHERE}: RuntimeError: the kernel burst "
        r"\(test_botorch_adapter\.py:\d+, in failing: raise RuntimeError",
    ),
    ({"model": elsewhere}, rf"{WHERE}: ModuleNotFoundError: No module named 'mine'"),
    ({"model": nothing}, rf"{WHERE}: nothing: expected a BoTorch model, got None"),
    ({"model": two}, "two: expected a model of one output, got 2"),
    ({"model": unfitted}, "unfitted: made a ModelListGP, which is neither an exact GP nor fitted"),
    (
        {"model": bottomless, "acquisition": PosteriorMean},
        rf"{WHERE}: PosteriorMean of a GenericDeterministicModel is NaN at \d+ points",
    ),
    ({"acquisition": no_function}, "no_function: expected a BoTorch acquisition function, got"),
    ({"acquisition": Shapeless}, r"Shapeless: expected (\d+) values for \1 points, got shape"),
]


@pytest.mark.parametrize(("options", "message"), ASKED)
def test_what_fails_in_an_ask_names_the_run_and_the_parts(options, message):
    with pytest.raises(StrategyError, match=message) as caught:
        asked(Bayesian(**options, **CHEAP))
    assert options != {"model": failing} or "the kernel burst" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("acquisition", "instead"),
    [
        (LogExpectedImprovement, "qLogExpectedImprovement"),
        (partial(UpperConfidenceBound, beta=2.0), "qUpperConfidenceBound"),
        (ExpectedImprovement, "qExpectedImprovement"),
        (PosteriorMean, "qLogExpectedImprovement"),
    ],
)
def test_a_function_of_one_point_is_refused_for_several_before_the_first_trial(
    acquisition, instead
):
    strategy = Bayesian(acquisition)
    message = rf"evaluates a single point, and 2 trials would .* use {instead}, or run with"
    for run, slots in ((Run(PLANE), 2), (known(count=0, running=1), 1), (known(running=1), 1)):
        with pytest.raises(StrategyError, match=message):
            strategy.ask([run], [slots])
    assert len(asked(strategy, Run(PLANE)).proposals) == 1
    assert strategy.ask([known(running=2)], [0])[0].proposals == ()
    with pytest.raises(StrategyError, match=message):
        hpo.Experiment(
            name="one",
            problems=[hpo.problem("branin")],
            strategies={"one": strategy},
            seeds=[0],
            parallel=2,
            budget=hpo.Budget(evaluations=8),
        )


def test_a_model_of_categories_is_refused_without_any_before_the_first_trial():
    message = (
        r"MixedSingleTaskGP: it needs unordered categories \(cat_dims\) and the space has none"
    )
    with pytest.raises(StrategyError, match=message):
        asked(Bayesian(model=MixedSingleTaskGP), Run(PLANE))


# --- what is tried before the first trial ---


def test_a_wrong_partial_costs_no_trial():
    message = (
        r"Bayesian\(model=matern52, acquisition=qUpperConfidenceBound\): tried before the first "
        r"trial, this does not run \(docs/botorch.md lists what does\): TypeError"
    )
    with pytest.raises(StrategyError, match=message):
        asked(Bayesian(partial(qUpperConfidenceBound, beta="2"), **CHEAP), Run(PLANE))


def test_a_function_that_makes_what_is_refused_costs_no_trial():
    def gradient(model):
        return qMultiFidelityKnowledgeGradient(model, 4)

    for acquisition, message in (
        (
            gradient,
            "gradient: qMultiFidelityKnowledgeGradient is maximised over its fantasies as well",
        ),
        (one_point, "LogExpectedImprovement evaluates a single point"),
    ):
        with pytest.raises(StrategyError, match=rf"tried before the first trial, .*{message}"):
            asked(Bayesian(acquisition, **CHEAP), Run(PLANE), slots=2)


def test_parts_are_tried_once_for_spaces_that_look_alike_and_draw_nothing_from_a_run():
    seen = []

    def looking(train_X, train_Y):
        seen.append(len(train_X))
        return SingleTaskGP(train_X, train_Y)

    strategy, other = Bayesian(model=looking, **CHEAP), SearchSpace(a=Float(0, 1), b=Float(2, 3))
    first = [strategy.ask([Run(space, seed=s)], [1]) for space in (PLANE, other) for s in (0, 1)]
    assert seen == [4]
    assert first == [
        Bayesian(**CHEAP).ask([Run(s, seed=i)], [1]) for s in (PLANE, other) for i in (0, 1)
    ]


def test_a_space_of_one_configuration_needs_no_trying():
    space = SearchSpace({"x": Float(0, 1)}, among=[{"x": 0.5}])
    ask = asked(Bayesian(NEI, SingleTaskGP, **CHEAP), Run(space))
    assert [p.config for p in ask.proposals] == [{"x": 0.5}]


# --- fully Bayesian models ---


@pytest.mark.skipif(find_spec("numpyro") is not None, reason="NumPyro is installed")
def test_without_numpyro_saas_names_the_install_line_before_the_first_trial():
    message = r"SaasFullyBayesianSingleTaskGP: .*pip install 'hpo_research\[saas\]'"
    with pytest.raises(MissingPackageError, match=message):
        asked(Bayesian(model=SaasFullyBayesianSingleTaskGP), Run(PLANE))
    with pytest.raises(MissingPackageError, match=r"pip install 'hpo_research\[saas\]'"):
        asked(Bayesian(model=lambda x, y: SaasFullyBayesianSingleTaskGP(x, y), **CHEAP))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("numpyro") is None, reason="needs NumPyro: hpo_research[saas]")
def test_saas_is_sampled_from_the_runs_own_seed():
    strategy = Bayesian(NEI, SaasFullyBayesianSingleTaskGP, **CHEAP)
    before = torch.get_rng_state()
    first = asked(strategy)
    assert torch.equal(torch.get_rng_state(), before)
    assert asked(strategy, replace(known(), id=5)) == first
    assert len(first.notes["lengthscale"]) == 2
    assert asked(strategy, known(seed=1)).notes["lengthscale"] != first.notes["lengthscale"]
