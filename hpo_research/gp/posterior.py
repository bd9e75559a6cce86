"""The posterior of a batch of GPs, ready to predict, and to be conditioned on further points."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from hpo_research.compiled import by_loops
from hpo_research.gp import compiled
from hpo_research.gp.data import CENTRE, Data, far
from hpo_research.gp.kernels import Kernel
from hpo_research.gp.likelihood import Hyperparameters
from hpo_research.linalg import factorised, product

_NOISELESS = 1e-6  # on the diagonal where the function is known without noise, in those units
LEAST_VARIANCE = 1e-10
"""Variances are not less than this: what rounding leaves of zero, in units of the kernel's."""


@dataclass(frozen=True)
class Prediction:
    """Means under each of m samples of what is pending, and the variance they share."""

    mean: Float[Tensor, "b q m"]
    variance: Float[Tensor, "b q"]


@dataclass(frozen=True)
class Posterior:
    """GPs conditioned on data, and on sampled values at points that are still pending.

    `x` holds scaled rows, `whitening` L⁻¹ with K = LL', `weights` the vectors K⁻¹(y − μ) of what
    is known: one for each of m samples where the data are samples, or else two equal ones, since
    products of one column take another path. Rows outside `mask` are free, far off. A pending point
    has a row of `places`, and stands in each sample so many of its `deviations` above its mean: it
    moves the means elsewhere by its entry of L⁻¹k times that.
    """

    kernel: Kernel
    hyperparameters: Hyperparameters
    scale: Float[Tensor, "b d"]
    x: Float[Tensor, "b n d"]
    mask: Bool[Tensor, "b n"]
    whitening: Float[Tensor, "b n n"]
    weights: Float[Tensor, "b n c"]
    places: tuple[int, ...] = ()
    deviations: tuple[Float[Tensor, "b m"], ...] = ()

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Posterior":
        """Return the posterior of some GPs only."""
        return Posterior(
            self.kernel.take(groups),
            self.hyperparameters.take(groups),
            self.scale[groups],
            self.x[groups],
            self.mask[groups],
            self.whitening[groups],
            self.weights[groups],
            self.places,
            tuple(z[groups] for z in self.deviations),
        )

    def predict(self, x: Float[Tensor, "b q d"]) -> Prediction:
        """Predict the function, without noise, at rows of the unit cube."""
        return self.project(x)[0]

    def project(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Prediction, Float[Tensor, "b q d"], Float[Tensor, "b q n"]]:
        """Predict, and return the scaled rows and L⁻¹k of each: what further points subtract."""
        scaled = (x - CENTRE) / self.scale[:, None, :]
        k = self.kernel.between(scaled, self.x)[0]
        prediction, whitened = self._predicted(k)
        return prediction, scaled, whitened

    def predict_with_pullback(self, x: Float[Tensor, "b q d"]) -> tuple[Prediction, "Pullback"]:
        """Predict, and return what turns derivatives by the prediction into derivatives by x."""
        scaled = (x - CENTRE) / self.scale[:, None, :]
        k, h = self.kernel.between(scaled, self.x)
        prediction, whitened = self._predicted(k)
        return prediction, Pullback(self, scaled, h, whitened)

    def _predicted(self, k: Tensor) -> tuple[Prediction, Tensor]:
        mean = product(k, self.weights).add_(self.hyperparameters.mean[:, None, None])
        whitened = product(k, self.whitening.transpose(1, 2))
        variance = (1 - (whitened * whitened).sum(dim=-1)).clamp(min=LEAST_VARIANCE)
        if self.places:
            entries = torch.stack([whitened[..., place] for place in self.places], dim=-1)
            moved = product(entries, torch.stack(self.deviations, dim=1))
            mean = moved + (mean if self._is_sampled else mean[..., :1])
        return Prediction(mean, variance), whitened

    @property
    def _is_sampled(self) -> bool:
        """Whether each sample has weights of its own."""
        return self.weights.shape[-1] == self.deviations[0].shape[-1]

    def extended(self, x: Float[Tensor, "b d"], z: Float[Tensor, "b m"], place: int) -> "Posterior":
        """Condition on the value at one more point: its mean plus z deviations, in each sample.

        The point takes row `place`, which must be free. Adds one row to the factor: with
        l = L⁻¹k and δ² = 1 − l'l the row of the inverse is (−l'L⁻¹, 1)/δ. L⁻¹(y − μ) gains exactly
        z, so that means elsewhere gain z times their new entry of L⁻¹k. Values are those of the
        function: pending points are conditioned on without noise.
        """
        prediction, scaled, whitened = self.project(x[:, None, :].expand(-1, 2, -1))
        deviation = prediction.variance[:, 0].sqrt()
        row = -product(whitened, self.whitening)[:, 0] / deviation[:, None]
        row[:, place] = 1 / deviation
        return self.with_row(scaled[:, 0], row, z, place)

    def with_row(
        self,
        x: Float[Tensor, "b d"],
        row: Float[Tensor, "b n"],
        z: Float[Tensor, "b m"],
        place: int,
    ) -> "Posterior":
        """Return the posterior with a scaled point and its row of the inverse: see `extended`."""
        whitening, points, mask = self.whitening.clone(), self.x.clone(), self.mask.clone()
        whitening[:, place], points[:, place], mask[:, place] = row, x, True
        return replace(
            self,
            x=points,
            mask=mask,
            whitening=whitening,
            places=(*self.places, place),
            deviations=(*self.deviations, z),
        )


