"""BoTorch's models and acquisition functions as parts of our strategies, one run at a time.

BoTorch maximises, we minimise: targets are negated where a model of BoTorch is fitted, and where
ours is dressed for a function of BoTorch. Shapes: one run (b = 1), `n` rows, `q` points, `d`
columns of our encoding, `e` columns of a model, `k` pending points.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import AnalyticAcquisitionFunction
from botorch.exceptions.warnings import InputDataWarning, NumericsWarning
from botorch.fit import fit_fully_bayesian_model_nuts, fit_gpytorch_mll
from botorch.models.model import Model
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.kernels import Kernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.models import ExactGP
from gpytorch.utils.warnings import NumericalWarning
from jaxtyping import Float, Int
from torch import Tensor

from hpo_research.acquisition import UncachedScores
from hpo_research.errors import HpoError, MissingPackageError, StrategyError
from hpo_research.gp import Data
from hpo_research.origin import told
from hpo_research.records import Note
from hpo_research.rng import Stream, lent
from hpo_research.strategies.models.botorch_classes import (
    NUTS,
    SAAS,
    SUPPLIED,
    Factory,
    bound,
    name_of,
    parameters,
    refuse_batches,
    takes_dims,
    unordered,
)
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.inputs import Batch

_ROWS = 128  # of one block: fixed, since the bits of a row may depend on how many there are
_ROUNDING = "A not p.d., added jitter|Negative variance values detected"


@contextmanager
def guarded(strategy: str, batch: Batch) -> Iterator[None]:
    """Run other people's code for the one run of a batch.

    What it draws from torch's global generators comes from the run's stream, and what it raises
    becomes a `StrategyError` that names the run. Warnings that no user can act on are left out:
    that our targets are standardised by n and not by n − 1 or are all equal, and what rounding
    made of a covariance.
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
        where = f"run {run.id} (seed {run.seed}, {len(run.trials)} trials)"
        raise StrategyError(f"{strategy}: {where}: {what}") from error


# --- models ---


@dataclass(frozen=True)
class Columns:
    """Our encoding turned into the columns that a model is given.

    The same columns, or, for models that take `cat_dims`, one a hyperparameter, with (k + ½)/K for
    the k-th of K unordered categories: exactly, since such a kernel compares by equality.
    """

    encoding: Encoding
    is_single: bool

    @property
    def lengthscale_of(self) -> tuple[int, ...]:
        """The hyperparameter that each column belongs to."""
        dimension = self.encoding.space.dimension
        return tuple(range(dimension)) if self.is_single else self.encoding.lengthscale_of

    def __call__(self, x: Float[Tensor, "*s d"]) -> Float[Tensor, "*s e"]:
        """Turn rows; differentiable in all but the categories."""
        if not self.is_single:
            return x
        dimension = self.encoding.space.dimension
        return torch.stack([self._column(x, i) for i in range(dimension)], dim=-1)

    def _column(self, x: Tensor, i: int) -> Tensor:
        kind, middles = self.encoding.signature[i]
        columns = [
            j
            for j, lengthscale_of in enumerate(self.encoding.lengthscale_of)
            if lengthscale_of == i
        ]
        if kind != "unordered":
            return x[..., columns[0]]
        return torch.tensor(middles, dtype=x.dtype, device=x.device)[x[..., columns].argmax(dim=-1)]


@dataclass(frozen=True)
class Training:
    """What BoTorch is given of one run: rows in the model's columns, and minus the losses."""

    columns: Columns
    x: Float[Tensor, "n e"]
    y: Float[Tensor, "n 1"]
    stream: Stream

    @classmethod
    def of(cls, model: object, batch: Batch, data: Data) -> "Training":
        """Return what the model of the batch's one run learns from; `data` is transformed."""
        columns = Columns(batch.encodings[0], callable(model) and takes_dims(model))
        rows, losses = data.x[0][data.mask[0]], data.y[0][data.mask[0]]
        return cls(columns, columns(rows), -losses[:, None], batch.streams[0])


