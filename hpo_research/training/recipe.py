"""What one network is trained with, and for which epochs."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from hpo_research.rng import Stream


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one network, in their standard meanings.

    `momentum` is SGD's momentum (PyTorch's form, no dampening) and AdamW's first decay rate β₁.
    `weight_decay` is an L2 penalty in SGD and decoupled in AdamW, on weights and biases alike.
    `dropout` is the probability that a unit is dropped while training; survivors are scaled up.
    """

    learning_rate: float
    momentum: float
    weight_decay: float
    batch_size: int
    width: int
    dropout: float
    activation: str
    optimizer: str


@dataclass(frozen=True)
class Task:
    """One network to train over the epochs (start, until].

    All its randomness comes from `stream`. `state` is what `Result.state` gave at epoch `start`,
    None when start is 0.
    """

    recipe: Recipe
    stream: Stream
    until: int
    start: int = 0
    state: Mapping[str, Tensor] | None = None
