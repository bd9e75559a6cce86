"""Classes of BoTorch as parts of a strategy: what they are called, what they need, what is refused."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import botorch.acquisition
import torch
from botorch.acquisition import (
    AcquisitionFunction,
    AnalyticAcquisitionFunction,
    OneShotAcquisitionFunction,
    qExpectedImprovement,
    qLogExpectedImprovement,
    qUpperConfidenceBound,
)
from botorch.models.fully_bayesian import AbstractFullyBayesianSingleTaskGP
from botorch.models.fully_bayesian_multitask import SaasFullyBayesianMultiTaskGP
from botorch.models.model import Model

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.records import Run
from hpo_research.strategies.encoding import Encoding

Factory = Callable[..., Any]
"""A class of BoTorch, a `functools.partial` of one, or a function that makes one's objects."""

SUPPLIED = ("model", "best_f", "X_baseline", "X_observed", "X_pending", "sampler")
NUTS = (AbstractFullyBayesianSingleTaskGP, SaasFullyBayesianMultiTaskGP)
SAAS = "fully Bayesian models need NumPyro: pip install 'hpo_research[saas]'"


def counterpart(acquisition: str, beta: float) -> Factory:
    """Return BoTorch's class for an acquisition function of ours."""
    classes: Mapping[str, Factory] = {
        "qlogei": qLogExpectedImprovement,
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
    return set(part.keywords) if isinstance(part, partial) else set()


def parameters(factory: Factory) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except ValueError:  # compiled functions tell nobody
        return {}


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic


def model_mistakes(model: object) -> list[str]:
    """Say what is wrong with something that is to make models."""
    if isinstance(model, torch.nn.Module):
        return [f"got an object of {name_of(type(model))}; give its class: it is made at each ask"]
    target = _unbound(model)
    if not callable(target) or (isinstance(target, type) and not issubclass(target, Model)):
        return [f"{model!r} makes no BoTorch model"]
    takes_dims = takes_dims(target)
    supplied = (*list(parameters(target))[:2], *(["cat_dims"] if takes_dims else []))
    return _unsupplied(model, target, supplied)


def acquisition_mistakes(acquisition: object) -> list[str]:
    """Say what is wrong with something that is to make acquisition functions."""
    if isinstance(acquisition, torch.nn.Module):
        name = name_of(type(acquisition))
        return [f"got an object of {name}; give its class: it is made at each ask"]
    target = _unbound(acquisition)
    is_class = isinstance(target, type)
    if not callable(target) or (is_class and not issubclass(target, AcquisitionFunction)):
        return [f"{acquisition!r} makes no BoTorch acquisition function"]
    if is_class and issubclass(target, OneShotAcquisitionFunction):
        return [
            f"{name_of(target)} is maximised over its fantasies as well, which is not supported; "
            "use an acquisition function of the points alone, as qLogNoisyExpectedImprovement"
        ]
    return _unsupplied(acquisition, target, SUPPLIED)


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
    if isinstance(target, type) and issubclass(target, AnalyticAcquisitionFunction):
        refuse_batches(target, slots + len(run.running))
    made = _unbound(model)
    if isinstance(made, type) and issubclass(made, NUTS) and find_spec("numpyro") is None:
        raise MissingPackageError(f"{name_of(made)}: {SAAS}")
    if callable(model) and takes_dims(model):
        needed = _is_required(parameters(model)["cat_dims"])
        if needed and not unordered(Encoding(run.space)):
            raise StrategyError(
                f"{name_of(model)}: it needs unordered categories (cat_dims) and the space has "
                "none; use SingleTaskGP"
            )


def refuse_batches(acquisition: type, points: int) -> None:
    if points <= 1:
        return
    name = acquisition.__name__
    several = f"q{name}" if hasattr(botorch.acquisition, f"q{name}") else "qLogExpectedImprovement"
    raise StrategyError(
        f"{name} values one point alone, and {points} trials would be under way at once; "
        f"use {several}, or run with parallel=1"
    )


def takes_dims(model: Any) -> bool:
    return "cat_dims" in parameters(model) and "cat_dims" not in bound(model)


def unordered(encoding: Encoding) -> list[int]:
    return [i for i, (kind, _) in enumerate(encoding.signature) if kind == "unordered"]
