"""Sources of earlier results that have grown since an experiment began: what is stored counts."""

import json
import warnings
from collections import Counter
from collections.abc import Sequence

from hpo_research.entries import EarlierTask
from hpo_research.errors import EarlierResultsWarning
from hpo_research.experiment.description import Json
from hpo_research.experiment.priors import document
from hpo_research.origin import caller
from hpo_research.store.facts import earlier_of
from hpo_research.text import count


def as_stored(found: Sequence[EarlierTask], stored: Json | None) -> tuple[EarlierTask, ...]:
    """Return what was read, but what is `stored` of a source that holds all of it, and more.

    A run that knew more from some trial on would be none that can be repeated; so that one that is
    gone on with knows what it knew. A `EarlierResultsWarning` says so. Sources that have no name,
    or that hold other trials now, are returned as they were read: whoever compares them with the
    store refuses.
    """
    if not stored:
        return tuple(found)
    kept = earlier_of("prior", stored)
    if len(kept) != len(found):
        return tuple(found)
    return tuple(
        own if _has_grown(own, theirs) else theirs for own, theirs in zip(kept, found, strict=True)
    )


def _has_grown(own: EarlierTask, theirs: EarlierTask) -> bool:
    is_source = own.name == theirs.name != "" and own.task == theirs.task
    if not is_source or len(own.trials) >= len(theirs.trials) or _rows(own) - _rows(theirs):
        return False
    said = (
        f"{own.name} holds {count(len(theirs.trials), 'trial')} by now, and held "
        f"{len(own.trials)} when this was begun: those count, which are stored with it; to begin "
        "with all of them use another folder"
    )
    warnings.warn_explicit(said, EarlierResultsWarning, *caller(), registry={})
    return True


def _rows(task: EarlierTask) -> Counter[str]:
    (written,) = document([task])
    return Counter(json.dumps(row, sort_keys=True) for row in written["trials"])
