"""What an acquisition function is to those who maximise it, and its scores at fixed points."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class AcquisitionFunction(Protocol):
    """Something to maximise over the encoded space, one for each run."""

    @property
    def is_recordable(self) -> bool:
        """Whether computing it on a GPU neither waits for it nor copies anything there."""
        ...

    def value(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q"]:
        """Return the acquisition values of any number of points."""
        ...

    def value_and_gradient(
        self, x: Float[Tensor, "b q d"]
    ) -> tuple[Float[Tensor, "b q"], Float[Tensor, "b q d"]]:
        """Return the values and their derivatives by the points."""
        ...

    def take(self, groups: Int[Tensor, " k"] | slice) -> "AcquisitionFunction":
        """Return the surfaces of some runs only."""
        ...

    def pending(self, x: Float[Tensor, "b d"]) -> "AcquisitionFunction":
        """Return the surfaces when one more point of each run is under way."""
        ...

    def cached(self, x: Float[Tensor, "b r d"]) -> "CachedScores":
        """Return points whose values are wanted again whenever a further point is under way."""
        ...


@runtime_checkable
class CachedScores(Protocol):
    """A surface together with its values at fixed points, kept up as points become pending."""

    @property
    def surface(self) -> AcquisitionFunction:
        """The surface as it is now."""
        ...

    def values(self) -> Float[Tensor, "b r"]:
        """Return its values at the fixed points."""
        ...

    def pending(self, x: Float[Tensor, "b d"]) -> "CachedScores":
        """Return the same when one more point of each run is under way."""
        ...


@dataclass(frozen=True)
class UncachedScores:
    """Scores that are computed anew each time: right for any acquisition function."""

    surface: AcquisitionFunction
    x: Float[Tensor, "b r d"]

    def values(self) -> Float[Tensor, "b r"]:
        """Return the surface's values at the fixed points."""
        return self.surface.value(self.x)

    def pending(self, x: Float[Tensor, "b d"]) -> "UncachedScores":
        """Return the same when one more point of each run is under way."""
        return UncachedScores(self.surface.pending(x), self.x)
