"""BoTorch's models as the model of one run: what they are given, fitted to, and say of themselves.

BoTorch maximises, we minimise: targets are negated. Shapes: `n` rows, `d` columns of our encoding,
`e` columns of a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from botorch.fit import fit_fully_bayesian_model_nuts, fit_gpytorch_mll
from botorch.models.approximate_gp import ApproximateGPyTorchModel
from botorch.models.model import Model
from gpytorch.kernels import Kernel
from gpytorch.mlls import ExactMarginalLogLikelihood, VariationalELBO
from gpytorch.models import ExactGP
from jaxtyping import Bool, Float
from torch import Tensor

from hpo_research.errors import MissingPackageError, StrategyError
from hpo_research.gp import Data
from hpo_research.records import Note
from hpo_research.rng import Stream
from hpo_research.strategies.models.botorch_classes import (
    SAAS,
    Factory,
    name_of,
    takes_dims,
    unordered,
)
from hpo_research.strategies.models.botorch_refusals import SAMPLED
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.inputs import Batch


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
    """What BoTorch is given of one run: rows in the model's columns, and minus the losses.

    `rivals` are the rows that are to be improved on.
    """

    columns: Columns
    x: Float[Tensor, "n e"]
    y: Float[Tensor, "n 1"]
    rivals: Bool[Tensor, " n"]
    stream: Stream

    @classmethod
    def of(cls, model: object, batch: Batch, data: Data) -> "Training":
        """Return what the model of the batch's one run learns from; `data` is transformed."""
        columns = Columns(batch.encodings[0], callable(model) and takes_dims(model))
        mask = data.mask[0]
        rows, losses, rivals = data.x[0][mask], data.y[0][mask], batch.rivals[0][mask]
        return cls(columns, columns(rows), -losses[:, None], rivals, batch.streams[0])


def made(factory: Factory, training: Training) -> Model:
    """Return a model of one run as its factory leaves it.

    Raises `StrategyError`, and `MissingPackageError` without NumPyro.
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
    if model.training and not isinstance(model, (*SAMPLED, ExactGP, ApproximateGPyTorchModel)):
        raise StrategyError(
            f"{name_of(factory)}: made a {type(model).__name__}, which is neither an exact GP nor "
            "fitted; fit it in a function of your own that returns model.eval()"
        )
    return model


def fitted(factory: Factory, training: Training) -> Model:
    """Return a model of one run; one that its factory leaves in training mode is fitted.

    Exact GPs by their marginal likelihood, variational ones by a bound of it, fully Bayesian ones
    by NUTS. Raises as `made` does.
    """
    model = made(factory, training)
    if model.training and isinstance(model, SAMPLED):
        fit_fully_bayesian_model_nuts(model, disable_progbar=True, seed=_seed(training))
    elif model.training and isinstance(model, ApproximateGPyTorchModel):
        bound = VariationalELBO(model.likelihood, model.model, num_data=len(training.x))
        fit_gpytorch_mll(bound)
    elif model.training:
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    else:
        return model
    return _settled(model)


def _settled(model: Model) -> Model:
    """Return a fitted model that can be copied, as fantasies do: without what led to its tensors.

    Some kernels and likelihoods keep tensors of their last evaluation, and torch copies none that
    remembers how it was computed.
    """
    settled: Model = model.requires_grad_(False)
    for module in settled.modules():
        for name, kept in list(vars(module).items()):
            if isinstance(kept, Tensor) and kept.grad_fn is not None:
                setattr(module, name, kept.detach())
    return settled


def unfitted(factory: Factory, training: Training) -> Model:
    """Return a model that predicts, with the hyperparameters it was made with or two draws."""
    model = made(factory, training)
    if model.training and isinstance(model, SAMPLED):
        fit_fully_bayesian_model_nuts(
            model,
            warmup_steps=2,
            num_samples=2,
            thinning=1,
            disable_progbar=True,
            seed=_seed(training),
        )
    return _settled(model.eval())


def _seed(training: Training) -> int:
    return training.stream.at("nuts").integer() % 2**31


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
