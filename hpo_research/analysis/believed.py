"""What a run's model believed at one of its asks, fitted again from the store."""

from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import Ask, Note, Run
from hpo_research.store import RunName
from hpo_research.strategies.answers import View, has, view_of
from hpo_research.strategies.models.observations import Observations
from hpo_research.strategies.protocol import Strategy

_COUNTS = ("trials", "failed", "pending")  # in the notes of a model's ask


def believed(result: Result, name: RunName, ask: int | None = None) -> View:
    """Return what a run's model believed at one of its asks, by default the first of the model.

    From the store alone: the trials as they were known then, and the batch that was chosen. A
    running trial is shown without values, since a model uses none of them. Raises `StoreError`
    where the run has no such ask, its strategy has no model that a reader can fit again
    (`analysis.described`), or what is stored does not come to the counts that the ask noted.
    """
    strategy = believer(result, name.strategy)
    run = result.runs[name]
    modelled = modelled_asks(run)
    which = "of a built-in model" if ask is None else f"number {ask} of a built-in model"
    if strategy is None or not modelled or (ask is not None and ask not in modelled):
        raise StoreError(f"{tuple(name)} has no ask {which}")
    number = modelled[0] if ask is None else ask
    then, noted = result.histories[name].at(number), _noted(run.asks[number])
    if _counts(then) != noted:
        raise StoreError(
            f"{tuple(name)}: ask number {number} noted {noted}, but the stored reports and "
            f"outcomes give {_counts(then)}; what its model believed cannot be shown"
        )
    chosen = [p.config for p in run.asks[number].proposals if p.config is not None]
    view = view_of(strategy, then, chosen)
    if view is None:
        raise StoreError(f"{tuple(name)} has no ask {which}")
    return view


def modelled_asks(run: Run) -> list[int]:
    """Return the numbers of the asks in which a model chose."""
    return [i for i, a in enumerate(run.asks) if "lengthscale" in a.notes and a.proposals]


def believer(result: Result, name: str) -> Strategy | None:
    """Return who answers for what a strategy believes; None where nobody can."""
    found = answers_of(result.facts, name).believing
    return found if found is not None and has(found, "believe") else None


def _counts(run: Run) -> dict[str, Note | None]:
    """Count a run's trials as a model's asks note them."""
    known = Observations.of(run)
    counts = (len(known.configs), known.failures, len(known.pending))
    return dict(zip(_COUNTS, map(float, counts), strict=True))


def _noted(ask: Ask) -> dict[str, Note | None]:
    return {key: ask.notes.get(key) for key in _COUNTS}


def is_as_noted(result: Result, name: RunName, ask: int) -> bool:
    """Whether what is stored comes to the counts that an ask of a model noted."""
    return _counts(result.histories[name].at(ask)) == _noted(result.runs[name].asks[ask])
