"""Merging: the shards of an experiment as one store, which is as if one process had run them all.

Rows keep their digests' worth: each shard is held against its digests when it is read, and its rows
are chained anew through the writer. All is one transaction, so that a merge that is killed has
changed nothing but checkpoint files, which are written first.

This is for the parts of one experiment, and its store goes on. To read several results beside each
other, which stay where they are, is `analysis.merging`, as in `hpo report A B`.
"""

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo_research import habits, paths
from hpo_research.analysis.changes import newer
from hpo_research.analysis.machines import SINCE, Machine, machine_of
from hpo_research.analysis.result import Result
from hpo_research.cluster.parts import Part, folders, mistakes, part, that_differs
from hpo_research.errors import MergeWarning, StoreError, StoreWriteError
from hpo_research.experiment.experiment import merged
from hpo_research.experiment.shards import KEY, Shard
from hpo_research.paths import Given
from hpo_research.store import RunName, Store, lock
from hpo_research.store.described import experiment_of, parsed_of
from hpo_research.store.joining import Content, content, join
from hpo_research.store.migration import UNDIGESTED
from hpo_research.store.writer import Writer

MERGED = "merged"
"""The key of `meta` under which a store says of which shards, and of what state, it was made."""
_BY_RUN = ("unanswered", "remembered")
_KNOWN = {*("schema", "experiment", "provenance", "code", KEY, UNDIGESTED), *_BY_RUN}


@dataclass(frozen=True)
class Merged:
    """What a merge made: the folder, and how many shards and runs it holds.

    `machines` has the shards of each machine. `is_new` is False where the store was merged from the
    same state of the same shards before.
    """

    folder: Path
    shards: int
    runs: int
    machines: Mapping[Machine, Sequence[Shard]]
    is_new: bool = True


@habits.function
def merge(out: Given, shards: Sequence[Given] = (), *, partial: bool = False) -> Result:
    """Merge the shards of an experiment into the folder `out`, and return the result.

    `shards` are their folders, or folders that hold `shards/`; without any, those in `out`. The
    store that is made is that of the whole experiment: it can be run on, with more seeds or more
    budget. With `partial`, shards may be missing or unfinished, and running it goes on with them.
    Raises `StoreError` where shards are missing, unfinished, of another experiment or of a changed
    one, and where `out` holds something else; `StoreLockedError` where one is being run;
    `StoreWriteError` where the disk refuses. Warns with `MergeWarning` where the machines, versions
    or code of shards differ: numbers may then differ from those of one process.
    """
    return Result.read(merge_folders(out, shards, partial=partial).folder)


def merge_folders(out: Given, shards: Sequence[Given] = (), *, partial: bool = False) -> Merged:
    """Merge as `merge`, without reading the result."""
    target = paths.place(out, "merge: out", StoreError)
    if isinstance(shards, str | Path):
        raise StoreError(f"merge: expected a list of folders, got {shards!r}; put it in a list")
    given = [paths.place(own, "merge: a shard", StoreError) for own in shards] or [target]
    places = _distinct(folders(given), target)
    with ExitStack() as stack:
        # First, so that what is wrong with the shards leaves no store behind.
        for place in places:
            if place.is_dir():
                stack.enter_context(lock.idle(place))
        parts = _checked(places, partial=partial)
        with Store.write(target) as store:
            return _into(store, parts)


def _distinct(places: Sequence[Path], target: Path) -> list[Path]:
    found = {place.resolve(): place for place in places}
    if len(found) < len(places):
        twice = [
            str(p) for i, p in enumerate(places) if p.resolve() in {q.resolve() for q in places[:i]}
        ]
        raise StoreError(f"merge: {', '.join(twice)} is given twice; leave it out once")
    if target.resolve() in found:
        what = "holds no shards" if places == [target] else "is one of the shards"
        raise StoreError(
            f"{target}: {what}; expected a folder for the merged store and folders of shards, as "
            "in `hpo merge OUT SHARD...`"
        )
    return list(places)


def _checked(places: Sequence[Path], *, partial: bool) -> list[Part]:
    """Return the shards in folders, by number. Raises `StoreError` with all that is wrong."""
    parts: list[Part] = []
    wrong: list[str] = []
    for place in places:
        try:
            with Store.read(place) as store:
                parts.append(part(store))
        except StoreError as error:
            wrong.append(str(error))
    parts.sort(key=lambda own: own.shard)
    if parts:
        wrong += mistakes(parts, partial=partial)
    if wrong:
        raise StoreError("these shards cannot be merged:\n  " + "\n  ".join(wrong))
    return parts


