"""Habits from other tuners: what they call a thing, and what it is called here.

The public functions and classes answer a wrong call in these words: an unknown keyword, name or
attribute is looked up in the tables below, then compared with what there is. A right call costs
nothing, and signatures stay what they are for editors and type checkers.
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module, util
from typing import Any, ParamSpec, TypeVar

from hpo_research.errors import ArgumentError, UnknownNameError

P = ParamSpec("P")
R = TypeVar("R")
Door = TypeVar("Door")

Table = Mapping[str, str]


def _table(rows: Mapping[str, str]) -> Table:
    """Return a table with a row a word, of rows whose words are separated by spaces."""
    return {word: ours for words, ours in rows.items() for word in words.split()}


_LOG = 'scale="log", as in Float(1e-5, 1e-1, scale="log")'
_NUMBER = _table(
    {
        "log log_scale log_uniform prior distribution sampling dist base": _LOG,
        "q quantization quant granularity resolution": "step=",
        "min minimum lower lb lower_bound start a": "low=",
        "max maximum upper ub upper_bound stop end b": "high=",
        "bounds range values": "low= and high=",
        "name": "SearchSpace(name=...): a space names its hyperparameters",
        "default default_value init initial": "study.enqueue(config), which tries it first",
    }
)
_INTEGER = {
    word: ours.replace("Float(1e-5, 1e-1,", "Integer(16, 256,") for word, ours in _NUMBER.items()
}
_TRIALS = (
    "n_trials num_trials max_trials n_calls n_iter max_evals evals iterations num_samples "
    "evaluations max_iter n_evaluations budget"
)
_PARALLEL = (
    "n_jobs num_workers n_workers workers max_concurrent max_concurrent_trials max_workers "
    "concurrency batch_size"
)
_FUNCTION = "func fn objective objective_function target trainable train"
_MODE = "mode maximize minimize goal directions"
_FOLDER = "storage out study_name directory folder save_path local_dir load_if_exists"
_PLACE = "path folder directory storage save_path local_dir"
_RUN = {
    "config params param_space search_space dimensions bounds distributions domain parameters "
    "hyperparameters": "space=",
    "sampler algo algorithm search_alg method optimizer searcher scheduler pruner": "strategy=",
    "random_state rng rng_seed random_seed seeds rstate": "seed=",
    _MODE: 'direction="minimize" or "maximize"',
    _FOLDER: "path=",
    "epochs n_epochs max_t max_resource max_budget max_iters R": "max_epochs=",
    "warm_start warm_start_config previous previous_trials x0 y0 history": "prior=",
}
_RUNG = _table(
    {
        "reduction_factor factor halving_rate": "eta=",
        "max_epochs max_resource max_t max_budget R max_iter": "max_epochs= of the problem, "
        "of tune or of Study",
        "min_resource min_budget grace_period min_t r": "min_epochs=, where the strategy has it",
        "searcher sampler": "inner=",
        "metric mode": "metric= and direction= of the problem",
        "seed random_state rng": "seed= of tune or Study, or seeds= of an Experiment",
    }
)
_SEEDED = _table({"seed random_state rng": "seed= of tune or Study, or seeds= of an Experiment"})
_KEYWORDS: Mapping[str, Table] = {
    "Float": _NUMBER,
    "Integer": _INTEGER,
    "Categorical": _table(
        {
            "choices categories options items list sequence": "values=",
            "is_ordered ordinal": "ordered=",
            "default default_value": "study.enqueue(config), which tries it first",
        }
    ),
    "tune": _table(
        {
            **_RUN,
            _TRIALS: "trials=",
            _PARALLEL: "parallel=",
            f"{_FUNCTION} f": "the first argument, function",
            "timeout time_budget_s max_time time_limit time_budget": "seconds=, for all trials; "
            "for a single one an Experiment, of FunctionProblem(f, space, timeout=...)",
            "memory": "an Experiment, of FunctionProblem(f, space, memory=...)",
            "metrics": "metric=",
            "early_stopping early_stop patience stop stopper": "strategy=Completion(Bayesian(), "
            "not_improving=...)",
            "points_to_evaluate initial_params enqueue_trial": "enqueue=",
            "callbacks callback show_progress_bar verbose": "progress=",
        }
    ),
    "Study": _table(
        {
            **_RUN,
            f"{_TRIALS} trials": "your own loop: ask() as often as you want",
            f"{_PARALLEL} parallel": "ask(n), for n trials at once",
            f"{_FUNCTION} f function": "tune(function, space): a study is told by your own loop",
            "metrics": "metric=: a study has one value a trial",
        }
    ),
    "FunctionProblem": _table(
        {
            f"{_FUNCTION} function": "f=",
            _MODE: 'direction="minimize" or "maximize"',
            "config params param_space search_space dimensions bounds": "space=",
            "n_jobs num_workers n_workers parallel": "workers=",
            "epochs n_epochs max_t max_resource max_budget R": "max_epochs=",
            f"{_TRIALS} trials seed": "Budget(trials=...) and seeds= of the Experiment",
            "time_limit max_time trial_timeout": "timeout=",
        }
    ),
    "run": _table(
        {
            _PLACE: "out=",
            f"{_TRIALS} trials seconds timeout": "budget= of the Experiment",
            f"{_PARALLEL} parallel": "parallel= of the Experiment",
            "seed seeds strategy": "seeds= and strategies= of the Experiment",
            "callbacks callback show_progress_bar verbose": "progress=",
            "gpu cuda": "device=",
        }
    ),
    "Budget": _table(
        {
            "n_trials num_trials num_samples max_trials": "trials=",
            "n_calls max_evals evals n_iter": "evaluations=",
            "timeout time time_budget_s wall_clock": "seconds=",
            "max_epochs": "epochs=",
        }
    ),
    "Experiment": _table(
        {
            "problem function objective": "problems=",
            "strategy sampler algorithms optimizers": "strategies=",
            "seed n_seeds replications repeats": "seeds=, a list or a range",
            "trials n_trials evaluations epochs timeout": "budget=hpo.Budget(trials=...)",
            "n_jobs workers": "parallel=",
            "direction mode metric": "direction= and metric= of the problem",
            "max_epochs": "max_epochs= of the problem",
            "path out folder": "hpo.run(experiment, out=)",
        }
    ),
    **dict.fromkeys(
        ("Hyperband", "SuccessiveHalving", "ASHA", "AsynchronousHyperband", "EarlyDiscarding"),
        _RUNG,
    ),
    "Bayesian": {
        **_SEEDED,
        **_table(
            {
                "n_initial_points n_startup_trials n_initial num_init init_points": "initial=",
                "acq_func acquisition_function acq": "acquisition=",
                "surrogate base_estimator gp": "model=",
            }
        ),
    },
    "Random": _SEEDED,
    "study.ask": _table({"count size num batch_size n_trials q": "n="}),
    "study.tell": _table({"trial_id id config": "trial=, its id", "values loss score": "value="}),
    "study.report": _table({"trial_id id": "trial=, its id", "step": "epoch=", "loss": "value="}),
    "study.enqueue": _table({"params parameters": "config="}),
    "study.add": _table({"params parameters": "config=", "values loss score": "value="}),
    "Grid": _table({"grid param_grid search_space resolution n": "points="}),
}
_FLOAT = "Float(low, high), with scale= and step="
_NAMES = _table(
    {
        "Uniform uniform UniformFloat FloatParameter RealParameter Real Double suggest_float "
        "FloatDistribution QUniform quniform UniformFloatHyperparameter suggest_uniform": _FLOAT,
        "LogUniform loguniform log_uniform qloguniform suggest_loguniform lograndint": _LOG,
        "Int Integers randint UniformInteger IntParameter suggest_int IntDistribution "
        "UniformIntegerHyperparameter IntegerParameter": "Integer(low, high)",
        "Choice choice Discrete Category CategoricalParameter CategoricalDistribution Enum "
        "CategoricalHyperparameter suggest_categorical Ordinal": "Categorical(values)",
        "Constant": "a value in your function: a space holds what varies",
        "Space ConfigSpace ConfigurationSpace Configuration ParameterSpace": "SearchSpace",
        "create_study load_study Client AxClient Optimizer": "Study(space, path=...)",
        "optimize minimize maximize fmin gp_minimize forest_minimize Tuner fit "
        "BlackBoxFacade HyperparameterOptimizationFacade MultiFidelityFacade Scenario": "tune("
        "function, space)",
        "hp": "Float, Integer and Categorical, in a SearchSpace",
        "TrialPruned": "return, where report(...) gives False",
        "visualization plot_optimization_history plot_param_importances": "figures: "
        "figures.draw(result, folder), or hpo report FOLDER",
        "suggest": "the strategy: Bayesian(), Random(), ...",
        "Trials": "Study, or Result.read(folder)",
        "samplers pruners RandomSampler RandomSearch": "Random()",
        "GridSampler GridSearch": "Grid(points=...)",
        "GP BO BayesianOptimization GPSampler BayesOpt": "Bayesian()",
        "TPE TPESampler SMAC": "Bayesian(), with a Gaussian process; there are no Parzen "
        "estimators or random forests",
        "HyperBand HyperbandPruner HyperBandScheduler BOHB": "Hyperband()",
        "SuccessiveHalvingPruner ASHAScheduler AsyncHyperBandScheduler": "ASHA()",
        "MedianPruner MedianStoppingRule": "MedianStopping(inner)",
        "Objective Function Trainable": "FunctionProblem(f, space)",
        "Terminator TerminatorCallback MaximumIterationStopper TrialPlateauStopper "
        "ExperimentPlateauStopper": "Completion(inner, target=..., not_improving=...)",
    }
)
_STUDY = _table(
    {
        "optimize run minimize maximize": "ask() and tell(id, value), or tune(function, space)",
        "best_params best_config best_parameters": "study.best.config",
        "best_value best_loss best_score": "study.best.value",
        "best_trial best_result": "study.best",
        "best_index": "study.best.id",
        "enqueue_trial suggest_next": "study.enqueue(config)",
        "add_trial attach_trial add_trials import_trials": "study.add(config, value)",
        "get_trials history results": "study.trials",
        "trials_dataframe dataframe to_frame get_dataframe": "study.frame()",
        "suggest get_next_trial": "study.ask(n)",
        "observe complete_trial register": "study.tell(id, value)",
    }
)
_RESULT = _table(
    {
        "best_params best_config best_parameters": "result.best().config",
        "best_value best_loss best_score fun": "result.best().value",
        "best_trial best_result get_best_result get_best_trial": "result.best()",
        "x": "result.best().config",
        "x_iters func_vals trials cv_results_": "result.frame(), a row a trial",
        "get_dataframe dataframe trials_dataframe to_frame results": "result.frame()",
        "plot plots": "figures.draw(result, folder), or hpo report FOLDER",
    }
)
_TRIAL = _table(
    {
        "params parameters": "trial.config",
        "number trial_id": "trial.id",
        "state": "trial.status",
        "loss score objective values_": "trial.value",
        "intermediate_values": "trial.values, at trial.epochs",
        "report": "study.report(trial.id, epoch, value)",
        "should_prune": "what study.report(...) returns: whether to continue",
        "set_user_attr user_attrs": "a dict of your own, by trial.id",
        "duration": "trial.seconds",
        "suggest_float suggest_int suggest_categorical suggest_uniform suggest_loguniform": "a "
        "SearchSpace, given to the study; the values are in trial.config",
    }
)
_ATTRIBUTES: Mapping[str, Table] = {"Study": _STUDY, "Trial": _TRIAL, "Result": _RESULT}
_CONFIG = 'config["x"]: a config is a dict, and its SearchSpace says what x may be'


def answering(door: type[Door]) -> type[Door]:
    """Let a class answer wrong arguments, and attributes that it lacks, in words of ours.

    A decorator, above all others of the class.
    """
    setattr(door, "__init__", function(door.__init__, door.__name__))  # noqa: B010
    if door.__name__ in _ATTRIBUTES:
        attributes(door)
        for name, method in list(vars(door).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(door, name, function(method, f"{door.__name__.lower()}.{name}"))
    return door


def attributes(door: type[Door]) -> type[Door]:
    """Let the objects of a class answer for attributes that they lack in words of ours.

    A decorator. Set by its name, `__getattr__` is unknown to type checkers, which would let pass
    any attribute.
    """

    def lacking(self: object, name: str) -> object:
        if name in dir(type(self)):  # a property that raised: let it say again what
            return object.__getattribute__(self, name)
        if name.startswith("_"):
            raise UnknownNameError(f"a {door.__name__} has no attribute {name}")
        hint = _ATTRIBUTES[door.__name__].get(name)
        fields = getattr(type(self), "__dataclass_fields__", {})
        public = [known for known in {*dir(type(self)), *fields} if not known.startswith("_")]
        ours = f"here it is {hint}" if hint else _nearest(name, public)
        raise UnknownNameError(f"a {door.__name__} has no {name!r}: {ours}")

    setattr(door, "__getattr__", lacking)  # noqa: B010
    return door


def function(door: Callable[P, R], name: str = "") -> Callable[P, R]:
    """Let a function answer wrong arguments in words of ours."""

    @functools.wraps(door)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return door(*args, **kwargs)
        except TypeError:
            if mistake := _mistake(door, name or door.__name__, args, kwargs):
                raise ArgumentError(mistake) from None
            raise  # of something that the arguments were given to

    return called


def named(load: Callable[[str], object], known: Sequence[str]) -> Callable[[str], object]:
    """Return the `__getattr__` of the package: `load` brings a name that is known.

    A module of the package is imported when it is first named. Raises `UnknownNameError` for
    anything else.
    """
    package = __name__.partition(".")[0]

    def found(name: str) -> object:
        if name in known:
            return load(name)
        if name.startswith("_"):
            raise UnknownNameError(f"{package} has no attribute {name}")
        if util.find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        hint = _NAMES.get(name)
        ours = f"here it is {hint}" if hint else _nearest(name, known)
        raise UnknownNameError(f"{package} has no {name!r}: {ours}")

    return found


def in_config(error: BaseException, config: object) -> str:
    """Say what an attribute is called that a user's function sought in its config, or nothing."""
    if not isinstance(error, AttributeError) or error.obj != config:
        return ""
    return f"; here it is {_CONFIG}"


