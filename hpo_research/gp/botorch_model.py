"""A posterior dressed as a BoTorch model, for acquisition functions that others wrote."""

from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultivariateNormal
from jaxtyping import Float
from linear_operator.operators import DenseLinearOperator
from torch import Tensor
from torch.autograd.function import once_differentiable

from hpo_research.errors import StrategyError
from hpo_research.gp.data import CENTRE
from hpo_research.gp.kernels import Kernel, squared_distances
from hpo_research.gp.posterior import LEAST_VARIANCE
from hpo_research.gp.posterior import Posterior as Fitted


class PosteriorModel(Model):
    """One GP of ours as a BoTorch model with a single output: of minus the loss, to be maximised.

    `fitted` holds one GP (b = 1), and nothing pending. Inputs are rows of the unit cube in our
    encoding; predictions are differentiable by them, once.
    """

    def __init__(self, fitted: Fitted) -> None:
        """Dress a posterior. Raises `StrategyError` where it holds several GPs."""
        if len(fitted.x) != 1:
            raise StrategyError(f"PosteriorModel(fitted): expected one GP, got {len(fitted.x)}")
        torch.nn.Module.__init__(self)
        self.fitted = fitted

    @property
    def num_outputs(self) -> int:
        """One: minus the loss."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: it is one GP, and X may have any batch shape."""
        return torch.Size()

    def subset_output(self, idcs: list[int]) -> "PosteriorModel":
        """Return the model itself, there being one output. Raises `StrategyError` for others."""
        if list(idcs) not in ([0], [-1]):
            raise StrategyError(f"subset_output({idcs!r}): there is one output, [0]")
        return self

    def posterior(
        self,
        X: Float[Tensor, "*s q d"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Float[Tensor, "*s q 1"] = False,
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
        # A dense operator is factorised with a jitter where it must be, a tensor without one.
        operator = DenseLinearOperator(covariance)
        posterior = GPyTorchPosterior(MultivariateNormal(mean, operator))
        if posterior_transform is None:
            return posterior
        transformed: Posterior = posterior_transform(posterior=posterior, X=X)
        return transformed

    def _joint(
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
