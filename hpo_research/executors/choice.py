"""Which executor runs a problem: this process, a simulated clock, workers, or programs."""

from hpo_research.device import Compute
from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.process_tree import ProcessId, environment
from hpo_research.executors.protocol import Executor
from hpo_research.executors.scripts import ScriptExecutor
from hpo_research.executors.simulated import SimulatedExecutor
from hpo_research.problems.function import function_of
from hpo_research.problems.protocol import Problem
from hpo_research.problems.script import Script
from hpo_research.store import Store
from hpo_research.threads import processors


def executor_for(problem: Problem, execution: str, compute: Compute, store: Store) -> Executor:
    """Return the executor of a problem.

    A script runs by itself; a user's function in worker processes, as every problem does
    asynchronously;
    `workers` is the function's own number, or one a core. The store remembers each process, so
    that survivors of a killed experiment are found.
    """
    if execution == "simulated":
        return SimulatedExecutor(problem, compute.device)

    def remember(process: ProcessId) -> None:
        store.add_process(process.pid, process.created, process.host)

    if isinstance(problem, Script):
        return ScriptExecutor(
            problem,
            folder=store.folder,
            lock_step=execution == "lock-step",
            device=compute.device,
            inherited=environment(compute.threads, store.tag),
            on_start=remember,
        )
    function = function_of(problem)
    if function is None and execution == "lock-step":
        return LockStepExecutor(problem, compute.device)
    workers = None if function is None else function.workers
    return ProcessExecutor(
        problem,
        workers=workers or processors(),
        lock_step=execution == "lock-step",
        compute=compute,
        on_start=remember,
        owner=store.tag,
    )
