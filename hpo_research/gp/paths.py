"""Whole functions drawn from the posterior of a batch of GPs, to be evaluated anywhere."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from hpo_research.device import entries
from hpo_research.gp.data import CENTRE
from hpo_research.gp.kernels import Kernel
from hpo_research.gp.posterior import Posterior
from hpo_research.gp.quasi_random import uniform_set
from hpo_research.linalg import product
from hpo_research.rng import Stream

FREQUENCIES = 512
"""Frequencies of a path: a cosine and a sine each, so 1024 random features."""

_DEGREES = 5  # of freedom of a t distribution, at most
_ENTRIES = 2**17  # of the phases of one block: 1 MiB, so that a few stay in the cache
_R = TypeVar("_R", bound=tuple[Tensor, ...])


@dataclass(frozen=True)
class Paths:
    """Functions of the unit cube, m of each of b GPs, by pathwise conditioning.

    A path is a draw of the prior, moved to agree with the data (Wilson et al., ICML 2020,
    arXiv:2002.09309, equations 10 and 12): μ + g(x) + k(x, X) K⁻¹(y − μ − g(X) − ε) with ε of the
    noise's variance and g(x) = Σ_i a_i cos(ω_i'x + τ_i) of f frequencies ω from the kernel's
    spectral density (Rahimi and Recht, NIPS 2007), x and X being scaled.

    What is approximate: given its frequencies, g is a Gaussian process whose covariance
    (1/f) Σ_i cos(ω_i'r) misses k(r) by √((1 + k(2r) − 2k(r)²)/2f) in the mean square if they were
    independent (Sutherland and Schneider, UAI 2015, proposition 1): by 0.03 at most for 512, and
    not at all at r = 0; the quasi-random ones drawn here come nearer. The second term has the
    exact kernel, so the mean is exact, and data do not starve the variance elsewhere. Every path
    has frequencies of its own: over many paths mean and covariance are those of the posterior
    whatever f, and what remains is that the marginals are not quite normal (excess kurtosis of
    the order of 1/f). A jitter that the factor needed is not in ε.

    `x` holds scaled rows, `weights` the vectors K⁻¹(...), `waves` the frequencies and, in row d,
    the phases; `amplitudes` are of the waves, `slopes` both multiplied. Columns are added, zeros,
    until every side of a product is even.
    """

    kernel: Kernel
    mean: Float[Tensor, " b"]
    scale: Float[Tensor, "b d"]
    x: Float[Tensor, "b n d"]
    weights: Float[Tensor, "b m n 2"]
    waves: Float[Tensor, "b m e f"]
    amplitudes: Float[Tensor, "b m f 2"]
    slopes: Float[Tensor, "b m f e"]

    def take(self, groups: Int[Tensor, " k"] | slice) -> "Paths":
        """Return the paths of some GPs only."""
        return Paths(
            self.kernel.take(groups),
            self.mean[groups],
            self.scale[groups],
            self.x[groups],
            self.weights[groups],
            self.waves[groups],
            self.amplitudes[groups],
            self.slopes[groups],
        )

    def apart(self) -> "Paths":
        """Return b·m GPs of one path each: path j of GP i is that of GP i·m + j."""
        m = self.weights.shape[1]
        rows = torch.arange(len(self.mean), device=self.mean.device, dtype=torch.int64)
        kernel = self.kernel.take(rows.repeat_interleave(m))
        each = [t.repeat_interleave(m, dim=0) for t in (self.mean, self.scale, self.x)]
        own = [
            t.flatten(0, 1)[:, None]
            for t in (self.weights, self.waves, self.amplitudes, self.slopes)
        ]
        return Paths(kernel, *each, *own)

    def value(self, x: Float[Tensor, "b m s d"]) -> Float[Tensor, "b m s"]:
        """Return the value of each path at s points of its own."""
        b, m, s, _ = x.shape
        (value,) = self._blocks(x, _values)
        return value[:, :s].reshape(b, m, s)

    def everywhere(self, x: Float[Tensor, "b s d"]) -> Float[Tensor, "b m s"]:
        """Return the value of every path at the same points, where one kernel serves for all."""
        (b, s, _), m = x.shape, self.weights.shape[1]
        found = x.new_empty(b, m, s + s % 2)
        rows = pad(x, (0, 0, 0, s % 2))
        size = max(1, entries(x, cached=_ENTRIES) // self.waves.shape[-1])
        size += size % 2
        for i in range(0, s, size):
            scaled = (rows[:, i : i + size] - CENTRE) / self.scale[:, None, :]
            k, _ = self.kernel.between(scaled, self.x)
            weights = self.weights[..., 0].transpose(1, 2).contiguous()
            moved = product(k, pad(weights, (0, m % 2))).transpose(1, 2)[:, :m]
            for j in range(m):
                phases = _phases(self.waves[:, j], scaled)
                prior = product(phases.cos_(), self.amplitudes[:, j])[..., 0]
                found[:, j, i : i + size] = self.mean[:, None] + prior + moved[:, j]
        return found[..., :s]

    def value_and_gradient(
        self, x: Float[Tensor, "b m s d"]
    ) -> tuple[Float[Tensor, "b m s"], Float[Tensor, "b m s d"]]:
        """Return the values and their derivatives by the points, in closed form."""
        b, m, s, d = x.shape
        value, gradient = self._blocks(x, _values_and_gradients)
        return value[:, :s].reshape(b, m, s), gradient[:, :s].reshape(b, m, s, d)

    def _blocks(self, x: Tensor, part: Callable[["Paths", Tensor], _R]) -> list[Tensor]:
        """Evaluate paths of one each, in blocks, an even number of rows."""
        s, f = x.shape[2], self.waves.shape[-1]
        paths = self if x.shape[1] == 1 else self.apart()
        rows = pad(x.flatten(0, 1), (0, 0, 0, s % 2))
        size = max(1, entries(x, cached=_ENTRIES) // (f * max(1, s)))
        blocks = [
            part(paths.take(slice(i, i + size)), rows[i : i + size])
            for i in range(0, len(rows), size)
        ]
        return [torch.cat(tensors) for tensors in zip(*blocks, strict=True)]


def _phases(
    waves: Float[Tensor, "g e f"], scaled: Float[Tensor, "g s d"]
) -> Float[Tensor, "g s f"]:
    e, d = waves.shape[1], scaled.shape[-1]
    rows = pad(scaled, (0, e - d))
    rows[..., d] = 1.0
    return product(rows, waves)


def _values(paths: Paths, x: Float[Tensor, "g s d"]) -> tuple[Tensor]:
    scaled = (x - CENTRE) / paths.scale[:, None, :]
    prior = product(_phases(paths.waves[:, 0], scaled).cos(), paths.amplitudes[:, 0])[..., 0]
    k, _ = paths.kernel.between(scaled, paths.x)
    return (paths.mean[:, None] + prior + product(k, paths.weights[:, 0])[..., 0],)


def _values_and_gradients(paths: Paths, x: Float[Tensor, "g s d"]) -> tuple[Tensor, Tensor]:
    d = x.shape[-1]
    scaled = (x - CENTRE) / paths.scale[:, None, :]
    phases = _phases(paths.waves[:, 0], scaled)
    prior = product(phases.cos(), paths.amplitudes[:, 0])[..., 0]
    slope = product(phases.sin(), paths.slopes[:, 0])[..., :d]
    k, h = paths.kernel.between(scaled, paths.x)
    weights = paths.weights[:, 0]
    value = paths.mean[:, None] + prior + product(k, weights)[..., 0]
    w = h * weights[:, None, :, 0]
    moved = product(w, paths.x) - w.sum(dim=-1)[..., None] * scaled
    return value, (moved - slope) / paths.scale[:, None, :]


def paths_of(
    posterior: Posterior, streams: Sequence[Stream], count: int, *, frequencies: int = FREQUENCIES
) -> Paths:
    """Draw `count` paths of each GP from its own stream; nothing may be pending on the posterior.

    The first paths are the same however many are drawn. `frequencies` is an even number.
    """
    b, n, d = posterior.x.shape
    # Rows that do not count have no weight, and their phases would be enormous.
    like = torch.where(posterior.mask[..., None], posterior.x, torch.zeros_like(posterior.x))
    waves, amplitudes = _waves(posterior, streams, count, frequencies)
    slopes = (waves * amplitudes[..., None, :]).transpose(2, 3).contiguous()
    pairs = pad(amplitudes[..., None], (0, 1))
    blank = torch.zeros(b, count, n, 2, dtype=like.dtype, device=like.device)
    hyper = posterior.hyperparameters
    prior = Paths(
        posterior.kernel, hyper.mean * 0, posterior.scale, like, blank, waves, pairs, slopes
    )
    rows = CENTRE + like * posterior.scale[:, None, :]
    drawn = prior.value(rows[:, None].expand(b, count, n, d))
    noise = torch.stack([s.at("noise").normal(count, n, like=like) for s in streams])
    noisy = drawn + hyper.noise.sqrt()[:, None, None] * noise
    noisy = torch.where(posterior.mask[:, None, :], noisy, torch.zeros_like(noisy))
    whitened = product(noisy, posterior.whitening.transpose(1, 2))
    weights = posterior.weights[:, None, :, 0] - product(whitened, posterior.whitening)
    return Paths(
        posterior.kernel,
        hyper.mean,
        posterior.scale,
        like,
        pad(weights[..., None], (0, 1)),
        waves,
        pairs,
        slopes,
    )


def _waves(
    posterior: Posterior, streams: Sequence[Stream], count: int, frequencies: int
) -> tuple[Float[Tensor, "b m e f"], Float[Tensor, "b m f"]]:
    """Draw frequencies with phases below them, and amplitudes.

    w cos p + v sin p with normal w and v is one cosine, of amplitude √(w² + v²) and phase −∠(w, v).
    The frequencies are one scrambled Sobol set, shifted for each path modulo 1 (quasi-random
    features: Avron, Sindhwani, Yang and Mahoney, JMLR 2016), mapped to normal ones, and for a
    t distribution divided by the root of a mean of squares of as many further columns as it has
    degrees of freedom.
    """
    like, d = posterior.x, posterior.x.shape[2]
    degrees = posterior.kernel.degrees.expand(len(like))[:, None, None, None]
    base = uniform_set(frequencies, d + _DEGREES, "frequencies").to(like)
    shifts = torch.stack([s.at("shift").uniform(count, d + _DEGREES, like=like) for s in streams])
    cube = (base.T[None, None] + shifts[..., None]).remainder(1.0)
    normal = torch.special.ndtri(cube.clamp(2.0**-53, 1 - 2.0**-53))
    omega, rest = normal[:, :, :d], normal[:, :, d:]
    used = (torch.arange(_DEGREES, device=like.device, dtype=torch.int64)[:, None] < degrees).to(
        like
    )
    squares = (rest * rest * used).sum(dim=2, keepdim=True)
    omega = torch.where(degrees > 0, omega / (squares / degrees.clamp(min=1)).sqrt(), omega)
    pair = torch.stack([s.at("prior").normal(count, 2, frequencies, like=like) for s in streams])
    w, v = pair[:, :, 0].contiguous(), pair[:, :, 1].contiguous()
    phase = -torch.atan2(v, w)[:, :, None]
    waves = pad(torch.cat([omega, phase], dim=2), (0, 0, 0, (d + 1) % 2))
    return waves, (w * w + v * v).sqrt() / math.sqrt(frequencies)
