"""Matrix products and inverses whose bits, on the CPU, do not depend on the size of the batch."""

import torch
from jaxtyping import Float
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