def _into(store: Store, parts: Sequence[Part]) -> Merged:
    runs = {name for own in parts for name in own.runs}
    order = [name for name in parts[0].assignment.shards if name in runs]
    ids = {name: number for number, name in enumerate(order, 1)}
    contents = [_content(own) for own in parts]
    state = {
        str(p.shard): own.history.tail.seal.text for p, own in zip(parts, contents, strict=True)
    }
    machines: dict[Machine, list[Shard]] = {}
    for own in parts:
        for machine in dict.fromkeys(map(machine_of, own.provenance)):
            machines.setdefault(machine, []).append(own.shard)
    made = Merged(store.folder or Path(), len(parts), len(ids), machines)
    if _is_there(store, state, parts[0]):
        return replace(made, is_new=False)
    for line in [
        f"{line}; numbers may differ from those of one process" for line in that_differs(parts)
    ]:
        warnings.warn(line, MergeWarning, stacklevel=4)
    _copy_files(made.folder, parts, ids)

    def write(writer: Writer) -> None:
        writer.clear()
        since = [
            join(writer, own, {p.runs[name]: ids[name] for name in p.runs})
            for p, own in zip(parts, contents, strict=True)
        ]
        texts = _texts(parts, contents, ids, since)
        known = json.dumps({"shards": state, "turn": writer.tail.turn})
        writer.texts({**texts, MERGED: known})

    store.change(write)
    return made


def _content(own: Part) -> Content:
    with Store.read(own.folder) as store:
        found = content(store)
    unknown = found.history.meta.keys() - _KNOWN
    if unknown:
        raise StoreError(
            f"{own.folder}: holds {', '.join(sorted(unknown))}, which no shard of an experiment "
            "has; it cannot be merged"
        )
    return found


def _is_there(store: Store, state: Mapping[str, str], first: Part) -> bool:
    """Whether a folder holds this merge already. Raises `StoreError` where it holds another store.

    An earlier merge of the same shards that has not been run since is no other: it is made anew.
    """
    known = store.meta(MERGED)
    if known is None:
        if store.experiment() is None and not store.runs():
            return False
        what = "a shard" if store.meta(KEY) else "an experiment"
        raise StoreError(f"{store.folder}: already holds {what}; merge into another folder")
    found: Any = parsed_of(MERGED, known)
    name = experiment_of(store.meta("experiment") or "")["name"]
    counts = {label.partition("/")[2] for label in found["shards"]}
    if name != first.description["name"] or counts != {str(first.shard.count)}:
        raise StoreError(
            f"{store.folder}: was merged from other shards, {', '.join(found['shards'])} of "
            f"{name!r}; merge into another folder"
        )
    is_same: bool = found["shards"] == state
    if not is_same and found["turn"] != store.last_turn():
        raise StoreError(
            f"{store.folder}: was merged before and has been run since, which a merge would undo; "
            "merge into another folder, or run it on as it is"
        )
    return is_same


def _texts(
    parts: Sequence[Part],
    contents: Sequence[Content],
    ids: Mapping[RunName, int],
    since: Sequence[int],
) -> dict[str, str]:
    """Return what the merged store says of itself, each turn counted as it is counted there."""
    description = dict(parts[0].description)
    notes: list[Any] = []
    code: list[Any] = []
    unanswered: set[int] = set()
    remembered: dict[str, Any] = {}
    undigested = 0
    for own, found, turn in zip(parts, contents, since, strict=True):
        description = merged(description, dict(own.description))
        new = {number: ids[name] for name, number in own.runs.items()}
        notes += [
            {**note, "shard": str(own.shard), SINCE: note.get(SINCE, 0) + turn}
            for note in own.provenance
        ]
        for entry in own.code:
            if fresh := newer(code, entry, entry["turn"] + turn):
                code.append(fresh)
        meta, last = found.history.meta, found.history.last
        waiting = parsed_of("unanswered", meta.get("unanswered", "[]"))
        # A run whose last poll nobody answered is asked when the merged store goes on.
        unanswered |= {new[run] for run in {*waiting, *(last.runs if last.kind == "poll" else ())}}
        stored = parsed_of("remembered", meta.get("remembered", "{}"))
        remembered |= {str(new[int(run)]): facts for run, facts in stored.items()}
        undigested += int(meta.get(UNDIGESTED, 0))
    texts: dict[str, Any] = {"experiment": description, "provenance": notes, "code": code}
    texts |= {"unanswered": sorted(unanswered)} if unanswered else {}
    texts |= {"remembered": remembered} if remembered else {}
    texts |= {UNDIGESTED: undigested} if undigested else {}
    return {key: json.dumps(value) for key, value in texts.items()}


def _copy_files(target: Path, parts: Sequence[Part], ids: Mapping[RunName, int]) -> None:
    """Copy what the trials of unfinished runs keep: checkpoints, and what functions wrote there."""
    try:
        shutil.rmtree(target / "checkpoints", ignore_errors=True)  # of an earlier merge
        for own in parts:
            for name in own.left:
                source = own.folder / "checkpoints" / str(own.runs.get(name, ""))
                if name in own.runs and source.is_dir():
                    shutil.copytree(source, target / "checkpoints" / str(ids[name]), symlinks=True)
    except OSError as error:
        raise StoreWriteError(f"{target}: the merge was cut short ({error})") from error
