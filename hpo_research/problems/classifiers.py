"""Image classifiers of two architectures on fixed data sets, trained as one batch.

Every epoch reports `accuracy` and `log_loss` on the validation images, which a search may use,
`test_accuracy` and `test_log_loss` on the test images, which it may not, and `train_loss`, the mean
loss of the epoch's steps, dropout and label smoothing included. A configuration may diverge: its
log loss is then near its limit of 15.95, or all is NaN. `images.py` has the sets and their splits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, one_of, whole
from hpo_research.problems import images
from hpo_research.problems.images import IMAGES, Images
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.stacks import recipe, trained
from hpo_research.records import Direction, Segment
from hpo_research.space import Categorical, Config, Float, Integer, Parameter, SearchSpace
from hpo_research.text import quoted
from hpo_research.training import CNN, MLP, Architecture, Data
from hpo_research.training.stack import Signature

Metric = Literal["log_loss", "accuracy"]

DIRECTIONS: Mapping[str, Direction] = {"log_loss": "minimize", "accuracy": "maximize"}
"""The metrics that can be optimised."""


@dataclass(frozen=True)
class Network:
    """An architecture for images of a shape, how wide its networks may be, and what they may have.

    `width` counts hidden units, or channels.
    """

    build: Callable[[tuple[int, int, int]], Architecture]
    width: Integer
    normalisation: str


NETWORKS: Mapping[str, Network] = {
    "mlp": Network(lambda shape: MLP(math.prod(shape)), Integer(16, 128, scale="log"), "layer"),
    "cnn": Network(CNN, Integer(4, 32, scale="log"), "group"),
}
"""The architectures by name."""


@dataclass(frozen=True)
class Classifier:
    """Networks of one architecture on one data set: `Classifier("fashion", "cnn")`.

    `images` is one of `images.IMAGES`, `network` one of `NETWORKS`. `metric` is `log_loss`
    (minimised) or `accuracy` (maximised); both are reported. `data` names an `.npz` file with the
    images, for the sets that are fetched from OpenML otherwise; `digest` tells files apart by their
    content, wherever they lie. Beside that nothing is read or fetched before a trial is trained.
    Raises `ProblemError`, `MissingDataError` where there is no such file, and what `images.load`
    raises when trained.
    """

    images: str
    network: str
    max_epochs: int = 27
    metric: Metric = "log_loss"
    data: str | None = field(default=None, metadata={"identity": False})
    name: str = ""
    digest: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        call = f"Classifier({quoted(self.images)}, {quoted(self.network)})"
        rules = {"images": one_of(IMAGES), "network": one_of(NETWORKS)}
        rules |= {"metric": one_of(DIRECTIONS), "max_epochs": whole()}
        Mistakes.of(self, rules, call).refuse(ProblemError)
        name = name_of(call, self.name, f"{self.images}-{self.network}")
        if self.data is not None:
            self._check_data(call)
        object.__setattr__(self, "name", name)

    def _check_data(self, call: str) -> None:
        if not self.source.openml:
            raise ProblemError(
                f"{call}: {self.source.title} come with a package; leave out "
                f"data={quoted(self.data)}"
            )
        if not isinstance(self.data, str) or not self.data.endswith(".npz"):
            raise ProblemError(
                f"{call}: data must be the name of an .npz file, got {quoted(self.data)}"
            )
        object.__setattr__(self, "digest", images.digest(self.images, self.data))

    @property
    def source(self) -> Images:
        """The data set: its shape, source and licence."""
        return IMAGES[self.images]

    @property
    def direction(self) -> Direction:
        """Log loss is minimised, accuracy maximised."""
        return DIRECTIONS[self.metric]

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

    @cached_property
    def space(self) -> SearchSpace:
        """The hyperparameters; `width` counts hidden units of a perceptron, else channels."""
        return _space(self.images, self.network)

    @cached_property
    def architecture(self) -> Architecture:
        """The architecture for the images' shape."""
        return NETWORKS[self.network].build(self.source.shape)

    def shape_of(self, config: Config) -> Signature:
        """Return what networks have in common that train in one stack."""
        return Signature.of(recipe(config), self.architecture)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train all segments as one batch of stacked networks."""
        if segments:
            yield from trained(segments, self.architecture, self.read(), self.max_epochs, device)

    def read(self) -> Data:
        """Return the split images. Raises `ProblemError` where the file has changed."""
        now = None if self.data is None else images.digest(self.images, self.data)
        if now != self.digest:
            raise ProblemError(
                f"{self.data}: holds other images ({now}) than when the problem was made "
                f"({self.digest}); make the problem again"
            )
        return images.load(self.images, self.data)


def _space(images: str, network: str) -> SearchSpace:
    """Return eight hyperparameters for the digits, and those of larger networks besides."""
    known = NETWORKS[network]
    basic: dict[str, Parameter] = {
        "learning_rate": Float(1e-4, 1.0, scale="log"),
        "momentum": Float(0.0, 0.99, scale="reverse_log"),
        "weight_decay": Float(1e-6, 1e-1, scale="log"),
        "batch_size": Categorical((32, 64, 128, 256), ordered=True),
        "width": known.width,
        "dropout": Float(0.0, 0.6),
        "activation": Categorical(("relu", "gelu", "silu")),
        "optimizer": Categorical(("sgd", "adamw")),
    }
    if images == "digits":
        return SearchSpace(basic)
    larger: dict[str, Parameter] = {
        "depth": Integer(1, 3),
        "normalisation": Categorical(("none", known.normalisation)),
        "schedule": Categorical(("constant", "cosine")),
        "warmup": Float(0.0, 0.2),
        "label_smoothing": Float(0.0, 0.2),
    }
    photographs: dict[str, Parameter] = {
        "shift": Integer(0, 4),
        "flip": Categorical((False, True)),
    }
    return SearchSpace({**basic, **larger, **(photographs if images == "cifar10" else {})})
