"""The one-liner: tune a function of your own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo_research import habits, strategies
from hpo_research.analysis import shown as answers
from hpo_research.analysis.result import Result
from hpo_research.device import Compute
from hpo_research.errors import (
    AllTrialsFailedError,
    ArgumentError,
    ProblemError,
    StoreError,
    StrategyError,
)
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
from hpo_research.store.saving import saved
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.sparing import epochs_mistake


@habits.function
def tune(
    function: Callable[..., Any] | Script,
    space: SearchSpace | None = None,
    *,
    strategy: Strategy | None = None,
    trials: int | None = 20,
    seconds: float | None = None,
    parallel: int = 1,
    seed: int = 0,
    direction: Direction = "minimize",
    metric: str | None = None,
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
    unless told otherwise; it ends after `trials`, or once it has taken `seconds`. `metric` is what
    the value is called. `max_epochs=None` leaves the length of trials open, as in
    `FunctionProblem`. `prior` and what goes with it, and `enqueue`, are those of `Experiment`. With
    `path` the folder is a store: called again, it goes on. `progress` is shown as by `run`. Where
    the function needs limits (seconds, memory), make a `FunctionProblem` and `run` an `Experiment`.
    `KeyboardInterrupt` (Ctrl-C) ends all that was started and passes on; it says what was best, and
    how to go on: without a `path`, from a new folder, `results/NAME-interrupted`. Raises
    `AllTrialsFailedError` where no trial gave a value, and `StrategyError` where a strategy that
    spares epochs is given a single one.
    """
    showing = asked_for("tune", progress)
    said = {"space": space, "metric": metric, "direction": direction, "max_epochs": max_epochs}
    problem = _problem(function, said, parallel)
    if mistake := epochs_mistake(strategy, problem.max_epochs):
        raise StrategyError(f"tune: {mistake}")
    experiment = Experiment(
        name="tune",
        problems=[problem],
        strategies={"tune": strategies.bayesian.Bayesian() if strategy is None else strategy},
        seeds=[seed],
        budget=Budget(trials=trials, seconds=seconds),
        parallel=parallel,
        execution=execution,
        prior=prior,
        prior_task=prior_task,
        rename=rename,
        fill=fill,
        enqueue=enqueue,
    )
    return _best(experiment, path, showing)


def _problem(
    function: Callable[..., Any] | Script, said: Mapping[str, Any], parallel: int
) -> Problem:
    """Return what is tuned, of which so much is said in the call."""
    if isinstance(function, Script):
        return _of_script(function, said, parallel)
    if said["space"] is None:
        raise ArgumentError("tune: missing a required argument: 'space'; expected tune(f, space)")
    return FunctionProblem(function, **said, workers=parallel)


def _of_script(script: Script, said: Mapping[str, Any], parallel: int) -> Script:
    """Return a script that runs as often at once as trials do; refuse what it says itself."""
    defaults = {"space": None, "direction": "minimize", "metric": None, "max_epochs": 1}
    given = [
        name for name, value in said.items() if value not in (defaults[name], getattr(script, name))
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
            raise KeyboardInterrupt(_interrupted(store, name)) from None
        result = Result.of(store)
    best = result.runs[name].best()
    if best is None:
        reasons = result.messages([name])
        raise AllTrialsFailedError("\n".join(reasons))
    return best


def _interrupted(store: Store, name: RunName) -> str:
    """Say what was found until Ctrl-C, and keep it."""
    result = Result.of(store)
    run, metric = result.runs.get(name), result.facts.problems[name.problem].metric
    best = None if run is None else run.best()
    found = "no trial has finished"
    if run is not None and best is not None:
        found = f"best so far: {best.config} with {metric} {best.value}, of {answers.standing(run)}"
    has_ended = run is not None and any(not trial.is_running for trial in run.trials)
    kept = _kept(store, name) if has_ended or store.folder else "nothing to keep"
    return f"tune was interrupted; {found}; {kept}"


def _kept(store: Store, name: RunName) -> str:
    """Return where the trials are, and the call that goes on."""
    folder = store.folder
    if folder is None:
        try:
            folder = saved(store, Path("results", f"{name.problem.replace('/', '-')}-interrupted"))
        except StoreError as error:
            return f"nothing is kept: {error}; give path= next time"
    return (
        f"completed work is stored in {folder}: call it again, with path={str(folder)!r}, to go on"
    )
