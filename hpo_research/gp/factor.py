"""Cholesky factors of a batch, where one that fails touches no other."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

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
    root, info = torch.linalg.cholesky_ex(_with_noise(k, noise, mask))
    return torch.where((info > 0)[:, None, None], torch.nan, root)


def _with_noise(k: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
    k = k.clone()
    k.diagonal(dim1=1, dim2=2).copy_(1 + noise[:, None] * mask)
    return k


def lower_factor(k: Float[Tensor, "b n n"], bump: Float[Tensor, "b n"]) -> Float[Tensor, "b n n"]:
    """Return the lower factor of K, with a jitter times `bump` on its diagonal where K alone fails.

    NaN where the largest jitter fails too.
    """
    root: Tensor
    root, info = torch.linalg.cholesky_ex(k)
    for jitter in JITTERS[1:]:
        failed = (info > 0).nonzero()[:, 0]
        if failed.numel() == 0:
            return root
        again, info_again = torch.linalg.cholesky_ex(
            k[failed] + torch.diag_embed(jitter * bump[failed])
        )
        root[failed], info[failed] = again, info_again
    return root.masked_fill_((info > 0)[:, None, None], torch.nan)
