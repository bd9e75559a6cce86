"""BoTorch's acquisition functions as parts of our strategies, one run at a time.

BoTorch maximises, we minimise: our model is of minus the loss. Shapes: one run (b = 1), `n` rows,
`q` points, `d` columns of our encoding, `e` columns of a model, `k` pending points.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.knowledge_gradient import qKnowledgeGradient
from botorch.exceptions.warnings import InputDataWarning, NumericsWarning
from botorch.models.model import Model
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.utils.warnings import NumericalWarning
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition import UncachedScores
from hpo_research.errors import HpoError, MissingPackageError, StrategyError
from hpo_research.gp.botorch_model import PosteriorModel
from hpo_research.origin import told
from hpo_research.rng import lent
from hpo_research.strategies.models.botorch_classes import (
    FROM_FANTASIES,
    FROM_ONE_SAMPLE,
    FROM_PENDING_FANTASIES,
    OF_ONE_POINT,
    Factory,
    bound,
    makes,
    name_of,
    parameters,
    refuse_batches,
)
from hpo_research.strategies.models.botorch_models import Training
from hpo_research.strategies.models.botorch_nested import NestedKnowledgeGradient
from hpo_research.strategies.models.botorch_places import Places
from hpo_research.strategies.models.botorch_refusals import FROM_KNOWN_NOISE, made_refusal
from hpo_research.strategies.models.inputs import Batch

_ROWS = 128  # of one block: fixed, since the bits of a row may depend on how many there are
_ROUNDING = "A not p.d., added jitter|Negative variance values detected|Very small noise values"


@contextmanager
def guarded(strategy: str, batch: Batch, where: str = "") -> Iterator[None]:
    """Run other people's code for the one run of a batch.

    What it draws from torch's global generators comes from the run's stream, and what it raises
    becomes a `StrategyError` that names the run, or says `where`. Warnings that no user can act on
    are left out: that our targets are standardised by n and not by n − 1 or are all equal, what
    rounding made of a covariance, and that variances were taken for a little more.
    """
    run = batch.runs[0]
    try:
        with lent(batch.streams[0].at("botorch"), batch.device), warnings.catch_warnings():
            warnings.simplefilter("ignore", InputDataWarning)
            warnings.filterwarnings("ignore", _ROUNDING, NumericalWarning)
            yield
    except MissingPackageError:
        raise
    except Exception as error:
        what = str(error) if isinstance(error, HpoError) else told(error)
        where = where or f"run {run.id} (seed {run.seed}, {len(run.trials)} trials)"
        raise StrategyError(f"{strategy}: {where}: {what}") from error


@dataclass(frozen=True)
class AcquisitionFactory:
    """A model of one run, and how an acquisition function is made of it.

    Arguments are supplied by their names: the model, the best target, the rows, pending points,
    points of the domain, optima drawn from the model, and a sampler with a seed of the run.
    `is_named`: the user gave a name of ours, not this class, so that BoTorch's advice to prefer
    another class is not for them.
    """

    factory: Factory
    model: Model
    places: Places
    samples: int
    is_named: bool = False

    @property
    def training(self) -> Training:
        """What the model was fitted to."""
        return self.places.training

    def given(self, pending: Float[Tensor, "k e"]) -> AcquisitionFunction:
        """Return the acquisition function when these points are pending."""
        known, k = set(parameters(self.factory)) - bound(self.factory), len(pending)
        self._check_fantasies(k)
        given = self._arguments(pending if k else None)
        with warnings.catch_warnings():
            if self.is_named:
                warnings.simplefilter("ignore", NumericsWarning)
            made = self.factory(**{name: make() for name, make in given.items() if name in known})
        if not isinstance(made, AcquisitionFunction):
            raise StrategyError(
                f"{name_of(self.factory)}: expected a BoTorch acquisition function, got {made!r}"
            )
        if refusal := made_refusal(type(made)):
            raise StrategyError(f"{name_of(self.factory)}: {refusal}")
        if k and "X_pending" not in known:
            if isinstance(made, OF_ONE_POINT):
                refuse_batches(type(made), k + 1)
            made.set_X_pending(pending)
        if isinstance(made, qKnowledgeGradient):
            return NestedKnowledgeGradient(made, self.places.promising(self.model))
        return made

    def _arguments(self, pending: Float[Tensor, "k e"] | None) -> dict[str, Callable[[], object]]:
        """Return what makes each argument that is supplied by name."""
        arguments: dict[str, Callable[[], object]] = {
            "model": self._model,
            "best_f": self.training.y[self.training.rivals].max,
            "X_baseline": lambda: self.training.x[self.training.rivals],
            "X_observed": lambda: self.training.x,
            "X_pending": lambda: pending,
            "sampler": self._sampler,
            "mc_points": self.places.spread,
            "candidate_set": self.places.likely,
            "optimal_inputs": lambda: self._optima[0],
            "optimal_outputs": lambda: self._optima[1],
        }
        if makes(self.factory, (qKnowledgeGradient,)):  # makes a sampler of one sample a fantasy
            del arguments["sampler"]
            has_sampler = "sampler" in bound(self.factory)
            arguments["num_fantasies"] = lambda: None if has_sampler else self.samples
        return arguments

    def _check_fantasies(self, pending: int) -> None:
        always = makes(self.factory, FROM_FANTASIES)
        is_needed = always or (pending > 0 and makes(self.factory, FROM_PENDING_FANTASIES))
        if is_needed and not hasattr(self.model, "fantasize"):
            instead = "SingleTaskGP" if always else "SingleTaskGP, or run with parallel=1"
            raise StrategyError(
                f"{name_of(self.factory)} conditions on points by fantasies, which "
                f"{type(self.model).__name__} does not have; use {instead}"
            )

    def _model(self) -> Model:
        if isinstance(self.model, PosteriorModel) and makes(self.factory, FROM_KNOWN_NOISE):
            return self.model.single_task
        return self.model

    def _sampler(self) -> SobolQMCNormalSampler:
        count = 1 if makes(self.factory, FROM_ONE_SAMPLE) else self.samples
        return SobolQMCNormalSampler(
            torch.Size([count]), seed=self.training.stream.at("sampler").integer()
        )

    @cached_property
    def _optima(self) -> tuple[Tensor, Tensor]:
        return self.places.optima(self.model)


@dataclass(frozen=True)
class BoTorchAcquisition:
    """A BoTorch acquisition function of one run over our encoding, by autograd."""

    valued: AcquisitionFactory
    pending_rows: Float[Tensor, "k e"]
    function: AcquisitionFunction
    is_recordable: ClassVar[bool] = False

    @classmethod
    def of(cls, valued: AcquisitionFactory, pending: Float[Tensor, "k d"]) -> "BoTorchAcquisition":
        """Return the surface when these points of the encoding are pending."""
        rows = valued.training.columns(pending)
        return cls(valued, rows, valued.given(rows))

    def value(self, x: Float[Tensor, "1 q d"]) -> Float[Tensor, "1 q"]:
        """Return the values of any number of points. Raises `StrategyError` where they are NaN."""
        with torch.no_grad():
            found = torch.cat([self._scores(part) for part in torch.split(x[0], _ROWS)])
        if found.isnan().any():
            name, model = name_of(self.valued.factory), type(self.valued.model).__name__
            raise StrategyError(f"{name} of a {model} is NaN at {int(found.isnan().sum())} points")
        return found[None]

    def value_and_gradient(
        self, x: Float[Tensor, "1 q d"]
    ) -> tuple[Float[Tensor, "1 q"], Float[Tensor, "1 q d"]]:
        """Return the values and their derivatives, NaN where a kernel has none."""
        values, slopes = [], []
        for part in torch.split(x[0], _ROWS):
            points = part.detach().clone().requires_grad_()
            value = self._scores(points)
            values.append(value.detach())
            slopes.append(torch.autograd.grad(value.sum(), points)[0])
        return torch.cat(values)[None], torch.cat(slopes)[None]

    def _scores(self, x: Float[Tensor, "q d"]) -> Float[Tensor, " q"]:
        found: Tensor = self.function(self.valued.training.columns(x)[:, None, :])
        if found.shape != x.shape[:1]:
            raise StrategyError(
                f"{name_of(self.valued.factory)}: expected {len(x)} values for {len(x)} points, "
                f"got shape {tuple(found.shape)}"
            )
        return found

    def take(self, groups: Int[Tensor, " k"] | slice) -> "BoTorchAcquisition":
        """Return the surface itself: there is one run."""
        return self

    def cached(self, x: Float[Tensor, "1 r d"]) -> UncachedScores:
        """Return points whose values are wanted again whenever a further point is under way."""
        return UncachedScores(self, x)

    def pending(self, x: Float[Tensor, "1 d"]) -> "BoTorchAcquisition":
        """Return the surface when one more point is under way."""
        rows = torch.cat([self.pending_rows, self.valued.training.columns(x)])
        return replace(self, pending_rows=rows, function=self.valued.given(rows))
