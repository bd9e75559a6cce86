"""Images and labels for training, validation and a test that no search sees."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor

from hpo_research.errors import ProblemError
from hpo_research.training.layout import CLASSES

_MULTIPLE = 32  # images: what a kernel reads of a network then has no ragged tail


@dataclass(frozen=True)
class Data:
    """A fixed split of labelled images, flattened in the order of `shape`.

    `shape` is (channels, height, width). Every part must have a multiple of 32 images, with a label
    each: a class, counted from 0, of at most 16. Raises `ProblemError`.
    """

    images: Float32[Tensor, "n pixels"]
    labels: Int64[Tensor, " n"]
    validation_images: Float32[Tensor, "m pixels"]
    validation_labels: Int64[Tensor, " m"]
    test_images: Float32[Tensor, "t pixels"]
    test_labels: Int64[Tensor, " t"]
    classes: int
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        channels, height, width = self.shape
        if not 1 <= self.classes <= CLASSES:
            raise ProblemError(
                f"Data(classes={self.classes!r}): expected from 1 to {CLASSES} classes"
            )
        for part in ("", "validation_", "test_"):
            images, labels = getattr(self, f"{part}images"), getattr(self, f"{part}labels")
            if channels * height * width != images.shape[1]:
                raise ProblemError(
                    f"Data(shape={self.shape}): {part}images have {images.shape[1]} numbers each, "
                    f"expected {channels * height * width}"
                )
            if len(images) == 0 or len(images) % _MULTIPLE:
                raise ProblemError(
                    f"Data({part}images=...): expected a multiple of {_MULTIPLE} images, got "
                    f"{len(images)}; leave a few out"
                )
            check_labels(f"{part}labels", labels, len(images), self.classes)

    def to(self, device: str) -> "Data":
        """Return the same split on a device."""
        return Data(
            self.images.to(device),
            self.labels.to(device),
            self.validation_images.to(device),
            self.validation_labels.to(device),
            self.test_images.to(device),
            self.test_labels.to(device),
            self.classes,
            self.shape,
        )


def check_labels(name: str, labels: Tensor, count: int, classes: int) -> None:
    """Raise `ProblemError` unless there is a class for each of so many images."""
    if len(labels) != count:
        raise ProblemError(
            f"Data({name}=...): expected a label for each of the {count} images, got {len(labels)}"
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= classes:
        raise ProblemError(
            f"Data({name}=...): expected integers from 0 to {classes - 1}, got {labels.dtype} "
            f"from {labels.min().item()} to {labels.max().item()}; count the classes from 0"
        )
