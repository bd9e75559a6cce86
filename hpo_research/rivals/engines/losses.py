"""What a library that asks for one configuration at several fidelities was told of its trials."""


class Losses:
    """Losses by trial and epoch. A trial that is over has its last loss at every later epoch."""

    def __init__(self) -> None:
        self._known: dict[int, dict[int, float]] = {}
        self._over: dict[int, float] = {}

    def add(self, number: int, epoch: int, loss: float, *, is_over: bool) -> None:
        """Take the loss of a trial after an epoch."""
        self._known.setdefault(number, {})[epoch] = loss
        if is_over:
            self._over[number] = loss

    def at(self, number: int, epoch: int) -> float | None:
        """Return a trial's loss after an epoch, what it ended with, or None for neither."""
        return self._known.get(number, {}).get(epoch, self._over.get(number))

    def can_reach(self, number: int, epoch: int) -> bool:
        """Return whether a trial can be trained on to an epoch."""
        return number not in self._over and epoch > max(self._known.get(number, {}), default=0)
