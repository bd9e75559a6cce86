"""Image classifiers on scikit-learn's 8×8 digits, trained as one batch.

1,024 images are for training and 768 for validation, stratified by digit and drawn once with a
constant seed; five of the 1,797 are left out, so that every batch size divides the training set.
Pixels are scaled to [0, 1]. Every epoch reports `accuracy` and `log_loss` on the validation images
and `train_loss`, the mean loss of the epoch's steps with dropout. Learning rates are constant. A
configuration may diverge: its log loss is then near its limit of 15.95, or NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from hpo_research.errors import ProblemError
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Direction, Report, Segment
from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.training import CNN, MLP, Architecture, Data, Recipe, Result, Task, train

Metric = Literal["log_loss", "accuracy"]

_SPLIT_SEED = 0
_DIRECTIONS: dict[str, Direction] = {"log_loss": "minimize", "accuracy": "maximize"}


@cache
def digits() -> Data:
    """Load the digits and split them."""
    images, labels = load_digits(return_X_y=True)
    train_images, validation_images, train_labels, validation_labels = train_test_split(
        images, labels, train_size=1024, test_size=768, stratify=labels, random_state=_SPLIT_SEED
    )
    return Data(
        torch.from_numpy(train_images).float() / 16,
        torch.from_numpy(train_labels),
        torch.from_numpy(validation_images).float() / 16,
        torch.from_numpy(validation_labels),
        classes=10,
    )


@dataclass(frozen=True)
class Digits:
    """What both digit problems share: how far to train, and the metric that is optimised.

    `metric` is `log_loss` (minimised) or `accuracy` (maximised); both are reported. Raises
    `ProblemError`.
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
        return _evaluate(MLP(), segments, device)


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
        return _evaluate(CNN(), segments, device)


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


def _evaluate(architecture: Architecture, segments: Sequence[Segment], device: str) -> Evaluation:
    tasks = [
        Task(_recipe(segment.config), segment.stream, segment.until, segment.start, segment.state)
        for segment in segments
    ]
    training = train(tasks, architecture, digits(), device)
    dropped: set[int] | None = None
    while True:
        try:
            results = training.send(dropped)
        except StopIteration:
            return
        keys = yield [_report(segments[result.id], result) for result in results]
        dropped = {id for id, segment in enumerate(segments) if segment.key in (keys or ())}


def _recipe(config: Config) -> Recipe:
    return Recipe(**config)  # type: ignore[arg-type]


def _report(segment: Segment, result: Result) -> Report:
    metrics = {
        "accuracy": result.accuracy,
        "log_loss": result.log_loss,
        "train_loss": result.train_loss,
    }
    return Report(segment.run, segment.trial, result.epoch, metrics, state=result.state)
