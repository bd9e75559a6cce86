"""What a strategy is: frozen options and one pure method."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hpo_research.options import instance
from hpo_research.records import Ask, Run


@runtime_checkable
class Strategy(Protocol):
    """Decide what each run does next from everything known about it.

    `ask` is pure: the same runs give the same asks, a run's ask does not depend on the other runs
    beside it, and nothing is remembered between calls. `slots[i]` is how many trials of run i may
    be started or resumed now; with 0 slots only stops are wanted, and the call must be cheap. A
    field `batch`, where a strategy has one, is how many slots it gets if the experiment leaves
    that open (`parallel=None`).
    """

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return one `Ask` for each run, in the order of `runs`."""
        ...


A_STRATEGY = instance(Strategy, "a strategy, such as Random()")
"""What an option must be that is a strategy inside another."""
