"""What the public doors answer to habits from other tuners, and to misspelt calls."""

import copy
import inspect
import pickle
import re

import pytest

import hpo_research as hpo
from hpo_research import habits
from hpo_research.errors import (
    ArgumentError,
    StrategyError,
    StudyError,
    UnknownNameError,
)
from hpo_research.records import Segment
from hpo_research.rng import Stream

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


def loss(config):
    return config["x"]


def study():
    return hpo.Study(SPACE, hpo.Random())


KEYWORDS = {
    "Float(log=)": (lambda: hpo.Float(1e-5, 1, log=True), 'scale="log"'),
    "Float(q=)": (lambda: hpo.Float(0, 1, q=0.1), "step="),
    "Float(min=)": (lambda: hpo.Float(min=0, max=1), "low="),
    "Integer(log=)": (lambda: hpo.Integer(1, 9, log=True), 'scale="log"'),
    "Categorical(choices=)": (lambda: hpo.Categorical(choices=["a"]), "values="),
    "tune(n_trials=)": (lambda: hpo.tune(loss, SPACE, n_trials=3), "trials="),
    "tune(num_samples=)": (lambda: hpo.tune(loss, SPACE, num_samples=3), "trials="),
    "tune(n_jobs=)": (lambda: hpo.tune(loss, SPACE, n_jobs=3), "parallel="),
    "tune(max_concurrent=)": (lambda: hpo.tune(loss, SPACE, max_concurrent=3), "parallel="),
    "tune(objective=)": (lambda: hpo.tune(objective=loss, space=SPACE), "the first argument"),
    "tune(mode=)": (lambda: hpo.tune(loss, SPACE, mode="min"), 'direction="minimize"'),
    "tune(timeout=)": (lambda: hpo.tune(loss, SPACE, timeout=3), "seconds="),
    "tune(sampler=)": (lambda: hpo.tune(loss, SPACE, sampler=hpo.Random()), "strategy="),
    "Study(storage=)": (lambda: hpo.Study(SPACE, hpo.Random(), storage="a"), "path="),
    "study.tell(trial_id=)": (lambda: study().tell(trial_id=0, value=1.0), "trial=, its id"),
    "run(path=)": (lambda: hpo.run(None, path="a"), "out="),
    "Budget(n_trials=)": (lambda: hpo.Budget(n_trials=3), "trials="),
    "Experiment(problem=)": (lambda: hpo.Experiment("e", problem=loss), "problems="),
    "FunctionProblem(n_jobs=)": (lambda: hpo.FunctionProblem(loss, SPACE, n_jobs=2), "workers="),
    "Hyperband(reduction_factor=)": (lambda: hpo.Hyperband(reduction_factor=3), "eta="),
    "Random(seed=)": (lambda: hpo.Random(seed=3), "seed= of tune or Study"),
}


@pytest.mark.parametrize(("call", "ours"), KEYWORDS.values(), ids=KEYWORDS)
def test_a_foreign_keyword_is_answered_with_ours(call, ours, request):
    written = request.node.callspec.id
    with pytest.raises(ArgumentError, match=re.escape(f"{written}: here it is {ours}")) as caught:
        call()
    assert isinstance(caught.value, TypeError)


MISSPELT = {
    "Hyperband(eat=)": (lambda: hpo.Hyperband(eat=3), "did you mean eta=?"),
    "Bayesian(initail=)": (lambda: hpo.Bayesian(initail=3), "did you mean initial=?"),
    "Budget(trails=)": (lambda: hpo.Budget(trails=3), "did you mean trials=?"),
    "Grid(zzz=)": (lambda: hpo.Grid(zzz=3), "nor one that sounds like it"),
}


