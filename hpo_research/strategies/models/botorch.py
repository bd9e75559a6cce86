"""BoTorch's models and acquisition functions as the model of a run, or ours beside one of them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import ClassVar

from botorch.models.model import Model

from hpo_research.gp import TRANSFORMS, condition
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.records import Note, Run
from hpo_research.strategies.models import botorch_adapter as door
from hpo_research.strategies.models import botorch_classes as parts
from hpo_research.strategies.models.gp import GPModel
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition


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
        """Raise `StrategyError` where a run is not one for these parts."""
        parts.refuse(self.model, self.acquisition, run, slots)

    def guarded(self, batch: Batch) -> AbstractContextManager[None]:
        """Lend other people's code a stream, and name the run where it fails."""
        model, acquisition = parts.name_of(self.model), parts.name_of(self.acquisition)
        return door.guarded(f"Bayesian(model={model}, acquisition={acquisition})", batch)

    def fit(self, batch: Batch) -> FittedAcquisition:
        """Fit a model to the batch's one run, and return its acquisition function."""
        notes: dict[str, Note] = {"model": parts.name_of(self.model)}
        if isinstance(self.model, str):
            ours = GPModel(self.model, self.transform)
            fitted = ours.fitted(batch)
            fit, transformed = fitted.fit, fitted.transformed
            training = door.Training.of(self.model, batch, fitted.data)
            model: Model = PosteriorModel(
                condition(fitted.data, fit.kernel, fit.hyperparameters), fitted.data
            )
            lengthscale = fit.hyperparameters.lengthscale
            notes |= ours.notes(fitted)[0]
        else:
            transformed = TRANSFORMS[self.transform](batch.data.y, batch.data.mask)
            data = replace(batch.data, y=transformed.y)
            training = door.Training.of(self.model, batch, data)
            model = door.fitted(self.model, training)
            lengthscale_of = training.columns.lengthscale_of
            lengthscale = (
                door.lengthscales(model, lengthscale_of).nan_to_num(nan=1.0)[None].to(data.x)
            )
            notes |= door.notes(model, lengthscale_of)
        factory = self.acquisition
        if isinstance(factory, str):
            factory = parts.counterpart(factory, self.beta)
        notes["function"] = parts.name_of(factory)
        is_named = isinstance(self.acquisition, str)
        valued = door.AcquisitionFactory(factory, model, training, self.samples, is_named=is_named)
        surface = door.BoTorchAcquisition.of(valued, batch.pending.x[0])
        return FittedAcquisition(surface, lengthscale, [notes], transformed)
