"""The trial in the lead, while values come and change: no look at the others each time."""

import heapq
from collections.abc import Sequence

from hpo_research.records import Direction, Trial, sign


class Lead:
    """Says which trial `Run.best` would name, at the cost of the values that came since."""

    def __init__(self, direction: Direction, trials: Sequence[Trial]) -> None:
        self._sign = sign(direction)
        self._heap: list[tuple[float, int]] = []
        for trial in trials:
            self.enter(trial)

    def enter(self, trial: Trial) -> None:
        """Learn what a trial is worth now."""
        if trial.value is not None:
            heapq.heappush(self._heap, (self._sign * trial.value, trial.id))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the trial with the best value, the lowest id among equals; None without any."""
        while self._heap:
            value, trial = self._heap[0]
            now = trials[trial].value
            if now is not None and self._sign * now == value:
                return trials[trial]
            heapq.heappop(self._heap)  # it has another value by now, or has failed
        return None
