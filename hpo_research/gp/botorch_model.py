"""A posterior dressed as a BoTorch model, for acquisition functions that others wrote."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.warnings import InputDataWarning
from botorch.models import SingleTaskGP
from botorch.models.model import FantasizeMixin, Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.pathwise import (
    MatheronPath,
    SamplePath,
    draw_kernel_feature_paths,
    draw_matheron_paths,
    gen_kernel_features,
)
from botorch.sampling.pathwise.posterior_samplers import DrawMatheronPaths
from botorch.sampling.pathwise.prior_samplers import DrawKernelFeaturePaths
from gpytorch.constraints import Positive
from gpytorch.distributions import MultivariateNormal
from gpytorch.kernels import MaternKernel, RBFKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ConstantMean
from gpytorch.settings import min_fixed_noise
from jaxtyping import Float
from linear_operator.operators import DenseLinearOperator
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor
from torch.autograd.function import once_differentiable

from hpo_research.errors import StrategyError
from hpo_research.gp.data import CENTRE, Data
from hpo_research.gp.kernels import KERNELS, Kernel, squared_distances
from hpo_research.gp.posterior import LEAST_VARIANCE
from hpo_research.gp.posterior import Posterior as Fitted

_THEIRS = {
    "matern52": partial(MaternKernel, nu=2.5),
    "matern32": partial(MaternKernel, nu=1.5),
    "rbf": RBFKernel,
}


@dataclass(frozen=True)
class _Further:
    """Rows conditioned on after the fit, each with a noise variance: fantasies, or assumed optima.

    Rows of the unit cube and minus their losses; batches that several share need not be repeated.
    """

    x: Float[Tensor, "*x m d"]
    y: Float[Tensor, "*y m"]
    noise: Float[Tensor, "*noise m"]

    def with_more(self, other: "_Further") -> "_Further":
        """Return these rows and then others."""
        return _Further(
            _joined(self.x, other.x, 2),
            _joined(self.y, other.y, 1),
            _joined(self.noise, other.noise, 1),
        )


def _broadcast(first: torch.Size, second: torch.Size) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(first, second)  # type: ignore[no-untyped-call]
    return shape


def _joined(first: Tensor, second: Tensor, own: int) -> Tensor:
    """Join rows along the first of their `own` last dimensions, their batches broadcast."""
    batch = _broadcast(first.shape[:-own], second.shape[:-own])
    parts = [part.expand(*batch, *part.shape[-own:]) for part in (first, second)]
    return torch.cat(parts, dim=-own)


class PosteriorModel(Model, FantasizeMixin):
    """One GP of ours as a BoTorch model with a single output: of minus the loss, to be maximised.

    `fitted` holds one GP (b = 1) conditioned on `data`, and nothing pending. Inputs are rows of the
    unit cube in our encoding; predictions are differentiable by them, once. Fantasies, and
    observations that are assumed, are conditioned on with the same hyperparameters, and their
    batch shape becomes the model's, as with BoTorch's own models.
    """

    def __init__(self, fitted: Fitted, data: Data, further: _Further | None = None) -> None:
        """Dress a posterior. Raises `StrategyError` where it holds several GPs."""
        if len(fitted.x) != 1:
            raise StrategyError(f"PosteriorModel(fitted): expected one GP, got {len(fitted.x)}")
        torch.nn.Module.__init__(self)
        self.fitted, self.data, self.further = fitted, data, further
        self.likelihood = GaussianLikelihood(noise_constraint=Positive()).to(data.x)
        self.likelihood.noise = fitted.hyperparameters.noise
        self.requires_grad_(False).eval()

    @property
    def num_outputs(self) -> int:
        """One: minus the loss."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Empty, since it is one GP and X may have any batch shape; else that of the fantasies."""
        if self.further is None:
            return torch.Size()
        return _broadcast(self.further.x.shape[:-2], self.further.y.shape[:-1])

    @property
    def train_inputs(self) -> tuple[Float[Tensor, "*s n d"]]:
        """The rows that are known, fantasies last."""
        known = self.data.x[0, self.data.mask[0]]
        if self.further is None:
            return (known,)
        rows = _joined(known, self.further.x, 2)
        return (rows.expand(*self.batch_shape, *rows.shape[-2:]),)

    @property
    def train_targets(self) -> Float[Tensor, "*s n"]:
        """Minus the losses of the rows that are known, fantasies last."""
        known = -self.data.y[0, self.data.mask[0]]
        if self.further is None:
            return known
        targets = _joined(known, self.further.y, 1)
        return targets.expand(*self.batch_shape, -1)

    def subset_output(self, idcs: list[int]) -> "PosteriorModel":
        """Return the model itself, there being one output. Raises `StrategyError` for others."""
        if list(idcs) not in ([0], [-1]):
            raise StrategyError(f"subset_output({idcs!r}): there is one output, [0]")
        return self

    def condition_on_observations(  # type: ignore[override]
        self,
        X: Float[Tensor, "*x m d"],
        Y: Float[Tensor, "*y m 1"],
        noise: Float[Tensor, "*noise m 1"] | None = None,
    ) -> "PosteriorModel":
        """Condition on further observations, of minus the loss, under the same hyperparameters.

        `noise` holds their variances, by default the fitted one.
        """
        if noise is None:
            noise = self.fitted.hyperparameters.noise.expand(X.shape[-2])[:, None]
        more = _Further(X, Y[..., 0], noise[..., 0])
        further = more if self.further is None else self.further.with_more(more)
        return PosteriorModel(self.fitted, self.data, further)

    def posterior(  # type: ignore[override]
        self,
        X: Float[Tensor, "*s q d"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Float[Tensor, "*n q 1"] = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Return the joint posterior over the q rows of every batch of X, without noise or with it.

        A tensor of `observation_noise` is added as variances of its own.
        """
        if output_indices is not None:
            self.subset_output(output_indices)
        mean, covariance = self._joint(X)
        if isinstance(observation_noise, Tensor):
            covariance = covariance + torch.diag_embed(observation_noise[..., 0])
        elif observation_noise:
            noise = self.fitted.hyperparameters.noise.expand(X.shape[-2])
            covariance = covariance + torch.diag_embed(noise)
        posterior = GPyTorchPosterior(_normal(mean, covariance))
        if posterior_transform is None:
            return posterior
        transformed: Posterior = posterior_transform(posterior=posterior, X=X)
        return transformed

    def forward(self, X: Float[Tensor, "*s q d"]) -> MultivariateNormal:
        """Return the distribution of the function at the rows, as calling a GP of GPyTorch does."""
        return _normal(*self._joint(X))

    def _joint(
        self, x: Float[Tensor, "*s q d"]
    ) -> tuple[Float[Tensor, "*t q"], Float[Tensor, "*t q q"]]:
        """Predict, all that is known being conditioned on."""
        if self.further is None:
            return self._fitted_joint(x)
        further, q = self.further, x.shape[-2]
        mean, covariance = self._fitted_joint(_joined(x, further.x, 2))
        root = psd_safe_cholesky(covariance[..., q:, q:] + torch.diag_embed(further.noise))
        gain = torch.linalg.solve_triangular(root, covariance[..., q:, :q], upper=False)
        rest = (further.y - mean[..., q:])[..., None]
        rest = torch.linalg.solve_triangular(root, rest, upper=False)
        mean = mean[..., :q] + (gain.mT @ rest)[..., 0]
        covariance = covariance[..., :q, :q] - gain.mT @ gain
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        least = variance.clamp(min=LEAST_VARIANCE) - variance
        covariance = covariance + torch.diag_embed(least)
        return mean, covariance.expand(*mean.shape[:-1], -1, -1)

    def _fitted_joint(
        self, x: Float[Tensor, "*s q d"]
    ) -> tuple[Float[Tensor, "*s q"], Float[Tensor, "*s q q"]]:
        fitted = self.fitted
        batch, (q, d) = x.shape[:-2], x.shape[-2:]
        rows = (x.reshape(-1, q, d) - CENTRE) / fitted.scale
        known = fitted.x.expand(len(rows), -1, -1)
        k = _correlation(fitted.kernel, rows, known) * fitted.mask.to(rows)
        mean = fitted.hyperparameters.mean + (k * fitted.weights[:, None, :, 0]).sum(dim=-1)
        whitened = k @ fitted.whitening[0].T
        covariance = _correlation(fitted.kernel, rows, rows) - whitened @ whitened.transpose(-1, -2)
        # To the last bit what the posterior predicts.
        variance = 1 - (whitened * whitened).sum(dim=-1)
        least = variance.clamp(min=LEAST_VARIANCE) - covariance.diagonal(dim1=-2, dim2=-1)
        covariance = covariance + torch.diag_embed(least)
        return -mean.reshape(*batch, q), covariance.reshape(*batch, q, q)

    @cached_property
    def single_task(self) -> SingleTaskGP:
        """The same GP as BoTorch's own class, with its noise as known variances.

        For what BoTorch computes from modules of a kernel and a mean. Raises `StrategyError` for
        fantasies, and for a kernel that is not of `KERNELS`.
        """
        if self.further is not None:
            raise StrategyError(
                f"{type(self).__name__}: expected a model without fantasies, got a batch of shape "
                f"{tuple(self.batch_shape)}; draw paths from the model that was fitted"
            )
        (x,), y, hyper = self.train_inputs, self.train_targets[:, None], self.fitted.hyperparameters
        kernel = _THEIRS[_name_of(self.fitted.kernel)](ard_num_dims=x.shape[-1]).to(x)
        kernel.lengthscale = self.fitted.scale
        mean = ConstantMean().to(x)
        mean.constant = -hyper.mean.item()
        with warnings.catch_warnings(), min_fixed_noise(double_value=hyper.noise.item()):
            warnings.simplefilter("ignore", InputDataWarning)  # the targets are our transform's
            model = SingleTaskGP(
                x,
                y,
                train_Yvar=hyper.noise.expand_as(y),
                covar_module=kernel,
                mean_module=mean,
                outcome_transform=None,
            )
        return model.requires_grad_(False).eval()


def _normal(mean: Tensor, covariance: Tensor) -> MultivariateNormal:
    # A dense operator is factorised with a jitter where it must be, a tensor without one.
    return MultivariateNormal(mean, DenseLinearOperator(covariance))


def _name_of(kernel: Kernel) -> str:
    for name, known in KERNELS.items():
        if torch.equal(known.coefficients, kernel.coefficients[:1].to(known.coefficients)):
            return name
    raise StrategyError(f"PosteriorModel: expected a kernel of {', '.join(KERNELS)}, got {kernel}")


@DrawMatheronPaths.register(PosteriorModel)  # type: ignore[untyped-decorator]
def _matheron_paths(
    model: PosteriorModel,
    *,
    sample_shape: torch.Size,
    prior_sampler: Callable[..., SamplePath],
    update_strategy: Callable[..., SamplePath],
) -> MatheronPath:
    return draw_matheron_paths(model.single_task, sample_shape, prior_sampler, update_strategy)


@DrawKernelFeaturePaths.register(PosteriorModel)  # type: ignore[untyped-decorator]
def _kernel_feature_paths(
    model: PosteriorModel,
    *,
    sample_shape: torch.Size,
    num_features: int = 1024,
    map_generator: Callable[..., Any] = gen_kernel_features,
    weight_generator: Callable[[torch.Size], Tensor] | None = None,
) -> SamplePath:
    return draw_kernel_feature_paths(
        model.single_task,
        sample_shape,
        num_features=num_features,
        map_generator=map_generator,
        weight_generator=weight_generator,
    )


def _correlation(
    kernel: Kernel, x: Float[Tensor, "b n d"], z: Float[Tensor, "b q d"]
) -> Float[Tensor, "b n q"]:
    k: Tensor = _Profile.apply(squared_distances(x, z), kernel)  # type: ignore[no-untyped-call]
    return k


class _Profile(torch.autograd.Function):
    """k of r², whose derivative −H/2 is finite at 0, where that of the root within is not."""

    @staticmethod
    def forward(ctx: Any, r2: Tensor, kernel: Kernel) -> Tensor:
        k, h = kernel.profile(r2)
        ctx.save_for_backward(h)
        return k

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_k: Tensor) -> tuple[Tensor, None]:
        (h,) = ctx.saved_tensors
        return -0.5 * h * by_k, None
