"""Seeded batches of GPs, and GPyTorch's word on each of their rows."""

import math
import warnings
from dataclasses import dataclass

import gpytorch
import torch
from botorch.exceptions import InputDataWarning
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import (
    get_covar_module_with_dim_scaled_prior,
    get_gaussian_likelihood_with_lognormal_prior,
)
from gpytorch.kernels import Kernel, MaternKernel
from torch import Tensor

from hpo_research.gp import Data, Hyperparameters
from hpo_research.rng import Stream

LIKE = torch.zeros(1, dtype=torch.float64)
TIED = (0, 1, 1, 1, 2, 0)  # a one-hot choice of three values, and two columns far apart
OWNERS = {"one": (0,), "three": (0, 1, 2), "ten": tuple(range(10)), "tied": TIED}


@dataclass(frozen=True)
class Drawn:
    """Data with hyperparameters at random, and points to predict at."""

    data: Data
    theta: Tensor
    asked: Tensor

    @property
    def hyperparameters(self) -> Hyperparameters:
        return Hyperparameters.of(self.theta)

    def take(self, rows: Tensor) -> "Drawn":
        return Drawn(self.data.take(rows), self.theta[rows], self.asked[rows])


def drawn(
    lengthscale_of: tuple[int, ...], *, b: int = 4, n: int = 16, q: int = 6, seed: int = 0
) -> Drawn:
    """Return GPs of which the first knows all n rows, the others fewer and fewer."""
    stream, d, p = (
        Stream(seed).at("drawn", b, n, len(lengthscale_of)),
        len(lengthscale_of),
        max(lengthscale_of) + 1,
    )
    x = stream.at("x").uniform(b, n, d, like=LIKE)
    y = stream.at("y").normal(b, n, like=LIKE)
    least = max(1, n // 3)
    known = n - (torch.arange(b) * 3) % (n - least + 1)
    mask = torch.arange(n)[None] < known[:, None]
    theta = 0.4 * stream.at("theta").normal(b, p + 2, like=LIKE)
    theta = theta + torch.tensor([math.log(0.5 * math.sqrt(d))] * p + [-4.0, 0.0])
    asked = stream.at("asked").uniform(b, q, d, like=LIKE)
    return Drawn(Data.of(x, y, mask, lengthscale_of), theta, asked)


def kernel_of(name: str, d: int) -> Kernel:
    """Return BoTorch's kernel with its prior and constraint; it has no Matérn-3/2 of its own."""
    kernel = get_covar_module_with_dim_scaled_prior(d, use_rbf_kernel=name == "rbf")
    if name != "matern32":
        return kernel
    return MaternKernel(
        nu=1.5,
        ard_num_dims=d,
        lengthscale_prior=kernel.lengthscale_prior,
        lengthscale_constraint=kernel.raw_lengthscale_constraint,
    )


def gpytorch_model(name: str, x: Tensor, y: Tensor) -> SingleTaskGP:
    """Return BoTorch's model of given targets, with the kernel of that name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputDataWarning)  # the targets are not standardised
        return SingleTaskGP(
            x,
            y[:, None],
            likelihood=get_gaussian_likelihood_with_lognormal_prior(),
            covar_module=kernel_of(name, x.shape[-1]).to(x),
            outcome_transform=None,
        ).to(x)


def gpytorch_row(name: str, drawn: Drawn, row: int) -> SingleTaskGP:
    """Return the model of the known rows of one GP, unpadded, at its hyperparameters."""
    known, hyper = drawn.data.mask[row], drawn.hyperparameters
    model = gpytorch_model(name, drawn.data.x[row, known], drawn.data.y[row, known])
    model.covar_module.lengthscale = hyper.lengthscale[row, drawn.data.index]
    model.likelihood.noise = hyper.noise[row]
    model.mean_module.constant = hyper.mean[row].item()
    return model


def gpytorch_evidence(model: SingleTaskGP) -> Tensor:
    """Return the evidence times the prior's density, by the modules' own words."""
    model.train()
    mll = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    total: Tensor = mll(model(*model.train_inputs), model.train_targets) * len(model.train_targets)
    return total


@dataclass(frozen=True)
class Plain:
    """One GP by dense algebra: the slow loop that the fast paths agree with."""

    covariance: Kernel
    mean: Tensor
    x: Tensor
    y: Tensor
    noise: Tensor

    @classmethod
    def of(cls, name: str, drawn: Drawn, row: int) -> "Plain":
        hyper, known = drawn.hyperparameters, drawn.data.mask[row]
        kernel = kernel_of(name, drawn.data.x.shape[-1]).to(drawn.theta)
        kernel.lengthscale = hyper.lengthscale[row, drawn.data.index]
        x, y = drawn.data.x[row, known], drawn.data.y[row, known]
        return cls(kernel, hyper.mean[row], x, y, hyper.noise[row].expand(len(y)))

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the covariance of the function at some points."""
        k = self._k(self.x, self.x) + self.noise.diag()
        cross = self._k(x, self.x)
        gain = torch.linalg.solve(k, cross.T).T
        return self.mean + gain @ (self.y - self.mean), self._k(x, x) - gain @ cross.T

    def with_value(self, x: Tensor, value: Tensor) -> "Plain":
        """Return the GP that knows the function's own value at one more point."""
        return Plain(
            self.covariance,
            self.mean,
            torch.cat([self.x, x[None]]),
            torch.cat([self.y, value[None]]),
            torch.cat([self.noise, torch.zeros_like(value)[None]]),
        )

    def _k(self, x: Tensor, z: Tensor) -> Tensor:
        k: Tensor = self.covariance(x, z).to_dense().detach()
        return k
