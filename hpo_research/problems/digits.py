"""Image classifiers on scikit-learn's 8×8 digits, trained as one batch.

1,024 images are for training, 512 for validation and 256 for a test, stratified by digit and drawn
once with a constant seed; five of the 1,797 are left out, so that every batch size divides the
training set. Pixels are scaled to [0, 1]. Every epoch reports `accuracy` and `log_loss` on the
validation images, `test_accuracy` and `test_log_loss` on the test images, which no search sees, and
`train_loss`, the mean loss of the epoch's steps with dropout. Learning rates are constant. A
configuration may diverge: its log loss is then near its limit of 15.95, or NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from hpo_research.errors import ProblemError
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.stacks import trained
from hpo_research.records import Direction, Segment
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.training import CNN, MLP, Data

Metric = Literal["log_loss", "accuracy"]

_SPLIT_SEED = 0
_DIRECTIONS: dict[str, Direction] = {"log_loss": "minimize", "accuracy": "maximize"}


@cache
def digits() -> Data:
    """Load the digits and split them."""
    images, labels = load_digits(return_X_y=True)
    train_images, images, train_labels, labels = _split(images, labels, 1024, 768)
    validation_images, test_images, validation_labels, test_labels = _split(
        images, labels, 512, 256
    )
    return Data(
        *_tensors(train_images, train_labels),
        *_tensors(validation_images, validation_labels),
        *_tensors(test_images, test_labels),
        classes=10,
        shape=(1, 8, 8),
    )


def _split(
    images: np.ndarray, labels: np.ndarray, first: int, second: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the images of both parts, then the labels of both."""
    return tuple(
        train_test_split(
            images,
            labels,
            train_size=first,
            test_size=second,
            stratify=labels,
            random_state=_SPLIT_SEED,
        )
    )


def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images).float() / 16, torch.from_numpy(labels)


@dataclass(frozen=True)
class Digits:
    """What both digit problems share: how far to train, and the metric that is optimised.

    `metric` is `log_loss` (minimised) or `accuracy` (maximised), on the validation images; both are
    reported. Raises `ProblemError`.
    """

    max_epochs: int = 27
    metric: Metric = "log_loss"

    def __post_init__(self) -> None:
        call = f"{type(self).__name__}(max_epochs={self.max_epochs!r}, metric={self.metric!r})"
        if self.metric not in _DIRECTIONS:
            raise ProblemError(f"{call}: metric must be one of {', '.join(_DIRECTIONS)}")
        whole = isinstance(self.max_epochs, int) and not isinstance(self.max_epochs, bool)
        if not whole or self.max_epochs < 1:
            raise ProblemError(f"{call}: max_epochs must be a whole number from 1")

    @property
    def direction(self) -> Direction:
        """Log loss is minimised, accuracy maximised."""
        return _DIRECTIONS[self.metric]

    @property
    def can_resume(self) -> bool:
        """Yes: a state holds the parameters and the optimiser's moments."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """No: networks are really trained."""
        return False

    @property
    def optimum(self) -> float | None:
        """Unknown."""
        return None


@dataclass(frozen=True)
class DigitsMLP(Digits):
    """Perceptrons on the digits: two hidden layers of `width` units, dropout after each."""

    name: str = "digits-mlp"

    @cached_property
    def space(self) -> SearchSpace:
        """Eight hyperparameters; `width` counts hidden units."""
        return _space(Integer(16, 128, scale="log"))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train all segments as one batch of stacked perceptrons."""
        return trained(segments, MLP(), digits(), self.max_epochs, device)


@dataclass(frozen=True)
class DigitsCNN(Digits):
    """Convolutional networks on the digits: two 3×3 convolutions of `width` channels, pooled."""

    name: str = "digits-cnn"

    @cached_property
    def space(self) -> SearchSpace:
        """Eight hyperparameters; `width` counts channels."""
        return _space(Integer(4, 32, scale="log"))

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train all segments as one batch of stacked convolutional networks."""
        return trained(segments, CNN(), digits(), self.max_epochs, device)


def _space(width: Integer) -> SearchSpace:
    return SearchSpace(
        learning_rate=Float(1e-4, 1.0, scale="log"),
        momentum=Float(0.0, 0.99, scale="reverse_log"),
        weight_decay=Float(1e-6, 1e-1, scale="log"),
        batch_size=Categorical((32, 64, 128, 256), ordered=True),
        width=width,
        dropout=Float(0.0, 0.6),
        activation=Categorical(("relu", "gelu", "silu")),
        optimizer=Categorical(("sgd", "adamw")),
    )
