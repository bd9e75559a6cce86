"""Batched optimisers: many small problems at once, each of which advances alone.

Shapes: `b` groups, `s` rows of a group (the starts of one problem), `p` variables.
"""

from hpo_research.optim.lbfgs import Minimum, Objective, Options, in_units, minimise

__all__ = ["Minimum", "Objective", "Options", "in_units", "minimise"]