@dataclass(frozen=True)
class Pullback:
    """Derivatives by means and variances turned into derivatives by the points asked."""

    posterior: Posterior
    x: Float[Tensor, "b q d"]
    h: Float[Tensor, "b q n"]
    whitened: Float[Tensor, "b q n"]

    def __call__(
        self, by_mean: Float[Tensor, "b q m"], by_variance: Float[Tensor, "b q"]
    ) -> Float[Tensor, "b q d"]:
        """Return ∂/∂x = [(wX̃) − (w1)x̃]/ℓ with w = c ∘ H, c = ∂f/∂k."""
        by_k = self.by_covariance(by_mean, by_variance)
        posterior = self.posterior
        given = (self.x, posterior.x, self.h, by_k, posterior.scale)
        if not by_loops(*given):
            return self._pulled(by_k)
        found = torch.empty_like(self.x)
        compiled.pulled(*(t.contiguous().numpy() for t in (*given, found)))
        return found

    def by_covariance(
        self, by_mean: Float[Tensor, "b q m"], by_variance: Float[Tensor, "b q"]
    ) -> Float[Tensor, "b q n"]:
        """Return ∂f/∂k: by way of the weights, and of L⁻¹k, which variances and samples are of."""
        posterior = self.posterior
        by_whitened = -2 * by_variance[..., None] * self.whitened
        if not posterior.places:
            by_k = product(by_mean, posterior.weights.transpose(1, 2))
        else:
            by_z = product(by_mean, torch.stack(posterior.deviations, dim=2))
            for k, place in enumerate(posterior.places):  # a list of places would be copied
                by_whitened[..., place] += by_z[..., k]
            if posterior._is_sampled:
                by_k = product(by_mean, posterior.weights.transpose(1, 2))
            else:
                by_k = by_mean.sum(dim=-1, keepdim=True) * posterior.weights[:, None, :, 0]
        return by_k + product(by_whitened, posterior.whitening)

    def _pulled(self, by_k: Tensor) -> Tensor:
        """Turn derivatives by covariances into those by the points, in tensors."""
        posterior = self.posterior
        w = by_k * self.h
        moved = product(w, posterior.x) - w.sum(dim=-1)[..., None] * self.x
        return moved / posterior.scale[:, None, :]


def condition(
    data: Data,
    kernel: Kernel,
    hyperparameters: Hyperparameters,
    *,
    free_rows: int = 0,
) -> Posterior:
    """Condition GPs on their data; `free_rows` are kept for pending points."""
    known = _Known.of(data, kernel, hyperparameters)
    inverse = known.inverse(hyperparameters.noise)
    whitened = (inverse * known.residual[:, None, :]).sum(dim=-1)
    weights = (inverse * whitened[:, :, None]).sum(dim=1)
    return known.posterior(inverse, weights[..., None].expand(-1, -1, 2), free_rows)


