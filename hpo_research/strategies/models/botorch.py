"""BoTorch's models and acquisition functions as the model of a run, or ours beside one of them."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from botorch.models.model import Model
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import AcquisitionFunction
from hpo_research.device import current
from hpo_research.gp import condition
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.records import Note, Run, Start, Trial
from hpo_research.space import SearchSpace
from hpo_research.strategies.models import botorch_adapter as door
from hpo_research.strategies.models import botorch_classes as parts
from hpo_research.strategies.models import botorch_models as models
from hpo_research.strategies.models.botorch_places import Places
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.gp import GPModel
from hpo_research.strategies.models.initial_design import begun, places_of, trials_of
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition, batch, targets
from hpo_research.strategies.models.observations import Observations

_Settle = Callable[[parts.Factory, models.Training], Model]


@dataclass(frozen=True)
class BoTorchModel:
    """A `RunModel` of which the model or the acquisition function, or both, are BoTorch's.

    The fields are those of `Bayesian`. A name of ours beside a part of BoTorch is our model,
    dressed as one of BoTorch, or the class of BoTorch that our acquisition function stands for.
    """

    model: str | parts.Factory
    acquisition: str | parts.Factory
    transform: str
    samples: int
    beta: float
    takes_one_run: ClassVar[bool] = True

    def refuse(self, run: Run, slots: int) -> None:
        """Raise `StrategyError` where a run is not one for these parts, before its first trial."""
        parts.refuse(self.model, self.acquisition, run, slots)
        if run.trials:
            return
        case = _Rehearsal(self, Encoding(run.space).key, slots > 1, run.space)
        if _is_hashable(case):
            _rehearsed(case)
        else:
            case.run()

    def guarded(self, batch: Batch) -> AbstractContextManager[None]:
        """Lend other people's code a stream, and name the run where it fails."""
        return door.guarded(self._name, batch)

    def fit(self, batch: Batch) -> FittedAcquisition:
        """Fit a model to the batch's one run, and return its acquisition function."""
        return self._acquired(batch, models.fitted)

    def _acquired(self, batch: Batch, settled: _Settle) -> FittedAcquisition:
        notes: dict[str, Note] = {"model": parts.name_of(self.model)}
        if isinstance(self.model, str):
            ours = GPModel(self.model, self.transform)
            fitted = ours.fitted(batch)
            fit, transformed = fitted.fit, fitted.transformed
            training = models.Training.of(self.model, batch, fitted.data)
            model: Model = PosteriorModel(
                condition(fitted.data, fit.kernel, fit.hyperparameters), fitted.data
            )
            lengthscale = fit.hyperparameters.lengthscale
            notes |= ours.notes(fitted)[0]
        else:
            transformed = targets(self.transform, batch)
            data = replace(batch.data, y=transformed.y)
            training = models.Training.of(self.model, batch, data)
            model = settled(self.model, training)
            lengthscale_of = training.columns.lengthscale_of
            lengthscale = (
                models.lengthscales(model, lengthscale_of).nan_to_num(nan=1.0)[None].to(data.x)
            )
            notes |= models.notes(model, lengthscale_of)
        factory = self.acquisition
        if isinstance(factory, str):
            factory = parts.counterpart(factory, self.beta)
        notes["function"] = parts.name_of(factory)
        is_named = isinstance(self.acquisition, str)
        places = Places(batch, lengthscale, training)
        valued = door.AcquisitionFactory(factory, model, places, self.samples, is_named=is_named)
        surface = door.BoTorchAcquisition.of(valued, batch.pending.x[0])
        return FittedAcquisition(surface, lengthscale, [notes], transformed)

    def rehearse(self, batch: Batch, *, several: bool) -> None:
        """Make the parts for a batch, the model without a fit, and evaluate them a few times."""
        where = "tried before the first trial, this does not run (docs/botorch.md lists what does)"
        with door.guarded(self._name, batch, where), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an ask says it again
            surface = self._acquired(batch, models.unfitted).surface
            assert isinstance(surface, door.BoTorchAcquisition)
            points = surface.valued.places.of_domain(3)[None]
            _evaluate(surface, points)
            if several:
                _evaluate(surface.pending(points[:, 0]), points)

    @property
    def _name(self) -> str:
        model, acquisition = parts.name_of(self.model), parts.name_of(self.acquisition)
        return f"Bayesian(model={model}, acquisition={acquisition})"


def _evaluate(surface: AcquisitionFunction, points: Float[Tensor, "1 q d"]) -> None:
    surface.value(points)
    surface.value_and_gradient(points)


@dataclass(frozen=True)
class _Rehearsal:
    """Parts that are to be tried once, for spaces that look alike to a model."""

    model: BoTorchModel
    key: tuple[object, ...]
    several: bool
    space: SearchSpace = field(compare=False)

    def run(self) -> None:
        """Try them on an initial design with made-up losses. Raises `StrategyError`."""
        run = Run(self.space)
        design = begun(run, places_of(run, trials_of(None, run)), 1).proposals
        if len(design) < 2:
            return  # a space of one configuration, for which no model is made
        configs = [proposal.config for proposal in design if isinstance(proposal, Start)]
        losses = np.square(self.space.encode(configs) - 0.3).sum(axis=1).tolist()
        trials = tuple(
            Trial(i, config, "finished", 1, (1,), (loss,), loss)
            for i, (config, loss) in enumerate(zip(configs, losses, strict=True))
        )
        run = replace(run, trials=trials)
        known, encoding = Observations.of(run), Encoding(self.space)
        tried = batch([run], [known], [encoding], slots=1, device=current())
        self.model.rehearse(tried, several=self.several)


@lru_cache(maxsize=64)
def _rehearsed(case: _Rehearsal) -> None:
    """Run a rehearsal once in a process: its outcome depends on nothing else."""
    case.run()


def _is_hashable(case: _Rehearsal) -> bool:
    try:
        hash(case)
    except TypeError:  # a user's callable, or what is bound to one
        return False
    return True
