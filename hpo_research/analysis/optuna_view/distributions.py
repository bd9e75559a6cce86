"""A search space in Optuna's words: a distribution for each hyperparameter, and values in it.

What Optuna has no words for is said by the nearest that holds all our values: a `reverse_log` scale
is linear there, a stepped log scale has no steps, an order of categories is lost, and categories
that Python takes for equal (1, 1.0 and True) are told apart as texts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hpo_research.space import Categorical, Config, Float, Integer, SearchSpace
from hpo_research.space.parameters import Parameter, Value
from hpo_research.text import visible


@dataclass(frozen=True)
class Words:
    """A hyperparameter in Optuna's words; `is_text` says that its categories are shown as texts."""

    distribution: BaseDistribution
    is_text: bool = False

    def value(self, value: Value) -> Value:
        """Return a value as Optuna is to see it."""
        return repr(value) if self.is_text else value


def words_of(space: SearchSpace) -> dict[str, Words]:
    """Return every hyperparameter of a space in Optuna's words, by its own name."""
    return {name: _words(parameter) for name, parameter in space.parameters.items()}


def _words(parameter: Parameter) -> Words:
    if isinstance(parameter, Categorical):
        are_alike = len(set(parameter.values)) < len(parameter.values)
        shown = [repr(value) if are_alike else value for value in parameter.values]
        return Words(CategoricalDistribution(shown), are_alike)
    assert isinstance(parameter, Float | Integer)
    is_log = parameter.resolved.name == "log"
    if isinstance(parameter, Integer):
        step = 1 if is_log else parameter.step
        return Words(IntDistribution(parameter.low, parameter.high, log=is_log, step=step))
    steps = None if is_log or parameter.resolved.name != "linear" else parameter.step
    return Words(FloatDistribution(parameter.low, parameter.high, log=is_log, step=steps))


def placed(
    words: Mapping[str, Words], config: Config
) -> tuple[dict[str, Value], dict[str, BaseDistribution]]:
    """Return a configuration's values and their distributions, by names that can be shown.

    A trial that was told may lie outside its bounds: its distribution alone reaches as far.
    """
    values, distributions = dict[str, Value](), dict[str, BaseDistribution]()
    for name, value in config.items():
        shown = visible(name)
        values[shown] = words[name].value(value)
        distributions[shown] = _reaching(words[name].distribution, values[shown])
    return values, distributions


def _reaching(distribution: BaseDistribution, value: Value) -> BaseDistribution:
    """Return a distribution that holds a value: itself, or a wider one without steps."""
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution
    assert isinstance(value, int | float)
    if distribution.low <= value <= distribution.high:
        return distribution
    is_log = distribution.log and value > 0
    if isinstance(distribution, IntDistribution):
        ends = min(distribution.low, int(value)), max(distribution.high, int(value))
        return IntDistribution(*ends, log=is_log)
    return FloatDistribution(
        min(distribution.low, value), max(distribution.high, value), log=is_log
    )
