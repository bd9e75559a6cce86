"""The one-liner: tune a function of your own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo_research import habits, strategies
from hpo_research.analysis.result import Result
from hpo_research.device import Compute
from hpo_research.errors import AllTrialsFailedError, ArgumentError, ProblemError, StrategyError
from hpo_research.experiment.budget import Budget
from hpo_research.experiment.experiment import Execution, Experiment
from hpo_research.experiment.loop import execute
from hpo_research.experiment.priors import Earlier
from hpo_research.paths import Given
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Problem
from hpo_research.problems.script import Script
from hpo_research.progress.showing import Showing, asked_for, shown
from hpo_research.records import Direction, Task, Trial
from hpo_research.space import SearchSpace
from hpo_research.store import RunName, Store
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.sparing import epochs_mistake


@habits.function
def tune(
    function: Callable[..., Any] | Script,
    space: SearchSpace | None = None,
    *,
    strategy: Strategy | None = None,
    trials: int = 20,
    parallel: int = 1,
    seed: int = 0,
    direction: Direction = "minimize",
    max_epochs: int | None = 1,
    path: Given | None = None,
    execution: Execution = "lock-step",
    prior: Earlier = None,
    prior_task: Task = "same",
    rename: Mapping[str, str | None] | None = None,
    fill: Mapping[str, object] | None = None,
    enqueue: Sequence[Mapping[str, object]] = (),
    progress: Showing = "auto",
) -> Trial:
    """Tune `function(config)` or `function(config, report)`, or a `Script`; return the best trial.

    The function runs in `parallel` worker processes; of a script, which has a space, a direction
    and a length itself, as many run at once. In lock-step the same seed gives the same result;
    `execution="asynchronous"` refills a free worker at once. `strategy` is Bayesian optimisation
    unless told otherwise. `max_epochs=None` leaves the length of trials open, as in
    `FunctionProblem`. `prior` and what goes with it, and `enqueue`, are those of `Experiment`. With
    `path` the folder is a store: called again, it goes on. `progress` is shown as by `run`. Where
    the function needs limits (seconds, memory), make a `FunctionProblem` and `run` an `Experiment`.
    `KeyboardInterrupt` (Ctrl-C) ends all that was started and passes on; it says what the best
    trial was so far, and how to go on. Raises `AllTrialsFailedError` where no trial gave a value,
    and `StrategyError` where a strategy that spares epochs is given a single one.
    """
    showing = asked_for("tune", progress)
    if isinstance(function, Script):
        problem: Problem = _of_script(function, space, direction, max_epochs, parallel)
    elif space is None:
        raise ArgumentError("tune: missing a required argument: 'space'; expected tune(f, space)")
    else:
        problem = FunctionProblem(
            function, space, direction=direction, max_epochs=max_epochs, workers=parallel
        )
    if mistake := epochs_mistake(strategy, problem.max_epochs):
        raise StrategyError(f"tune: {mistake}")
    experiment = Experiment(
        name="tune",
        problems=[problem],
        strategies={"tune": strategies.bayesian.Bayesian() if strategy is None else strategy},
        seeds=[seed],
        budget=Budget(trials=trials),
        parallel=parallel,
        execution=execution,
        prior=prior,
        prior_task=prior_task,
        rename=rename,
        fill=fill,
        enqueue=enqueue,
    )
    return _best(experiment, path, showing)


def _of_script(
    script: Script,
    space: SearchSpace | None,
    direction: Direction,
    max_epochs: int | None,
    parallel: int,
) -> Script:
    """Return a script that runs as often at once as trials do; refuse what it says itself."""
    defaults: Mapping[str, tuple[object, object]] = {
        "space": (space, None),
        "direction": (direction, "minimize"),
        "max_epochs": (max_epochs, 1),
    }
    given = [
        name
        for name, (value, default) in defaults.items()
        if value not in (default, getattr(script, name))
    ]
    if given:
        raise ProblemError(f"tune({script.name}): give the Script its {' and '.join(given)}")
    return replace(script, workers=script.workers or parallel)


def _best(experiment: Experiment, path: Given | None, showing: Showing) -> Trial:
    """Run the experiment of one run, and return its best trial."""
    (name,) = experiment.run_names()  # the folder may hold other seeds
    with Store.in_memory() if path is None else Store.write(path) as store:
        try:
            with shown(showing) as watch:
                execute(experiment, store, Compute(), watch)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_interrupted(Result.of(store), name, path)) from None
        result = Result.of(store)
    best = result.runs[name].best()
    if best is None:
        reasons = result.messages([name])
        raise AllTrialsFailedError("\n".join(reasons))
    return best


def _interrupted(result: Result, name: RunName, path: Given | None) -> str:
    run = result.runs.get(name)
    best = None if run is None else run.best()
    found = (
        "no trial has finished" if best is None else f"best so far: {best.config} with {best.value}"
    )
    kept = (
        "give path= next time to keep the trials"
        if path is None
        else f"completed work is stored in {path}: call it again to resume"
    )
    return f"tune was interrupted; {found}; {kept}"