@pytest.mark.parametrize(("call", "ours"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_keyword_is_answered_with_the_nearest(call, ours, request):
    written = request.node.callspec.id
    with pytest.raises(ArgumentError, match=re.escape(f"{written}: no such option, {ours}")):
        call()


def test_each_wrong_keyword_has_a_line_and_the_signature():
    with pytest.raises(ArgumentError) as caught:
        hpo.Integer(1, 9, log=True, quantum=2)
    expected = "expected Integer(low, high, scale='linear', step=1)"
    assert [line.split("; ")[1] for line in str(caught.value).splitlines()] == [expected] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (hpo.Float, r"^Float: missing a required argument: 'low'; expected Float\(low, high, sca"),
        (lambda: hpo.Float(0, 1, "log", None, 3), "^Float: too many positional arguments; exp"),
        (hpo.problem, "^problem: missing a required argument: 'name'; expected problem"),
        (lambda: hpo.tune(loss), "^tune: missing a required argument: 'space'; expected tune"),
    ],
)
def test_missing_and_surplus_arguments_are_answered(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_a_type_error_from_within_is_left_alone():
    class Stubborn:
        def ask(self, runs, slots):
            raise TypeError("mine")

    with pytest.raises(hpo.errors.StrategyError, match=r"ask raised TypeError: mine "):
        hpo.Study(SPACE, Stubborn())


NAMES = {
    "Choice": "Categorical(values)",
    "Uniform": "Float(low, high)",
    "loguniform": 'scale="log"',
    "suggest_float": "Float(low, high)",
    "randint": "Integer(low, high)",
    "create_study": "Study(space, path=...)",
    "fmin": "tune(function, space)",
    "TPESampler": "Bayesian(), with a Gaussian process; there are no Parzen",
    "GPSampler": "Bayesian()",
}


@pytest.mark.parametrize(("name", "ours"), NAMES.items(), ids=NAMES)
def test_a_foreign_name_is_answered_with_ours(name, ours):
    with pytest.raises(UnknownNameError, match=re.escape(f"no '{name}': here it is {ours}")):
        getattr(hpo, name)


def test_other_unknown_names_are_answered_with_the_nearest_or_all():
    with pytest.raises(AttributeError, match=r"no 'Hyperbnad': did you mean Hyperband?"):
        getattr(hpo, "Hyperbnad")  # noqa: B009
    with pytest.raises(AttributeError, match=r"no 'q': it has ASHA, Ask, .*, tune$"):
        getattr(hpo, "q")  # noqa: B009
    assert not hasattr(hpo, "__nothing__")


STUDY = {
    "optimize": "ask() and tell(id, value), or tune(function, space)",
    "best_params": "study.best.config",
    "best_value": "study.best.value",
    "best_trial": "study.best",
}
TRIAL = {"params": "trial.config", "number": "trial.id", "suggest_float": "a SearchSpace, given"}


@pytest.mark.parametrize(("name", "ours"), STUDY.items(), ids=STUDY)
def test_a_study_answers_with_ours(name, ours):
    with pytest.raises(UnknownNameError, match=re.escape(f"'{name}': here it is {ours}")):
        getattr(study(), name)


@pytest.mark.parametrize(("name", "ours"), TRIAL.items(), ids=TRIAL)
def test_a_trial_answers_with_ours(name, ours):
    (trial,) = study().ask()
    with pytest.raises(UnknownNameError, match=re.escape(f"'{name}': here it is {ours}")):
        getattr(trial, name)
    with pytest.raises(UnknownNameError, match=r"no 'confg': did you mean config?"):
        getattr(trial, "confg")  # noqa: B009


def test_a_property_that_fails_says_why_and_is_not_unknown(monkeypatch):
    def broken(self):
        raise AttributeError("deep inside")

    own = study()
    monkeypatch.setattr(hpo.Study, "best", property(broken))
    with pytest.raises(AttributeError, match=r"^deep inside$"):
        own.best  # noqa: B018


def test_a_function_that_asks_its_config_as_a_trial_is_told():
    def objective(trial):
        return trial.suggest_float("x", 0, 1)

    problem = hpo.FunctionProblem(objective, SPACE)
    ending = problem.call(Segment(0, 0, {"x": 0.5}, 1, Stream(0)), lambda report: True)
    assert ending.reason.endswith(
        'here it is config["x"]: a config is a dict, and its SearchSpace says what x may be'
    )


KINDS = [
    kind
    for name in hpo.__all__
    if isinstance(kind := getattr(hpo, name), type) and hasattr(kind, "ask")
    if kind not in (hpo.Study, hpo.Strategy)
]
SPARING = [kind for kind in KINDS if hasattr(kind, "with_one_epoch")]


@pytest.mark.parametrize("kind", SPARING)
def test_a_strategy_that_spares_epochs_is_refused_where_there_is_one(kind):
    needs_inner = kind in (hpo.MedianStopping, hpo.CurveStopping)
    strategy = kind(hpo.Random()) if needs_inner else kind()
    words = f"{kind.__name__} decides by what trials report after each epoch, and max_epochs=1"
    with pytest.raises(StrategyError, match=f"^tune: {words}"):
        hpo.tune(loss, SPACE, strategy=strategy, trials=2)
    with pytest.raises(StudyError, match=f"^Study: strategy does not suit: {words}"):
        hpo.Study(SPACE, strategy)
    assert not hpo.Study(SPACE, strategy, max_epochs=9).is_finished


def test_every_strategy_that_stops_before_the_last_epoch_says_what_it_has_in_one():
    run = hpo.Run(SPACE, max_epochs=27)
    assert len(SPARING) == 9
    for kind in KINDS:
        if kind not in SPARING:
            made = {hpo.Grid: {"points": 2}, hpo.Completion: {"inner": hpo.Random(), "target": 0}}
            strategy = kind(**made.get(kind, {}))
            (ask,) = strategy.ask([run], [3])
            assert {proposal.until for proposal in ask.proposals} == {27}, kind


def test_signatures_pickles_and_copies_are_as_without():
    assert list(inspect.signature(hpo.Hyperband).parameters) == ["eta", "rounding", "inner"]
    assert list(inspect.signature(hpo.tune).parameters)[:3] == ["function", "space", "strategy"]
    (trial,) = study().ask()
    for thing in (trial, hpo.Hyperband(), SPACE, hpo.Budget(trials=1)):
        assert pickle.loads(pickle.dumps(thing)) == copy.deepcopy(thing) == thing


def test_every_hint_of_a_keyword_names_a_door_that_lacks_it():
    for door, table in habits._KEYWORDS.items():
        if not door.startswith("study."):
            legal = inspect.signature(getattr(hpo, door)).parameters
            assert not set(table) & set(legal), door


def test_no_name_in_the_table_is_one_of_ours():
    assert not set(habits._NAMES) & set(hpo.__all__)
    for table, kind in (
        (habits._STUDY, hpo.Study),
        (habits._TRIAL, hpo.Trial),
        (habits._RESULT, hpo.Result),
    ):
        assert not set(table) & set(dir(kind))


def test_the_version_is_that_of_the_package():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", hpo.__version__)
