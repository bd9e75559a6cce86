"""scikit-learn's models, cross-validated on scikit-learn's own data: really trained, in a moment.

Folds and models have fixed seeds, so that a configuration has one value. Nothing is downloaded.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, one_of, whole
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import SingleEpoch, one_by_one
from hpo_research.records import Direction, Segment
from hpo_research.space import Categorical, Config, Float, Integer, Parameter, SearchSpace
from hpo_research.text import quoted

DATA: Mapping[str, str] = {
    "digits": "load_digits",
    "cancer": "load_breast_cancer",
    "wine": "load_wine",
    "diabetes": "load_diabetes",
}
"""scikit-learn's data by name: three of classes, and one of numbers (diabetes)."""

_SEED = 0
_TREES: dict[str, Parameter] = {
    "max_depth": Integer(1, 20, scale="log"),
    "min_samples_leaf": Integer(1, 20, scale="log"),
    "max_features": Float(0.1, 1.0),
}
SPACES: Mapping[str, Mapping[str, Parameter]] = {
    "svm": {
        "C": Float(1e-3, 1e2, scale="log"),
        "gamma": Float(1e-5, 1e1, scale="log"),
        "kernel": Categorical(("rbf", "poly", "sigmoid")),
        "degree": Integer(2, 4),
    },
    "forest": {"n_estimators": Integer(5, 50, scale="log"), **_TREES},
    "boosting": {
        "learning_rate": Float(1e-2, 1.0, scale="log"),
        "n_estimators": Integer(5, 20, scale="log"),
        "max_depth": Integer(1, 4),
        "subsample": Float(0.3, 1.0),
        "max_features": Float(0.1, 1.0),
    },
    "mlp": {
        "hidden": Integer(4, 64, scale="log"),
        "learning_rate_init": Float(1e-4, 1e-1, scale="log"),
        "alpha": Float(1e-6, 1e1, scale="log"),
        "batch_size": Categorical((16, 32, 64), ordered=True),
        "activation": Categorical(("relu", "tanh")),
    },
}
"""What is searched, by model."""

_CLASSES: Mapping[str, tuple[str, str, str]] = {
    "svm": ("sklearn.svm", "SVC", "SVR"),
    "forest": ("sklearn.ensemble", "RandomForestClassifier", "RandomForestRegressor"),
    "boosting": ("sklearn.ensemble", "GradientBoostingClassifier", "GradientBoostingRegressor"),
    "mlp": ("sklearn.neural_network", "MLPClassifier", "MLPRegressor"),
}
_EPOCHS, _STEPS = 15, 10_000  # of a perceptron, and of a support-vector machine's solver
_CUT_SHORT = "Solver terminated early|Stochastic Optimizer: Maximum iterations"


@dataclass(frozen=True)
class CrossValidated(SingleEpoch):
    """A model of scikit-learn on one of its data sets: `CrossValidated("svm", "digits")`.

    `model` is one of `SPACES`, `data` one of `DATA`. The metric is `accuracy`, for diabetes `r2`:
    the mean over `folds` parts, each predicted by a model that saw the others, with columns scaled
    to unit variance by what it saw. The optimum is unknown. Numbers are those of the installed
    scikit-learn. Raises `ProblemError`.
    """

    model: str
    data: str
    folds: int = 3
    name: str = ""

    def __post_init__(self) -> None:
        call = f"CrossValidated({quoted(self.model)}, {quoted(self.data)})"
        rules = {"model": one_of(SPACES), "data": one_of(DATA), "folds": whole(2, 10)}
        Mistakes.of(self, rules, call).refuse(ProblemError)
        object.__setattr__(self, "name", name_of(call, self.name, f"{self.model}-{self.data}"))

    @property
    def is_regression(self) -> bool:
        """Whether numbers are predicted, in the place of classes."""
        return self.data == "diabetes"

    @property
    def metric(self) -> str:
        """`accuracy`, or `r2`."""
        return "r2" if self.is_regression else "accuracy"

    @property
    def direction(self) -> Direction:
        """Maximised."""
        return "maximize"

    @property
    def optimum(self) -> float | None:
        """Unknown."""
        return None

    @cached_property
    def space(self) -> SearchSpace:
        """The model's hyperparameters."""
        return SearchSpace(dict(SPACES[self.model]))

    def value(self, config: Config) -> float:
        """Train and predict fold by fold."""
        x, y = _load(self.data)
        scores = []
        for part in _folds(self.data, self.folds):
            seen = np.ones(len(x), dtype=bool)
            seen[part] = False
            mean, sd = x[seen].mean(axis=0), x[seen].std(axis=0)
            z = (x - mean) / np.where(sd > 0, sd, 1.0)
            made = _estimator(self.model, self.is_regression, config)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=_CUT_SHORT)  # that is the model
                made.fit(z[seen], y[seen])
            scores.append(float(made.score(z[part], y[part])))
        return float(np.mean(scores))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train the segments one by one on the CPU."""
        yield from one_by_one(segments, lambda own: {self.metric: self.value(own.config)})


def _estimator(model: str, is_regression: bool, config: Config) -> Any:
    module, classifier, regressor = _CLASSES[model]
    made: Callable[..., Any] = getattr(
        import_module(module), regressor if is_regression else classifier
    )
    options: dict[str, Any] = dict(config)
    if model == "mlp":
        hidden = int(options.pop("hidden"))
        options |= {"hidden_layer_sizes": (hidden,), "max_iter": _EPOCHS}
    if model == "svm":
        options["max_iter"] = _STEPS
    estimator = made(**options)
    # Of all four: SVC and SVR draw a seed from NumPy's global stream, though they need none, and
    # SVR takes none as an argument.
    estimator.random_state = _SEED
    return estimator


@lru_cache(maxsize=8)
def _load(data: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = getattr(import_module("sklearn.datasets"), DATA[data])(return_X_y=True)
    if data == "diabetes":
        y = (y - y.mean()) / y.std()
    return x, y


@lru_cache(maxsize=32)
def _folds(data: str, folds: int) -> tuple[np.ndarray, ...]:
    """Return the rows of each part: shuffled once, classes being spread evenly."""
    x, y = _load(data)
    selection = import_module("sklearn.model_selection")
    name = "KFold" if data == "diabetes" else "StratifiedKFold"
    made = getattr(selection, name)(folds, shuffle=True, random_state=_SEED)
    return tuple(part for _, part in made.split(x, y))
