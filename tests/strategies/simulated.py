"""The loop that the laws drive strategies by, and strategies built past the type checker."""

from dataclasses import MISSING, fields

from hpo_research.testing.simulated import Curve as Curve
from hpo_research.testing.simulated import Loop as Loop
from hpo_research.testing.simulated import accepted as accepted
from hpo_research.testing.simulated import reopened as reopened
from hpo_research.testing.simulated import settled as settled
from hpo_research.testing.simulated import trained as trained


def born(strategy: type, options: dict[str, object]) -> object:
    """Build a strategy as users do, past the type checker that guards the package in tests."""
    bare = object.__new__(strategy)
    for field in fields(strategy):
        if field.name in options:
            object.__setattr__(bare, field.name, options[field.name])
        elif field.default_factory is not MISSING:
            object.__setattr__(bare, field.name, field.default_factory())
    bare.__post_init__()
    return bare