def condition_on_samples(
    data: Data,
    kernel: Kernel,
    hyperparameters: Hyperparameters,
    normals: Float[Tensor, "m k"],
    *,
    free_rows: int = 0,
) -> tuple[Posterior, Float[Tensor, "b n m"]]:
    """Draw the function at its data, and condition on the m draws; return those too.

    What noisy expected improvement needs (Letham, Karrer, Ottoni and Bakshy, Bayesian Analysis
    2019, section 4): given one draw f(X) the function is known there without noise. Drawn by
    Matheron's rule, f(X) = g + K(K + σ²I)⁻¹(y − g − σe), so that K⁻¹f(X) needs no inverse of what
    it nearly cancels: with g = Lu it is L'⁻¹u + (K + σ²I)⁻¹(y − g − σe). `normals` holds at least
    2n columns: u, then e. The prior's covariance has 1e-6 on its diagonal, or σ² where that is
    less, so that it has a factor L.
    """
    known, n = _Known.of(data, kernel, hyperparameters), data.x.shape[1]
    noise = hyperparameters.noise
    nugget = noise.clamp(max=_NOISELESS)
    inverse, noisy = known.inverse(nugget), known.inverse(noise)
    u, e = (
        normals[:, i * n : (i + 1) * n].T.to(data.x).expand(len(noise), -1, -1)
        * data.mask[..., None]
        for i in (0, 1)
    )
    g = torch.linalg.solve_triangular(inverse, u, upper=False)
    rest = known.residual[..., None] - g - noise.sqrt()[:, None, None] * e
    weights = product(noisy.transpose(1, 2), product(noisy, rest * data.mask[..., None]))
    drawn = g + product(known.k, weights) + nugget[:, None, None] * weights
    weights = product(inverse.transpose(1, 2), u) + weights
    return known.posterior(inverse, weights, free_rows), drawn + hyperparameters.mean[:, None, None]


@dataclass(frozen=True)
class _Known:
    """What conditioning starts from: scaled rows, their covariances, and y − μ."""

    kernel: Kernel
    hyperparameters: Hyperparameters
    mask: Bool[Tensor, "b n"]
    scale: Float[Tensor, "b d"]
    x: Float[Tensor, "b n d"]
    k: Float[Tensor, "b n n"]
    residual: Float[Tensor, "b n"]

    @classmethod
    def of(cls, data: Data, kernel: Kernel, hyperparameters: Hyperparameters) -> "_Known":
        kernel = kernel.expanded(len(data.x), like=data.x)
        scale = hyperparameters.lengthscale[:, data.index]
        x = (data.x - CENTRE) / scale[:, None, :]
        k, _ = kernel.between(x, x)
        residual = (data.y - hyperparameters.mean[:, None]) * data.mask
        return cls(kernel, hyperparameters, data.mask, scale, x, k, residual)

    def inverse(self, noise: Float[Tensor, " b"]) -> Float[Tensor, "b n n"]:
        """Return the inverse of the lower factor of K + σ²I."""
        factor = factorised(self.k, noise, self.mask)
        eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        inverse: Tensor = torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False)
        return inverse

    def posterior(
        self, inverse: Float[Tensor, "b n n"], weights: Float[Tensor, "b n m"], free_rows: int
    ) -> Posterior:
        """Return the posterior with so many free rows."""
        b, n, d = self.x.shape
        eye = torch.eye(n + free_rows, dtype=inverse.dtype, device=inverse.device)
        whitening = eye.repeat(b, 1, 1)
        whitening[:, :n, :n] = inverse
        free = far(free_rows, like=self.x).expand(b, free_rows, d)
        return Posterior(
            self.kernel,
            self.hyperparameters,
            self.scale,
            torch.cat([self.x, free], dim=1),
            pad(self.mask, (0, free_rows)),
            whitening,
            pad(weights, (0, 0, 0, free_rows)),
        )