def _mistake(
    door: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str:
    """Say what is wrong with the arguments of a call; empty where nothing is."""
    signature = inspect.signature(door)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        legal = [key for key in signature.parameters if key != "self"]
        unknown = [key for key in kwargs if key not in legal]
        shown = f"{name}({', '.join(map(_shown, _written(signature)))})"
        if not unknown:
            return f"{name}: {error}; expected {shown}"
        hints = [_keyword(name, key, legal) for key in unknown]
        return "\n".join(f"{name}({hint}; expected {shown}" for hint in hints)
    return ""


def _keyword(name: str, key: str, legal: Iterable[str]) -> str:
    hint = _KEYWORDS.get(name, {}).get(key)
    return (
        f"{key}=): here it is {hint}" if hint else f"{key}=): no such option, {_near(key, legal)}"
    )


def _written(signature: inspect.Signature) -> list[inspect.Parameter]:
    return [parameter for key, parameter in signature.parameters.items() if key != "self"]


def _shown(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    if parameter.default is parameter.empty:
        return str(parameter.name)
    plain = isinstance(parameter.default, str | int | float | bool | None)
    return f"{parameter.name}={parameter.default!r}" if plain else f"{parameter.name}=..."


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}=?" if close else "nor one that sounds like it"


def _nearest(name: str, known: Iterable[str]) -> str:
    public = sorted(candidate for candidate in known if not candidate.startswith("_"))
    by_letters = {candidate.lower(): candidate for candidate in public}
    close = difflib.get_close_matches(name.lower(), by_letters, n=1)
    if close:
        return f"did you mean {by_letters[close[0]]}?"
    return f"it has {', '.join(public)}"
