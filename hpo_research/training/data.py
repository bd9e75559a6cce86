"""Images and labels for training and validation."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class Data:
    """A fixed split of labelled images, pixels flattened row by row.

    Every batch size must divide the number of training images, and both numbers of images must be
    multiples of 32, so that no step and no kernel sees a ragged tail.
    """

    images: Float32[Tensor, "n pixels"]
    labels: Int64[Tensor, " n"]
    validation_images: Float32[Tensor, "m pixels"]
    validation_labels: Int64[Tensor, " m"]
    classes: int

    def to(self, device: str) -> "Data":
        """Return the same split on a device."""
        return Data(
            self.images.to(device),
            self.labels.to(device),
            self.validation_images.to(device),
            self.validation_labels.to(device),
            self.classes,
        )
