"""Classes of BoTorch as parts of a strategy: their names, what they need, what is refused."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import botorch.acquisition
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.active_learning import qNegIntegratedPosteriorVariance
from botorch.acquisition.analytic import AnalyticAcquisitionFunction
from botorch.acquisition.knowledge_gradient import ProjectedAcquisitionFunction, qKnowledgeGradient
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.max_value_entropy_search import qMaxValueEntropy
from botorch.acquisition.monte_carlo import qExpectedImprovement, qUpperConfidenceBound
from botorch.acquisition.proximal import ProximalAcquisitionFunction
from botorch.models.model import Model

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.records import Run
from hpo_research.strategies.models.botorch_refusals import (
    SAMPLED,
    acquisition_refusal,
    model_refusal,
    pair_refusal,
)
from hpo_research.strategies.models.encoding import Encoding

Factory = Callable[..., Any]
"""A class of BoTorch, a `functools.partial` of one, or a function that makes one's objects."""

# That condition on points by fantasies: all that are asked, or those that are pending.
FROM_FANTASIES = (qKnowledgeGradient, qNegIntegratedPosteriorVariance)
FROM_PENDING_FANTASIES = (qMaxValueEntropy,)
# That value one point, whatever is pending.
OF_ONE_POINT = (
    AnalyticAcquisitionFunction,
    ProjectedAcquisitionFunction,
    ProximalAcquisitionFunction,
)
# What an acquisition function is given by name.
SUPPLIED = (
    *("model", "best_f", "X_baseline", "X_observed", "X_pending", "sampler"),
    *("mc_points", "candidate_set", "optimal_inputs", "optimal_outputs"),
)
# Whose fantasies are all alike, and that read one.
FROM_ONE_SAMPLE = (qNegIntegratedPosteriorVariance,)
SAAS = "fully Bayesian models need NumPyro: pip install 'hpo_research[saas]'"


def counterpart(acquisition: str, beta: float) -> Factory:
    """Return BoTorch's class for an acquisition function of ours."""
    classes: Mapping[str, Factory] = {
        "qlogei": qLogExpectedImprovement,
        "qlognei": qLogNoisyExpectedImprovement,
        "qei": qExpectedImprovement,
        "ucb": partial(qUpperConfidenceBound, beta=beta),
    }
    return classes[acquisition]


def name_of(part: object) -> str:
    """Return the name of a model or an acquisition function, without what is bound to it."""
    part = part if isinstance(part, str) else _unbound(part)
    return part if isinstance(part, str) else getattr(part, "__name__", type(part).__name__)


def _unbound(part: object) -> object:
    while isinstance(part, partial):
        part = part.func
    return part


def bound(part: object) -> set[str]:
    """Return the names of the arguments that the user has bound."""
    return set(part.keywords) if isinstance(part, partial) else set()


def parameters(factory: Factory) -> Mapping[str, inspect.Parameter]:
    """Return what a factory takes, by name; nothing for a compiled function, which tells nobody."""
    try:
        return inspect.signature(factory).parameters
    except ValueError:
        return {}


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic


def makes(factory: object, classes: tuple[type, ...]) -> bool:
    """Return whether a factory is one of these classes, or a partial of one."""
    target = _unbound(factory)
    return isinstance(target, type) and issubclass(target, classes)


def model_mistakes(model: object) -> list[str]:
    """Say what is wrong with something that is to make models."""
    if isinstance(model, torch.nn.Module):
        return [f"got an object of {name_of(type(model))}; give its class: it is made at each ask"]
    target = _unbound(model)
    if not callable(target) or (isinstance(target, type) and not issubclass(target, Model)):
        return [f"{model!r} makes no BoTorch model"]
    if isinstance(target, type) and (refusal := model_refusal(target, bound(model))):
        return [refusal]
    return _unsupplied(model, target, (*list(parameters(target))[:2], "cat_dims"))


def acquisition_mistakes(acquisition: object) -> list[str]:
    """Say what is wrong with something that is to make acquisition functions."""
    if isinstance(acquisition, torch.nn.Module):
        name = name_of(type(acquisition))
        return [f"got an object of {name}; give its class: it is made at each ask"]
    target = _unbound(acquisition)
    made = target if isinstance(target, type) else AcquisitionFunction
    if not callable(target) or not issubclass(made, AcquisitionFunction):
        return [f"{acquisition!r} makes no BoTorch acquisition function"]
    if isinstance(target, type) and (refusal := acquisition_refusal(target, bound(acquisition))):
        return [refusal]
    return _unsupplied(acquisition, target, SUPPLIED)


def pair_mistakes(acquisition: object, model: object) -> list[str]:
    """Say why an acquisition function is none for a model, both being right by themselves."""
    target, made = _unbound(acquisition), _unbound(model)
    if not isinstance(target, type) or acquisition_mistakes(acquisition):
        return []
    refusal = pair_refusal(target, made)
    return [refusal] if refusal else []


def _unsupplied(part: Any, target: Any, supplied: Sequence[str]) -> list[str]:
    missing = [
        name
        for name, parameter in parameters(part).items()
        if name not in supplied and _is_required(parameter)
    ]
    bound = ", ".join(f"{name}=..." for name in missing)
    call = f"functools.partial({name_of(target)}, {bound})"
    return [f"{name_of(target)} also needs {', '.join(missing)}; bind it: {call}"] * bool(missing)


def refuse(model: object, acquisition: object, run: Run, slots: int) -> None:
    """Raise `StrategyError` where a run is not one for these parts, before it has any trial.

    `MissingPackageError` where the model cannot be fitted here.
    """
    target = _unbound(acquisition)
    if isinstance(target, type) and issubclass(target, OF_ONE_POINT):
        refuse_batches(target, slots + len(run.running))
    made = _unbound(model)
    if isinstance(made, type) and issubclass(made, SAMPLED) and find_spec("numpyro") is None:
        raise MissingPackageError(f"{name_of(made)}: {SAAS}")
    if callable(model) and takes_dims(model):
        needed = _is_required(parameters(model)["cat_dims"])
        if needed and not unordered(Encoding(run.space)):
            raise StrategyError(
                f"{name_of(model)}: it needs unordered categories (cat_dims) and the space has "
                "none; use SingleTaskGP"
            )


def refuse_batches(acquisition: type, points: int) -> None:
    """Raise `StrategyError` for several points of a function that values one alone."""
    if points <= 1:
        return
    name = acquisition.__name__
    own = name.removeprefix("Log").removeprefix("qAnalytic")
    there = [n for n in (f"q{name}", f"q{own}") if hasattr(botorch.acquisition, n)]
    several = [*there, "qLogExpectedImprovement"][0]
    raise StrategyError(
        f"{name} evaluates a single point, and {points} trials would run in parallel; "
        f"use {several}, or run with parallel=1"
    )


def takes_dims(model: Any) -> bool:
    """Return whether a model is to be told which columns are categories."""
    return "cat_dims" in parameters(model) and "cat_dims" not in bound(model)


def unordered(encoding: Encoding) -> list[int]:
    """Return the numbers of the hyperparameters that are unordered choices."""
    return [i for i, (kind, _) in enumerate(encoding.signature) if kind == "unordered"]