def fitted(factory: Factory, training: Training) -> Model:
    """Return a model of one run; one that its factory leaves in training mode is fitted.

    Exact GPs by their marginal likelihood, fully Bayesian ones by NUTS. Raises `StrategyError`,
    and `MissingPackageError` without NumPyro.
    """
    dims = unordered(training.columns.encoding) if training.columns.is_single else []
    try:
        more = {"cat_dims": dims} if dims else {}
        model: object = factory(training.x, training.y, **more)
    except ImportError as error:
        if "fully Bayesian" in str(error):
            raise MissingPackageError(f"{name_of(factory)}: {SAAS}") from error
        raise
    if not isinstance(model, Model):
        raise StrategyError(f"{name_of(factory)}: expected a BoTorch model, got {model!r}")
    if model.num_outputs != 1:
        raise StrategyError(
            f"{name_of(factory)}: expected a model of one output, got {model.num_outputs}"
        )
    if not model.training:
        return model
    if isinstance(model, NUTS):
        seed = training.stream.at("nuts").integer() % 2**31
        fit_fully_bayesian_model_nuts(model, disable_progbar=True, seed=seed)
    elif isinstance(model, ExactGP):
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    else:
        raise StrategyError(
            f"{name_of(factory)}: made a {type(model).__name__}, which is neither an exact GP nor "
            "fitted; fit it in a function of your own that returns model.eval()"
        )
    return model


def lengthscales(model: Model, lengthscale_of: Sequence[int]) -> Float[Tensor, " p"]:
    """Return each hyperparameter's lengthscale, the mean over kernels and samples; NaN without."""
    total = torch.zeros(max(lengthscale_of) + 1, dtype=torch.float64)
    count = torch.zeros_like(total)
    kernels: list[Any] = [module for module in model.modules() if isinstance(module, Kernel)]
    for kernel in kernels:
        found, active = kernel.lengthscale, kernel.active_dims
        if found is None:
            continue
        columns = range(len(lengthscale_of)) if active is None else active.tolist()
        if found.shape[-1] not in (1, len(columns)):
            continue  # its columns are not ours: a transform stands before it
        mean = found.detach().cpu().double().reshape(-1, found.shape[-1]).mean(dim=0)
        index = torch.tensor([lengthscale_of[column] for column in columns], dtype=torch.int64)
        total.index_add_(0, index, mean.expand(len(index)))
        count.index_add_(0, index, torch.ones(len(index), dtype=torch.float64))
    return total / count


def notes(model: Model, lengthscale_of: Sequence[int]) -> dict[str, Note]:
    """Return a fitted model's lengthscales and noise variance, means over samples, if it has any.

    The noise is in the model's own units.
    """
    found: dict[str, Note] = {}
    scale = lengthscales(model, lengthscale_of)
    if not scale.isnan().any():
        found["lengthscale"] = scale.tolist()
    noise = getattr(getattr(model, "likelihood", None), "noise", None)
    if isinstance(noise, Tensor):
        found["noise"] = float(noise.detach().mean())
    return found


# --- acquisition functions ---


@dataclass(frozen=True)
class AcquisitionFactory:
    """A model of one run, and how an acquisition function is made of it.

    Arguments are supplied by their names: the model, the best target, the rows, pending points,
    and a sampler with a seed of the run. `is_named`: the user gave a name of ours, not this class,
    so that BoTorch's advice to prefer another class is not for them.
    """

    factory: Factory
    model: Model
    training: Training
    samples: int
    is_named: bool = False

    def given(self, pending: Float[Tensor, "k e"]) -> AcquisitionFunction:
        """Return the acquisition function when these points are pending."""
        known, k = set(parameters(self.factory)) - bound(self.factory), len(pending)
        sampler = SobolQMCNormalSampler(
            torch.Size([self.samples]), seed=self.training.stream.at("sampler").integer()
        )
        arguments: dict[str, object] = {
            "model": self.model,
            "best_f": self.training.y.max(),
            "X_baseline": self.training.x,
            "X_observed": self.training.x,
            "X_pending": pending if k else None,
            "sampler": sampler,
        }
        with warnings.catch_warnings():
            if self.is_named:
                warnings.simplefilter("ignore", NumericsWarning)
            made = self.factory(**{name: arguments[name] for name in SUPPLIED if name in known})
        if not isinstance(made, AcquisitionFunction):
            raise StrategyError(
                f"{name_of(self.factory)}: expected a BoTorch acquisition function, got {made!r}"
            )
        if k and "X_pending" not in known:
            if isinstance(made, AnalyticAcquisitionFunction):
                refuse_batches(type(made), k + 1)
            made.set_X_pending(pending)
        return made


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
