"""Our strategies in CARP-S's benchmark, and its objective functions as problems of ours.

`StrategyOptimizer` is an optimiser of CARP-S 1.1 (`carps.optimizers.optimizer.Optimizer`);
`docs/carps.md` shows both. This module imports CARP-S, which the package does not need otherwise.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ConfigSpace
from carps.optimizers.optimizer import Optimizer
from carps.utils.trials import TrialInfo, TrialValue

from hpo_research.errors import SpaceError, StrategyError
from hpo_research.problems.function import FunctionProblem
from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.space.parameters import Parameter, Value
from hpo_research.strategies.protocol import Strategy
from hpo_research.study import Study


def space_of(space: "ConfigSpace.ConfigurationSpace") -> SearchSpace:
    """Return a space of ConfigSpace as one of ours, its hyperparameters in that space's order.

    Raises `SpaceError`, a line each, for conditions, forbidden configurations and kinds that we
    have no word for.
    """
    wrong = [f"{condition}: a condition" for condition in space.conditions]
    wrong += [f"{clause}: a forbidden configuration" for clause in space.forbidden_clauses]
    found: dict[str, Parameter] = {}
    for name, own in dict(space).items():
        parameter = _parameter(own)
        if parameter is None:
            wrong.append(f"{name}: {type(own).__name__}")
        else:
            found[name] = parameter
    if wrong:
        raise SpaceError("this space has what ours has no word for:\n" + "\n".join(wrong))
    return SearchSpace(found)


class StrategyOptimizer(Optimizer):  # type: ignore[misc]
    """A strategy as an optimiser of CARP-S: one trial at a time, trained to the end.

    The seed is that of the task. A cost that is not finite is told as a failed trial. Raises
    `StrategyError` for several objectives and for fidelities, `SpaceError` as `space_of` does.
    """

    def __init__(
        self,
        task: Any,
        strategy: Strategy,
        loggers: list[Any] | None = None,
        expects_multiple_objectives: bool = False,
        expects_fidelities: bool = False,
    ) -> None:
        Optimizer.__init__(
            self,
            task,
            loggers,
            expects_multiple_objectives=expects_multiple_objectives,
            expects_fidelities=expects_fidelities,
        )
        if task.output_space.n_objectives != 1 or task.input_space.fidelity_space.is_multifidelity:
            raise StrategyError(f"{task.name}: expected one objective and no fidelities")
        self.strategy = strategy
        self.configspace = task.input_space.configuration_space
        self._running: dict[Any, int] = {}
        self._best: tuple[TrialInfo, TrialValue] | None = None

    def convert_configspace(self, configspace: Any) -> SearchSpace:
        """Return the space as one of ours."""
        return space_of(configspace)

    def convert_to_trial(self, config: Config) -> TrialInfo:
        """Return a configuration of ours as a trial of CARP-S."""
        known = ConfigSpace.Configuration(self.configspace, values=dict(config))
        return TrialInfo(config=known)

    def ask(self) -> TrialInfo:
        """Ask the strategy for a trial. Raises `StrategyError` where it has no more."""
        trials = self.solver.ask(1)
        if not trials:
            raise StrategyError(f"{type(self.strategy).__name__} suggests no more trials")
        info = self.convert_to_trial(trials[0].config)
        self._running[info.config] = trials[0].id
        return info

    def tell(self, trial_info: TrialInfo, trial_value: TrialValue) -> None:
        """Tell the strategy a trial's cost."""
        trial = self._running.pop(trial_info.config)
        cost = float(trial_value.cost)
        self.solver.tell(trial, cost)
        is_best = self._best is None or cost < self._best[1].cost
        if math.isfinite(cost) and is_best:
            self._best = (trial_info, trial_value)

    def get_current_incumbent(self) -> tuple[TrialInfo, TrialValue] | None:
        """Return the trial with the least cost, None before any."""
        return self._best

    def _setup_optimizer(self) -> Study:
        space = self.convert_configspace(self.configspace)
        return Study(space, self.strategy, seed=int(self.task.seed))


@dataclass(frozen=True)
class Objective:
    """An objective function of CARP-S as a function of a configuration: its cost.

    `make` makes it in each process that evaluates it, since not all of them can be pickled.
    """

    make: Callable[[], Any]

    def __call__(self, config: Mapping[str, Value]) -> float:
        """Evaluate it."""
        function = self.function
        known = ConfigSpace.Configuration(function.configspace, values=dict(config))
        return float(function.evaluate(TrialInfo(config=known)).cost)

    @cached_property
    def function(self) -> Any:
        """The objective function, made when it is first needed."""
        return self.make()

    def __reduce__(self) -> tuple[type["Objective"], tuple[Callable[[], Any]]]:
        return Objective, (self.make,)


def problem_of(make: Callable[[], Any], name: str) -> FunctionProblem:
    """Return an objective function of CARP-S as a problem, minimised.

    `make` is what makes it, a `functools.partial` of its class: the experiment stores its
    arguments as what the problem is. Raises `SpaceError` as `space_of` does.
    """
    objective = Objective(make)
    return FunctionProblem(objective, space_of(objective.function.configspace), name=name)


def _parameter(own: Any) -> Parameter | None:
    scale = "log" if getattr(own, "log", False) else "linear"
    if isinstance(own, ConfigSpace.UniformFloatHyperparameter):
        return Float(own.lower, own.upper, scale)
    if isinstance(own, ConfigSpace.UniformIntegerHyperparameter):
        return Integer(own.lower, own.upper, scale)
    if isinstance(own, ConfigSpace.CategoricalHyperparameter):
        return Categorical(tuple(own.choices))
    if isinstance(own, ConfigSpace.OrdinalHyperparameter):
        return Categorical(tuple(own.sequence), ordered=True)
    if isinstance(own, ConfigSpace.Constant):
        return Categorical((own.value,))
    return None
