"""What a rescue keeps: of every run the rows before its first turn that is not whole."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo_research.records import Key
from hpo_research.store import digests
from hpo_research.store.damage import DamagedRows
from hpo_research.store.described import experiment_of, list_of
from hpo_research.store.digests import SEAL, Row
from hpo_research.store.history import Digested, History
from hpo_research.store.migration import UNDIGESTED
from hpo_research.store.rows import check_types
from hpo_research.store.schema import COLUMNS, VERSION


@dataclass(frozen=True)
class Kept:
    """The rows of a new store, without digests, and the trials that can be trained on.

    `checkpoints` are digests of files by run, trial and epoch; where `is_undigested`, files without
    one are kept unchecked.
    """

    rows: Mapping[str, Sequence[Row]]
    checkpoints: Mapping[tuple[int, int, int], bytes]
    resumable: Sequence[Key]
    is_undigested: bool


def kept(
    rows: Mapping[str, Sequence[Row]],
    what: History,
    cuts: Mapping[int, int],
    checkpoints: Mapping[tuple[int, int, int], bytes],
    *,
    digested: Digested = digests.of_rows,
) -> Kept:
    """Return what is kept of all rows, given with their digests; `cuts` are turns by run."""
    whole = {
        table: [
            row[:-1]
            for row, made in zip(rows[table], digested(table, rows[table]), strict=True)
            if row[-1] == made and _is_typed(table, row[:-1])
        ]
        for table in COLUMNS
    }
    known = {row[0] for row in whole["run"]}

    def stays(run: int, turn: int) -> bool:
        return run in known and turn < cuts.get(run, math.inf)

    new = dict(whole)
    new["run"] = [(*row[:4], row[4] if row[0] not in cuts else 0) for row in whole["run"]]
    new["report"] = [row for row in whole["report"] if stays(row[0], row[3])]
    new["outcome"] = [row for row in whole["outcome"] if stays(row[0], row[3])]
    new["ask"] = [row for row in whole["ask"] if stays(row[1], row[2])]
    asks = {row[0]: row[1] for row in new["ask"]}
    new["proposal"] = [row for row in whole["proposal"] if row[0] in asks]
    new["turn"] = _turns(new, is_cut=bool(cuts))
    started = {(asks[row[0]], row[3]) for row in new["proposal"] if row[2] == "start"}
    new["lost"] = [row for row in whole["lost"] if (row[1], row[2]) in started]
    new["meta"] = _texts(whole["meta"], new, is_damaged=bool(what.damages or cuts))
    ended = {(row[0], row[1]) for row in new["outcome"] if row[4] != "paused"}
    resumable = sorted(started - ended)
    own = {key: value for key, value in checkpoints.items() if key[:2] in started - ended}
    return Kept(new, own, resumable, any(row[0] == UNDIGESTED for row in whole["meta"]))


def _is_typed(table: str, row: Row) -> bool:
    try:
        return check_types(table, row)
    except ValueError:
        return False


def _turns(rows: Mapping[str, Sequence[Row]], *, is_cut: bool) -> list[Row]:
    """Return the turns up to the last that is needed, the missing ones of kept rows included."""
    asked = {row[2] for row in rows["ask"]}
    polled = {row[3] for table in ("report", "outcome") for row in rows[table]}
    kinds = {
        **{row[0]: row[1] for row in rows["turn"]},
        **dict.fromkeys(polled, "poll"),
        **dict.fromkeys(asked, "ask"),
    }
    last = max(asked | polled, default=0) if is_cut else max(kinds, default=0)
    return [(number, kind, b"") for number, kind in sorted(kinds.items()) if number <= last]


def _texts(
    texts: Sequence[Row], rows: Mapping[str, Sequence[Row]], *, is_damaged: bool
) -> list[Row]:
    new = {key: text for key, text in texts if key != SEAL} | {"schema": str(VERSION)}
    try:
        experiment_of(new.get("experiment", ""))
    except DamagedRows:
        new.pop("experiment", None)
    if is_damaged:
        # Whether a last poll was answered is not sure; to be asked again changes nothing.
        new["unanswered"] = json.dumps(sorted(_polled_last(rows) | _unanswered(new)))
    return sorted(new.items())


def _unanswered(texts: Mapping[str, str]) -> set[int]:
    try:
        return set(list_of("unanswered", texts.get("unanswered", "[]")))
    except DamagedRows:
        return set()


def _polled_last(rows: Mapping[str, Sequence[Row]]) -> set[int]:
    """Return the runs whose last row was brought by a poll."""
    asked: dict[int, int] = {}
    polled: dict[int, int] = {}
    for row in rows["ask"]:
        asked[row[1]] = max(row[2], asked.get(row[1], 0))
    for table in ("report", "outcome"):
        for row in rows[table]:
            polled[row[0]] = max(row[3], polled.get(row[0], 0))
    return {run for run, turn in polled.items() if turn > asked.get(run, 0)}
