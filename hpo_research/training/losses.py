"""Targets and losses of stacked networks, with each network's own label smoothing."""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from hpo_research.training.recipe import Recipe

# scikit-learn clips probabilities at the resolution of their dtype; so does the log loss here.
_MOST_LOSS = -log(torch.finfo(torch.float32).eps)

Smoothing = Float32[Tensor, "b 1 1"]
"""The share of a label that each network moves to all classes."""


def smoothing_of(recipes: Sequence[Recipe], device: torch.device) -> Smoothing | None:
    """Return the label smoothing of stacked networks; None where nobody smooths."""
    shares = [recipe.label_smoothing for recipe in recipes]
    return (
        torch.tensor(shares, dtype=torch.float32, device=device).view(-1, 1, 1)
        if any(shares)
        else None
    )


def smoothed(
    targets: Float32[Tensor, "b n c"], smoothing: Smoothing, classes: int
) -> Float32[Tensor, "b n c"]:
    """Move a share of one-hot targets evenly to all classes (arXiv:1512.00567, section 7)."""
    soft = targets * (1 - smoothing)
    soft[..., :classes] += smoothing / classes
    return soft


def training_losses(
    logits: Float32[Tensor, "b n c"],
    labels: Int64[Tensor, "b n"],
    smoothing: Smoothing | None,
    classes: int,
) -> Float64[Tensor, " b"]:
    """Return each network's mean cross-entropy to its own targets."""
    scores = torch.log_softmax(logits, -1)
    loss = -scores.gather(2, labels.unsqueeze(-1)).squeeze(-1)
    if smoothing is not None:
        share = smoothing.squeeze(-1)
        soft = loss * (1 - share) - scores[..., :classes].mean(-1) * share
        # Not only a shortcut: 0 times an infinite loss of another class would be NaN.
        loss = torch.where(share > 0, soft, loss)
    return loss.double().mean(-1)


def accuracy_and_log_loss(
    logits: Float32[Tensor, "b n c"], labels: Int64[Tensor, " n"]
) -> tuple[Float64[Tensor, " b"], Float64[Tensor, " b"]]:
    """Return each network's accuracy and log loss; both are NaN where the scores are not finite.

    The log loss clips probabilities as scikit-learn does, so that it is at most 15.95.
    """
    labels = labels.expand(len(logits), -1)
    scores = torch.log_softmax(logits, -1)
    each = -scores.gather(2, labels.unsqueeze(-1)).squeeze(-1)
    loss = each.clamp(max=_MOST_LOSS).double().mean(-1)
    accuracy = (logits.argmax(-1) == labels).double().mean(-1)
    return torch.where(loss.isnan(), loss, accuracy), loss
