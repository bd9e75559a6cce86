"""Our Gaussian processes as the model of runs, under acquisition functions of our own."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from hpo_research.acquisition import (
    CRITERIA,
    Criterion,
    GPAcquisition,
    MixtureAcquisition,
    confidence_bound,
)
from hpo_research.gp import (
    KERNELS,
    TRANSFORMS,
    Data,
    Fit,
    Posterior,
    Priors,
    best,
    condition,
    condition_on_samples,
    fits,
)
from hpo_research.gp.quasi_random import normal_set
from hpo_research.records import Note, Run
from hpo_research.strategies.models.inputs import Batch, FittedAcquisition, FittedModels, targets

Notes = dict[str, Note]
MODELS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in KERNELS},
    "by-evidence": tuple(KERNELS),
    "averaged": tuple(KERNELS),
}
"""The kernels that each of our models is chosen among, or averaged over."""
CHANGES: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in TRANSFORMS},
    "by-evidence": ("yeo-johnson", "standardise"),
}
"""The transforms that each choice of one is made among; ranks have no density to compare."""
THOMPSON, NOISY, AVERAGED = "thompson", "qlognei", "averaged"
PRIORS = Priors(noise_location=-10.0, noise_scale=4.0, noise_bounds=(1e-8, 10.0))
"""BoTorch's, but for noise that may be next to none (`benchmarks/DEFAULTS.md` has the evidence)."""


@dataclass(frozen=True)
class GPModel:
    """A `RunModel` of exact Gaussian processes, all runs of a batch at once.

    The fields are those of `Bayesian` that its docstring explains; `kernel` is its `model`.
    """

    kernel: str
    transform: str
    acquisition: str = "qlogei"
    samples: int = 64
    beta: float = 4.0
    takes_one_run: ClassVar[bool] = False

    def refuse(self, run: Run, slots: int) -> None:
        """Suit every run."""

    def guarded(self, batch: Batch) -> AbstractContextManager[None]:
        """Nothing foreign is called."""
        return nullcontext()

    def fit(self, batch: Batch) -> FittedAcquisition:
        """Fit the batch's models, and return their acquisition functions."""
        chosen = self.fitted(batch)
        believed = chosen.members if self.kernel == AVERAGED else chosen
        data, fitted = believed.data, believed.fit
        pending = [] if self.acquisition == THOMPSON else batch.pending.x.unbind(dim=1)
        places = 0 if self.acquisition == THOMPSON else len(pending) + batch.slots
        places += places % 2  # products of odd sizes are padded each time
        posterior, values = self._conditioned(data, fitted, places)
        rivals = batch.rivals.repeat(len(data.x) // len(batch.runs), 1)  # of every kernel
        masked = torch.where(rivals[..., None], values, torch.full_like(values, torch.inf))
        samples = normal_set(self.samples, places).to(data.x)
        member = GPAcquisition(
            posterior,
            self._criterion(),
            masked.amin(dim=1),
            samples.expand(len(data.x), -1, -1),
        )
        surface: GPAcquisition | MixtureAcquisition = member
        if self.kernel == AVERAGED:
            is_log = self.acquisition in ("qlogei", NOISY)
            surface = MixtureAcquisition(member, chosen.log_weight, is_log)
        for point in pending:
            surface = surface.pending(point)
        notes = self.notes(chosen, batch.encodings[0].tasks)
        lengthscale = chosen.fit.hyperparameters.lengthscale
        return FittedAcquisition(surface, lengthscale, notes, chosen.transformed)

    def _conditioned(
        self, data: Data, fitted: Fit, places: int
    ) -> tuple[Posterior, Float[Tensor, "b n m"]]:
        """Return the posterior, and the values of the trials that are to be improved on."""
        hyper = fitted.hyperparameters
        if self.acquisition != NOISY:
            posterior = condition(data, fitted.kernel, hyper, free_rows=places)
            return posterior, data.y[..., None].expand(-1, -1, 2)
        normals = normal_set(self.samples, 2 * data.x.shape[1], "noisy")
        return condition_on_samples(data, fitted.kernel, hyper, normals, free_rows=places)

    def fitted(self, batch: Batch) -> FittedModels:
        """Fit each transform's targets, and return of each run what has most evidence."""
        kernels = [KERNELS[name] for name in MODELS[self.kernel]]
        tried = []
        for name in CHANGES[self.transform]:
            transformed = targets(name, batch)
            data = replace(batch.data, y=transformed.y)
            each = tuple(fits(data, kernels, PRIORS, warm=batch.warm))
            tried.append(FittedModels(data, transformed, best(each), each))
        return reduce(FittedModels.better, tried)

    def notes(self, believed: FittedModels, tasks: int = 0) -> list[Notes]:
        """Return what was fitted to each run of a batch, each number read for all runs at once.

        Of the lengthscales the last are those of so many related tasks.
        """
        fitted, hyper = believed.fit, believed.fit.hyperparameters
        columns: dict[str, list[Note]] = {}
        if self.kernel == AVERAGED:
            columns["weights"] = believed.log_weight.exp().tolist()
        names = MODELS[self.kernel]
        columns["kernel"] = [names[choice] for choice in fitted.choice.tolist()]
        own = hyper.lengthscale.shape[-1] - tasks
        columns["lengthscale"] = hyper.lengthscale[:, :own].tolist()
        if tasks:
            columns["task_lengthscale"] = hyper.lengthscale[:, own:].tolist()
        numbers = {"noise": hyper.noise, "mean": hyper.mean, "log_evidence": fitted.log_evidence}
        numbers |= {"fit_start": fitted.start, "fit_converged": fitted.has_converged}
        columns |= {name: number.double().tolist() for name, number in numbers.items()}
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _criterion(self) -> Criterion:
        if self.acquisition == "ucb":
            return confidence_bound(self.beta)
        return CRITERIA.get(self.acquisition, CRITERIA["qlogei"])
