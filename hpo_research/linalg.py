"""Products, inverses and Cholesky factors whose bits, on the CPU, no batch changes."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad


def product(a: Float[Tensor, "b n k"], b: Float[Tensor, "b k m"]) -> Float[Tensor, "b n m"]:
    """Return the batched product, each of whose matrices is the same whatever others stand by.

    BLAS takes another path for one column, and for matrices that do not begin at a multiple of
    16 bytes; in a batch, those of an odd number of entries do not. So every side that is odd is
    padded with zeros.
    """
    n, k = a.shape[1:]
    m = b.shape[2]
    if n % 2 == k % 2 == m % 2 == 0:
        return torch.bmm(a, b)
    a = pad(a, (0, k % 2, 0, n % 2))
    b = pad(b, (0, m % 2, 0, k % 2))
    return torch.bmm(a, b)[:, :n, :m]


def inverse_of(root: Float[Tensor, "b n n"]) -> Float[Tensor, "b n n"]:
    """Return (LL')⁻¹ for lower factors L, on the CPU padded to an even size for the same reason."""
    n = root.shape[1]
    if not root.is_cpu:  # there `cholesky_inverse` takes one matrix of a batch after another
        eye = torch.eye(n, dtype=root.dtype, device=root.device).expand_as(root)
        half = torch.linalg.solve_triangular(root, eye, upper=False)
        return torch.bmm(half.mT, half)
    if n % 2 == 0:
        return torch.cholesky_inverse(root)
    padded = pad(root, (0, 1, 0, 1))
    padded[:, n, n] = 1.0
    return torch.cholesky_inverse(padded)[:, :n, :n]


JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""What is added to the diagonal, the next only where the one before failed."""


def factorised(
    k: Float[Tensor, "b n n"], noise: Float[Tensor, " b"], mask: Bool[Tensor, "b n"]
) -> Float[Tensor, "b n n"]:
    """Return the lower factor of K with 1 + σ² on its diagonal, 1 where a row does not count.

    Off the diagonal `k` is 0 wherever a row does not count. A factor that fails even with the
    largest jitter is NaN.
    """
    return lower_factor(_with_noise(k, noise, mask), mask.to(k))


def attempted(
    k: Float[Tensor, "b n n"], noise: Float[Tensor, " b"], mask: Bool[Tensor, "b n"]
) -> Float[Tensor, "b n n"]:
    """Return the factor of `factorised` without a jitter, NaN where there is none: nobody looks."""
    cholesky, info = torch.linalg.cholesky_ex(_with_noise(k, noise, mask))
    return torch.where((info > 0)[:, None, None], torch.nan, cholesky)


def _with_noise(k: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
    k = k.clone()
    k.diagonal(dim1=1, dim2=2).copy_(1 + noise[:, None] * mask)
    return k


def lower_factor(k: Float[Tensor, "b n n"], bump: Float[Tensor, "b n"]) -> Float[Tensor, "b n n"]:
    """Return the lower factor of K, with a jitter times `bump` on its diagonal where K alone fails.

    NaN where the largest jitter fails too.
    """
    cholesky: Tensor
    cholesky, info = torch.linalg.cholesky_ex(k)
    for jitter in JITTERS[1:]:
        failed = (info > 0).nonzero()[:, 0]
        if failed.numel() == 0:
            return cholesky
        again, info_again = torch.linalg.cholesky_ex(
            k[failed] + torch.diag_embed(jitter * bump[failed])
        )
        cholesky[failed], info[failed] = again, info_again
    return cholesky.masked_fill_((info > 0)[:, None, None], torch.nan)
