"""Search spaces: hyperparameters, their scales, and the map to the unit cube."""

from hpo_research.space.parameters import Categorical, Float, Integer, Parameter, Value
from hpo_research.space.search_space import Config, SearchSpace

__all__ = ["Categorical", "Config", "Float", "Integer", "Parameter", "SearchSpace", "Value"]
