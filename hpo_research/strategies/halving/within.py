"""What may choose configurations within rungs."""

from hpo_research.strategies.answers import sets_epochs
from hpo_research.strategies.protocol import A_STRATEGY, Strategy


def within_rungs(value: object) -> str:
    """Return what was expected of an inner strategy, "" for one that chooses configurations."""
    if not isinstance(value, Strategy) or isinstance(value, type):
        return A_STRATEGY(value)
    if sets_epochs(value):
        return (
            "a strategy that chooses configurations alone, such as Random(); this one says itself "
            "to which epoch each trial is trained: use it without rungs around it"
        )
    return ""
