"""Parts: the shards in some folders, and what is wrong with them as parts of one experiment."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo_research.analysis.changes import History
from hpo_research.analysis.merging import code_that_differs
from hpo_research.errors import StoreError
from hpo_research.experiment.description import compared, differences
from hpo_research.experiment.shards import FOLDER, KEY, Assignment, Shard, listed, stored
from hpo_research.store import RunName, Store
from hpo_research.store.connection import FILE
from hpo_research.store.described import code_of, provenance_of

_NAMED = 8  # mistakes of one kind that an error names
_SAME = ("python", "platform", "versions", "processor", "device")
"""What decides the bits of numbers, of what the note of a session says."""


@dataclass(frozen=True)
class Part:
    """A shard as its store says it is: which, of what, and how far.

    `runs` are the ids of what is stored, `left` the runs that are not over or not begun.
    """

    folder: Path
    shard: Shard
    assignment: Assignment
    description: Mapping[str, Any]
    runs: Mapping[RunName, int]
    left: Sequence[RunName]
    provenance: Sequence[Mapping[str, Any]]
    code: History

    @property
    def where(self) -> str:
        """The shard and its folder, for a message."""
        return f"shard {self.shard} ({self.folder})"


def folders(given: Sequence[Path]) -> list[Path]:
    """Return the folders of shards: those given, or where one holds `shards/`, those in there."""
    found: list[Path] = []
    for folder in given:
        inner = sorted(folder.glob(f"{FOLDER}/*/{FILE}"), key=_number)
        found += [path.parent for path in inner] or [folder]
    return found


def _number(path: Path) -> tuple[int, str]:
    begin = path.parent.name.partition("-")[0]
    return (int(begin) if begin.isdecimal() else 0), path.parent.name


def part(store: Store) -> Part:
    """Return the shard that a store holds. Raises `StoreError` where it holds none."""
    texts = {key: store.meta(key) for key in (KEY, "provenance", "code")}
    description, known = store.experiment(), stored(texts[KEY])
    folder = store.folder
    assert folder is not None  # none of these is in memory
    if description is None:
        raise StoreError(f"{folder}: the store holds no experiment yet; run the shard first")
    if known is None:
        raise StoreError(
            f"{folder}: holds a whole experiment, {description['name']!r}, and no shard of one; "
            "to compare results, give their folders to `hpo report`"
        )
    shard, assignment = known
    runs, over = store.runs(), store.over()
    return Part(
        folder,
        shard,
        assignment,
        description,
        runs,
        [name for name in assignment.of(shard) if runs.get(name) not in over],
        provenance_of(texts["provenance"] or "[]"),
        code_of(texts["code"] or "[]"),
    )


def mistakes(parts: Sequence[Part], *, partial: bool) -> list[str]:
    """Return what keeps shards from being merged, a line each; where `partial`, none may lack."""
    first = parts[0]
    foreign = [line for own in parts[1:] for line in _foreign(first, own)]
    if foreign:
        return foreign
    lines = _twice(parts)
    for own in parts[1:]:
        lines += _assigned_otherwise(first, own)
    return lines if partial else [*lines, *_missing(parts), *_unfinished(parts)]


def _foreign(first: Part, own: Part) -> Iterator[str]:
    if own.description["name"] != first.description["name"]:
        names = own.description["name"], first.description["name"]
        yield f"{own.where} is of the experiment {names[0]!r}, {first.where} of {names[1]!r}"
    elif own.shard.count != first.shard.count:
        yield f"{own.where} is one of {own.shard.count} shards, {first.where} one of another number"
    else:
        for line in differences(_comparable(first), _comparable(own)):
            yield (
                f"{own.where} is of a changed experiment: {line}; run every shard with the same "
                "file and options"
            )


def _comparable(own: Part) -> dict[str, Any]:
    found = {key: value for key, value in own.description.items() if key != "answers"}
    problems = {name: compared(described) for name, described in found["problems"].items()}
    return {**found, "problems": problems, "seeds": sorted(found["seeds"])}


def _twice(parts: Sequence[Part]) -> list[str]:
    counts = Counter(own.shard for own in parts)
    return [
        f"shard {shard} is given {count} times, in "
        f"{', '.join(str(own.folder) for own in parts if own.shard == shard)}; leave out all but "
        "one"
        for shard, count in sorted(counts.items())
        if count > 1
    ]


def _assigned_otherwise(first: Part, own: Part) -> list[str]:
    mine, their = own.assignment.shards, first.assignment.shards
    differing = [name for name in {**mine, **their} if mine.get(name) != their.get(name)]
    if not differing:
        return []
    return [
        f"{own.where} and {first.where} do not agree whose runs these are: {listed(differing)}; "
        "runs were added to them in another order: merge them before, and add runs to the merged "
        "store"
    ]


def _missing(parts: Sequence[Part]) -> list[str]:
    known, count = {own.shard.number for own in parts}, parts[0].shard.count
    missing = [Shard(number, count) for number in range(1, count + 1) if number not in known]
    if not missing:
        return []
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return [
        f"missing: shard {', '.join(map(str, missing[:_NAMED]))}{more}; run what has not run "
        f"(--shard {missing[0]}), name its folder, or merge what there is with --partial"
    ]


def _unfinished(parts: Sequence[Part]) -> list[str]:
    left = [own for own in parts if own.left]
    lines = [
        f"{own.where} is not finished, in {len(own.left)} of its "
        f"{len(own.assignment.of(own.shard))} runs; run it again (--shard {own.shard}), or merge "
        "what there is with --partial"
        for own in left[:_NAMED]
    ]
    more = len(left) - _NAMED
    return lines if more <= 0 else [*lines, f"nor are {more} more shards"]


def that_differs(parts: Sequence[Part]) -> list[str]:
    """Return in what the machines and the code of shards differ, a line each."""
    lines = []
    for key in _SAME:
        found: dict[str, list[Shard]] = {}
        for own in parts:
            for said in dict.fromkeys(_said(note, key) for note in own.provenance):
                found.setdefault(said, []).append(own.shard)
        if len(found) > 1:
            shown = "; ".join(f"{said} in shard {_shards(own)}" for said, own in found.items())
            lines.append(f"{key}: {shown}")
    code = {f"shard {own.shard}": own.code for own in parts}
    names = list(code)
    for name in names[1:]:
        lines += code_that_differs({names[0]: code[names[0]], name: code[name]})
    return lines


def _said(note: Mapping[str, Any], key: str) -> str:
    value = note.get(key, "unknown")
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return str(value)


def _shards(own: Sequence[Shard]) -> str:
    shown = ", ".join(str(shard) for shard in own[:_NAMED])
    return shown if len(own) <= _NAMED else f"{shown} and {len(own) - _NAMED} more"
