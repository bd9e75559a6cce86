"""What is noted when an experiment or a study is opened: what it is, with what, and its code."""

import json
import warnings
from collections.abc import Mapping

from hpo_research.analysis import changes
from hpo_research.analysis.machines import SINCE
from hpo_research.errors import CodeChangedWarning
from hpo_research.experiment.code import code_of
from hpo_research.experiment.description import Json
from hpo_research.origin import caller
from hpo_research.store import Store


def record(
    store: Store,
    description: Json,
    notes: Mapping[str, object],
    parts: Mapping[str, Mapping[str, object]],
) -> None:
    """Store what is run, with what, and its code: one more note where it differs from the last.

    `parts` are the problems (`problem`) and strategies (`strategy`) themselves, by their names.
    Warns with `CodeChangedWarning` of code that is another than some trials were begun with; where
    that is made an error, nothing is stored.
    """
    code = {
        kind: {name: code_of(part) for name, part in parts.get(kind, {}).items()}
        for kind in changes.KINDS
    }
    coded = store.code()
    if entry := changes.newer(coded, code, store.last_turn()):
        coded.append(entry)
        _warn(store, coded)
    noted = store.list_of("provenance")
    plain = json.loads(json.dumps(notes))
    if not noted or {**noted[-1], SINCE: None} != {**plain, SINCE: None}:
        noted.append({**plain, SINCE: store.last_turn()})
    store.set_meta(
        {
            "experiment": json.dumps(description),
            "provenance": json.dumps(noted),
            "code": json.dumps(coded),
        }
    )


def _warn(store: Store, history: changes.History) -> None:
    names = {number: name for name, number in store.runs().items()}
    begun = changes.begun(names, store.history())
    lines = changes.lines(history, begun, since=len(history) - 1)
    if not lines:
        return
    advice = (
        f"{store.folder or 'the store'} continues with the current code alongside them; if that "
        "is not intended, use another folder; the report says which trials used which code"
    )
    file, line = caller()
    # With a registry of its own: code that changes back and forth is told of each time.
    warnings.warn_explicit("\n".join([*lines, advice]), CodeChangedWarning, file, line, registry={})
