"""Images and labels for training, validation and a test that no search sees."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor

from hpo_research.errors import ProblemError

_MULTIPLE = 32  # images: what a kernel reads of a network then has no ragged tail


@dataclass(frozen=True)
class Data:
    """A fixed split of labelled images, flattened in the order of `shape`.

    `shape` is (channels, height, width). Every part must have a multiple of 32 images. Raises
    `ProblemError`.
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
        pixels = self.images.shape[1]
        if channels * height * width != pixels:
            raise ProblemError(f"Data(shape={self.shape}): images have {pixels} numbers each")
        for name in ("images", "validation_images", "test_images"):
            count = len(getattr(self, name))
            if count == 0 or count % _MULTIPLE:
                raise ProblemError(
                    f"Data({name}=...): expected a multiple of {_MULTIPLE} images, got {count}; "
                    "leave a few out"
                )

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
