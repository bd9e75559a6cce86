"""Code that changed while an experiment went on, and the trials that were begun before.

A history is what the store keeps of it: at each session whose code was new or another, the last
turn of the sessions before, and the digests of each problem's and strategy's code by piece (see
`experiment.digests`), of those alone that were new or other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo_research.store import RunName
from hpo_research.store.history import History as Stored
from hpo_research.store.replay import Asked

Pieces = Mapping[str, str]
History = Sequence[Mapping[str, Any]]
"""Entries `{"turn": 7, "problem": {name: pieces}, "strategy": {name: pieces}}`."""

Begun = Mapping[RunName, Sequence[int]]
"""The turn in which each trial of a run was begun, by id."""

KINDS = ("problem", "strategy")
_SHOWN = 5


def begun(names: Mapping[int, RunName], stored: Stored) -> Begun:
    """Return the turns in which trials were begun."""
    return {name: starts(stored.of(number).asks) for number, name in names.items()}


def starts(asks: Sequence[Asked]) -> list[int]:
    """Return the turn in which each trial of a run was begun, by id."""
    return [turn for turn, row in asks for grant in row.grants if grant.kind == "start"]


def is_same(old: str, new: str) -> bool | None:
    """Return whether two pieces are the same code; None where their digests do not compare.

    Each is a list of digests, `ast:... cpython-311:...`; one that both have decides, and of two it
    is enough that one is equal: an annotation changes a tree and no instruction.
    """
    one, two = (
        dict(part.split(":", 1) for part in text.split() if ":" in part) for text in (old, new)
    )
    common = one.keys() & two.keys()
    return any(one[key] == two[key] for key in common) if common else None


def newer(history: History, code: Mapping[str, Mapping[str, Pieces]], turn: int) -> dict[str, Any]:
    """Return the entry for a session that begins after a turn; empty where all is as it was."""
    fresh = {
        kind: {name: own for name, own in code[kind].items() if own != _last(history, kind, name)}
        for kind in KINDS
    }
    return {"turn": turn, **fresh} if any(fresh.values()) else {}


def _last(history: History, kind: str, name: str) -> Pieces:
    known = [entry[kind][name] for entry in history if name in entry[kind]]
    return known[-1] if known else {}


def versions(history: History) -> dict[str, list[tuple[int, str]]]:
    """Return the digests of every piece, each with the turn after which it held, by its name."""
    found: dict[str, list[tuple[int, str]]] = {}
    for entry in history:
        for kind in KINDS:
            for owner, pieces in entry[kind].items():
                for piece, digest in pieces.items():
                    own = found.setdefault(f"{piece} ({kind} {owner})", [])
                    if not own or own[-1][1] != digest:
                        own.append((entry["turn"], digest))
    return found


@dataclass(frozen=True)
class Change:
    """What differs between two sessions in the code of one problem or strategy.

    `pieces` say what, `is_known` whether it can be told that they differ; `counts` are the trials
    that were begun before, by run.
    """

    turn: int
    kind: str
    owner: str
    pieces: tuple[str, ...]
    counts: Mapping[RunName, int]
    is_known: bool = True


def lines(history: History, begun: Begun, since: int = 0) -> list[str]:
    """Return a sentence for each change in the entries from number `since` on.

    Nothing is said of code that changed before any trial was begun with it.
    """
    found = [change for change in _changes(history, begun, since) if any(change.counts.values())]
    alike: dict[tuple[object, ...], list[Change]] = {}
    for change in found:
        key = (change.turn, change.kind, change.pieces, change.is_known)
        alike.setdefault(key, []).append(change)
    return [_line(changes) for changes in alike.values()]


def _changes(history: History, begun: Begun, since: int) -> Iterator[Change]:
    known: dict[tuple[str, str], Pieces] = {}
    for number, entry in enumerate(history):
        for kind in KINDS:
            for owner, pieces in entry[kind].items():
                old = known.get((kind, owner))
                known[kind, owner] = pieces
                if number < since:
                    continue
                turn = entry["turn"]
                counts = {
                    run: sum(first <= turn for first in firsts)
                    for run, firsts in begun.items()
                    if getattr(run, kind) == owner
                }
                if old is None:
                    yield Change(turn, kind, owner, (), counts, False)
                    continue
                for is_known, names in _differing(old, pieces):
                    yield Change(turn, kind, owner, names, counts, is_known)


def _differing(old: Pieces, new: Pieces) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield the pieces that differ, and those of which that cannot be told, where there are any."""
    same = {name: is_same(old[name], new[name]) for name in old if name in new}
    changed = [name for name, known in same.items() if known is False]
    changed += [f"{name} (new)" for name in new if name not in old]
    changed += [f"{name} (gone)" for name in old if name not in new]
    if changed:
        yield True, tuple(changed)
    unknown = [name for name, known in same.items() if known is None]
    if unknown:
        yield False, tuple(unknown)


def _line(changes: Sequence[Change]) -> str:
    first = changes[0]
    counts = {run: n for change in changes for run, n in change.counts.items() if n}
    owners = [change.owner for change in changes]
    named = "the study" if owners == ["study"] else f"{first.kind} {', '.join(owners)}"
    shown = [*first.pieces[:_SHOWN]]
    if len(first.pieces) > _SHOWN:
        shown.append(f"and {len(first.pieces) - _SHOWN} more")
    pieces = f" ({', '.join(shown)})" if shown else ""
    trials = _trials(counts)
    if first.is_known:
        return f"the code of {named} changed{pieces}: {trials} started with the earlier code"
    return (
        f"whether the code of {named} changed{pieces} since {trials} started is unknown: before, "
        f"it was recorded {'under another Python without its source' if shown else 'not at all'}"
    )


def _trials(counts: Mapping[RunName, int]) -> str:
    sizes = sorted(set(counts.values()))
    if len(counts) == 1:
        ((run, n),) = counts.items()
        which = "trial 0 was" if n == 1 else f"trials 0 to {n - 1} were"
        where = "" if run.problem == "study" else f" on {run.problem}, seed {run.seed},"
        noun, _, verb = which.rpartition(" ")
        return f"{noun}{where} {verb}"
    if len(sizes) == 1:
        noun, verb = (
            ("trial 0", "was") if sizes[0] == 1 else (f"trials 0 to {sizes[0] - 1}", "were")
        )
        return f"{noun} of each of {len(counts)} runs {verb}"
    return f"the first {sizes[0]} to {sizes[-1]} trials of {len(counts)} runs were"
