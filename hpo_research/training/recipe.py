"""What one network is trained with, and for which epochs."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, Rule, flag, number, one_of, whole
from hpo_research.rng import Stream

_MULTIPLE = 4  # images of a batch: times 8 channels or more, whole vectors of every kernel
_RULES: Mapping[str, Rule] = {
    "activation": one_of(("relu", "gelu", "silu")),
    "optimizer": one_of(("sgd", "nesterov", "adam", "adamw", "rmsprop")),
    "schedule": one_of(("constant", "cosine", "step")),
    "normalisation": one_of(("none", "layer", "group")),
    **dict.fromkeys(("learning_rate", "weight_decay"), number(least=0)),
    **dict.fromkeys(("momentum", "dropout", "label_smoothing", "warmup"), number(least=0, below=1)),
    **{"batch_size": whole(), "width": whole(), "depth": whole(), "shift": whole(0), "flip": flag},
}


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one network, in their standard meanings; a space names any of them.

    `optimizer` is sgd, nesterov, adam, adamw or rmsprop, each as in `torch.optim`. `momentum` is
    that of sgd, nesterov and rmsprop (PyTorch's form, no dampening) and the first decay rate β₁ of
    adam and adamw. `weight_decay` is decoupled in adamw and an L2 penalty in the others, on every
    parameter. `schedule` (constant, cosine, step) is taken step by step over the task's horizon:
    cosine falls to 0, step divides the rate by ten after a half and three quarters; `warmup` is the
    share of the horizon in which the rate rises linearly before. `width` counts hidden units or
    channels, `depth` hidden layers or convolutions. `normalisation` stands between a hidden layer
    and its activation: layer norm, or group norm with four groups (two or one where the width has
    no such divisor), with gains and shifts. `dropout` is the probability that a unit is dropped
    while training; survivors are scaled up. `label_smoothing` moves that share of a label evenly
    to all classes. `shift` moves training images by up to so many pixels either way, zeros
    entering; `flip` mirrors half of them left to right. A last batch that is not full is left out.
    Raises `ProblemError`.
    """

    learning_rate: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 32
    width: int = 64
    dropout: float = 0.0
    activation: str = "relu"
    optimizer: str = "sgd"
    depth: int = 2
    schedule: str = "constant"
    warmup: float = 0.0
    label_smoothing: float = 0.0
    normalisation: str = "none"
    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        mistakes = Mistakes.of(self, _RULES)
        if not mistakes.lines and self.batch_size % _MULTIPLE:
            given = f"(batch_size={self.batch_size})"
            mistakes.add(f"{given}: batch_size must be a multiple of {_MULTIPLE}")
        mistakes.refuse(ProblemError)


@dataclass(frozen=True)
class Task:
    """One network to train over the epochs (start, until].

    All its randomness comes from `stream`. `state` is what `Result.state` gave at epoch `start`,
    None when start is 0. `horizon` is the number of epochs that its schedule is laid out for: the
    most that it may ever be trained, never `until`, so that a pause changes no step. Raises
    `ProblemError` where a schedule has none, or one that ends before `until`, and where there is a
    state without a start or the other way round.
    """

    recipe: Recipe
    stream: Stream
    until: int
    start: int = 0
    state: Mapping[str, Tensor] | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        if (self.start > 0) != (self.state is not None):
            given = "none" if self.state is None else "one"
            raise ProblemError(
                f"Task(start={self.start}, state=...): a network that resumes needs the state it "
                f"had at `start`, a new one has none; got {given}"
            )
        if self.recipe.schedule == "constant" and self.recipe.warmup == 0:
            return
        if self.horizon is None or self.horizon < self.until:
            raise ProblemError(
                f"Task(until={self.until}, horizon={self.horizon}): a schedule needs a horizon of "
                "at least `until`; give the problem's max_epochs"
            )
