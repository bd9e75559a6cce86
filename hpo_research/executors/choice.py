"""Which executor runs a problem."""

from hpo_research.executors.batches import Batches, Simulated
from hpo_research.executors.protocol import Executor
from hpo_research.problems.protocol import Problem
from hpo_research.store import Store


def executor_for(
    problem: Problem, execution: str, device: str, store: Store, runs: int
) -> Executor:
    """Return the executor of a problem: batches in this process, a clock, or workers."""
    if execution == "simulated":
        return Simulated(problem, device)
    return Batches(problem, device)
