"""The history: all rows of a store, each held against its digest, by run.

What was read once is not read again: a later reading goes on where the last one ended, and begins
anew where anything that was read before is not as it was.

Reading on trusts what was read: later turns are held against the known links, sums and seal, and
damage done afterwards to rows that were read is seen by the next fresh reading. Rows are chained by
run, not by turn: where one turn is damaged, only the runs that lack rows in it break off there.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from hpo_research.entries import Granted
from hpo_research.ledger import Ledger
from hpo_research.store import digests
from hpo_research.store.damage import Damage, damaged, place_of
from hpo_research.store.digests import SEAL, SIZE, Row, Seal, Sum, Tail, seal_of
from hpo_research.store.replay import Asked, Ended, RunRows, replay
from hpo_research.store.reports import Collected, Reports, none
from hpo_research.store.rows import (
    RunName,
    are_typed,
    ask_of,
    check_types,
    grant_of,
    metrics_of,
    outcome_of,
    report_of,
)

Made = TypeVar("Made")
Read = Callable[[str], Iterable[Row]]
"""Gives the rows of a table, in the order of their keys: the columns, then the digest."""
Digested = Callable[[str, Iterable[Row]], list[bytes]]
"""Gives the digests of rows of a table."""

_BLOCK = 1024  # rows that are checked at once


class LastTurn(NamedTuple):
    """The last transaction: its kind (None in an empty store) and the runs that got rows."""

    kind: str | None = None
    runs: frozenset[int] = frozenset()


@dataclass(frozen=True)
class History:
    """What a store holds, at one moment: texts by key, runs by name, and the rows of each run.

    `damages` is what is wrong with it; the rest holds what is whole. `cuts` has, for every run
    that lacks rows, the first turn in which it does; `tail` is where a writer goes on, `last` its
    last turn, and `turns` sums up the digests of all turns. The turns up to `since` were known from
    an earlier reading that this one goes on from.
    """

    folder: Path | None
    meta: Mapping[str, str]
    runs: Mapping[RunName, int]
    over: frozenset[int]
    rows: Mapping[int, RunRows]
    lost: Sequence[tuple[int, int, int, int]]
    damages: Sequence[Damage]
    cuts: Mapping[int, int]
    tail: Tail
    last: LastTurn
    turns: Sum
    since: int = 0

    def of(self, run: int) -> RunRows:
        """Return the rows of a run."""
        return self.rows.get(run) or RunRows(none(run))

    def replay(self, ledgers: Mapping[int, Ledger]) -> LastTurn:
        """Enter every row of these runs into their ledgers, in the order of writing.

        Where the history goes on from an earlier one, only what came since. Raises `StoreError` for
        a row that cannot follow those before it.
        """
        found = [replay(self.of(run), own, after=self.since) for run, own in ledgers.items()]
        faults = sorted(fault for fault in found if fault)
        if faults:
            where = f"id {faults[0].turn}"
            raise damaged(self.folder, [Damage("turn", where, faults[0].why)])
        return self.last


def history(
    read: Read,
    folder: Path | None,
    known: History | None = None,
    digested: Digested = digests.of_rows,
) -> History:
    """Read a whole store, or what came after a history of it, and hold it against its digests.

    For the latter `read` gives, of reports, outcomes, proposals, asks and turns, the rows of later
    turns alone. Where anything is wrong then, the store must be read anew. `digested` gives the
    digests of the version that wrote the rows.
    """
    scan = Scan(read, digested=digested)
    if known is not None:
        scan = Scan(read, known.tail.links, known.turns)
    meta, runs, lost = scan.meta(), scan.summed("run"), scan.summed("lost")
    rows = scan.collect()
    last, turns = scan.turns()
    ids = {row[0] for row in runs}
    for run in sorted(scan.seen - ids):
        scan.damages.append(Damage("run", f"id {run}", "the row is missing"))
    whole = History(
        folder,
        meta,
        {RunName(*row[1:4]): row[0] for row in runs},
        frozenset(row[0] for row in runs if row[4]),
        rows,
        [row[1:] for row in lost],
        scan.damages,
        scan.cuts,
        Tail(scan.seal or Seal(), last[0], scan.links),
        last[1],
        turns,
    )
    return whole if known is None else _joined(known, whole)


def _joined(known: History, more: History) -> History:
    changed = {run: known.of(run).joined(own) for run, own in more.rows.items()}
    since = known.tail.turn
    if more.tail.turn == 0:  # no turn has been added
        more = replace(more, tail=replace(more.tail, turn=since), last=known.last)
    return replace(more, rows={**known.rows, **changed}, since=since)


class Chain:
    """The digests of the rows of runs, in the order in which they are entered, turn by turn."""

    def __init__(self) -> None:
        self._turns, self._runs, self._digests = array("q"), array("q"), bytearray()

    def add(self, turns: Iterable[int], runs: Iterable[int], made: Iterable[bytes]) -> None:
        """Add the digests of rows, each with its turn and its run."""
        self._turns.extend(turns)
        self._runs.extend(runs)
        self._digests += b"".join(made)

    def by_turn(self) -> Iterator[tuple[int, dict[int, bytes]]]:
        """Yield every turn that has rows, ascending, and the digests of its rows by run."""
        turns = np.array(self._turns, dtype=np.int64)
        runs = np.array(self._runs, dtype=np.int64)
        order = np.lexsort((runs, turns))
        turns, runs = turns[order], runs[order]
        joined = np.frombuffer(bytes(self._digests), dtype=f"V{SIZE}")[order].tobytes()
        is_first = np.ones(len(turns), dtype=bool)
        is_first[1:] = (turns[1:] != turns[:-1]) | (runs[1:] != runs[:-1])
        firsts = np.flatnonzero(is_first)
        ends = np.append(firsts, len(turns))[1:].tolist()
        last, own = 0, dict[int, bytes]()
        for turn, run, begin, end in zip(
            turns[firsts].tolist(), runs[firsts].tolist(), firsts.tolist(), ends, strict=True
        ):
            if turn != last and own:
                yield last, own
                own = {}
            last = turn
            own[run] = joined[SIZE * begin : SIZE * end]
        if own:
            yield last, own


class Scan:
    """A reading under way: what is wrong so far, and the rows that wait for their turn."""

    def __init__(
        self,
        read: Read,
        links: Mapping[int, bytes] | None = None,
        turns: Sum | None = None,
        digested: Digested = digests.of_rows,
    ) -> None:
        self._read = read
        self._digested = digested
        self.seal: Seal | None = None
        self.chain = Chain()
        self.damages: list[Damage] = []
        self.cuts: dict[int, int] = {}
        self.links: dict[int, bytes] = dict(links or {})
        self.seen: set[int] = set()
        self._before = turns or Sum()

    def note(self, table: str, row: Row, what: str) -> None:
        """Note that a row is damaged."""
        self.damages.append(Damage(table, place_of(table, row), what))

    def _blocks(self, table: str) -> Iterator[list[Row]]:
        """Yield the rows that are as they were written, each with its digest, in blocks."""
        rows = iter(self._read(table))
        while block := list(islice(rows, _BLOCK)):
            made = self._digested(table, block)
            if made == [row[-1] for row in block] and are_typed(table, block):
                yield block
            else:
                pairs = zip(block, made, strict=True)
                yield [row for row, digest in pairs if self._is_whole(table, row, digest)]

    def _is_whole(self, table: str, row: Row, digest: bytes) -> bool:
        if digest != row[-1]:
            self.note(table, row[:-1], "the row is not as it was written")
            return False
        return bool(self._made(table, partial(check_types, table), row[:-1]))

    def _whole(self, table: str) -> Iterator[tuple[Row, bytes]]:
        for block in self._blocks(table):
            for row in block:
                yield row[:-1], row[-1]

    def _made(self, table: str, make: Callable[[Row], Made], row: Row) -> Made | None:
        try:
            return make(row)
        except ValueError as error:
            self.note(table, row, str(error))
            return None

    # -- tables that the seal sums up

    def meta(self) -> dict[str, str]:
        """Return the texts by key, the seal's apart."""
        total, texts = Sum(), {}
        for row, digest in self._whole("meta"):
            if row[0] == SEAL:
                self.seal = self._made("meta", lambda row: seal_of(row[1]), row)
                continue
            texts[row[0]] = row[1]
            total = total.changed(new=digest)
        if self.seal is None and not self.damages:
            self.damages.append(Damage("meta", f"key {SEAL!r}", "the row is missing"))
        self._hold("meta", total)
        return texts

    def summed(self, table: str) -> list[Row]:
        """Return the whole rows of a table of `SUMMED` that is read from its beginning."""
        rows, made = [], []
        for row, digest in self._whole(table):
            rows.append(row)
            made.append(digest)
        self._hold(table, Sum().with_all(made))
        return rows

    def _hold(self, table: str, found: Sum) -> None:
        # Where rows are damaged the sum is wrong for no further reason.
        is_known = any(damage.table == table for damage in self.damages)
        if self.seal is None or self.seal.sums[table] == found or is_known:
            return
        expected = self.seal.sums[table]
        what = f"{found.count} rows instead of {expected.count}"
        if found.count == expected.count:
            what = "other rows than were written"
        self.damages.append(Damage(table, "", what))

    # -- tables whose rows are in the links of their runs

    def collect(self) -> dict[int, RunRows]:
        """Return the reports, outcomes and asks of every run, and chain them."""
        reports = self._reports()
        outcomes: dict[int, list[Ended]] = {}
        for row, digest in self._whole("outcome"):
            if outcome := self._made("outcome", outcome_of, row):
                outcomes.setdefault(row[0], []).append(Ended(row[3], outcome))
                self.chain.add((row[3],), (row[0],), (digest,))
        asks = self._asks()
        self.seen |= reports.keys() | outcomes.keys() | asks.keys()
        # Within a turn they stay in the order of their keys, in which they are entered.
        for ended in outcomes.values():
            ended.sort(key=itemgetter(0))
        for asked in asks.values():
            asked.sort(key=itemgetter(0))
        return {
            run: RunRows(
                reports.get(run) or none(run),
                tuple(outcomes.get(run, ())),
                tuple(asks.get(run, ())),
            )
            for run in sorted(reports.keys() | outcomes.keys() | asks.keys())
        }

    def _reports(self) -> dict[int, Reports]:
        found = Collected()
        for block in self._blocks("report"):
            metrics, rows = metrics_of(block), block
            if metrics is None:
                made = [(row, self._made("report", report_of, row[:-1])) for row in block]
                rows = [row for row, report in made if report]
                metrics = [dict(report[0].metrics) for _, report in made if report]
            found.add(rows, metrics)
            self.chain.add(*([row[i] for row in rows] for i in (3, 0, -1)))
        return found.by_run()

    def _asks(self) -> dict[int, list[Asked]]:
        granted: dict[int, list[tuple[Granted, bytes]]] = {}
        for row, digest in self._whole("proposal"):
            if grant := self._made("proposal", grant_of, row):
                granted.setdefault(row[0], []).append((grant, digest))
        asks: dict[int, list[Asked]] = {}
        for row, digest in self._whole("ask"):
            number, run, turn = row[:3]
            own = granted.pop(number, [])
            grants = tuple(grant for grant, _ in own)
            if ask := self._made("ask", partial(ask_of, grants=grants), row):
                asks.setdefault(run, []).append(Asked(turn, ask))
                made = [*(own_digest for _, own_digest in own), digest]
                self.chain.add([turn] * len(made), [run] * len(made), made)
        for number in granted:
            self.damages.append(Damage("ask", f"id {number}", "the row is missing"))
        return asks

    def turns(self) -> tuple[tuple[int, LastTurn], Sum]:
        """Hold the turns against the links of their runs; return the last one, and their sum.

        Where the row of a turn is missing, its rows count as whole once a later link of their run
        says so.
        """
        rows, made = {}, []
        for row, digest in self._whole("turn"):
            rows[row[0]] = row
            made.append(digest)
        total = self._before.with_all(made)
        self._hold("turn", total)
        links, unsure = self.links, dict[int, int]()
        last = (0, LastTurn())
        for number, entries in _in_order(rows.keys(), self.chain.by_turn()):
            own = digests.links_after(links, entries)
            found = rows.get(number)
            if found is None:
                self._note_missing(number)
                unsure |= {run: number for run in own if run not in unsure}
                links.update(own)
            else:
                said = digests.unpacked(found[2])
                if said != own or unsure:
                    self._compare(number, own, said, unsure)
                links.update(said)
            last = (number, LastTurn(found[1] if found else None, frozenset(own)))
        for run, number in unsure.items():
            self._cut(run, number)
        return last, total

    def _note_missing(self, number: int) -> None:
        if not any(damage.table == "turn" for damage in self.damages):
            self.damages.append(Damage("turn", f"id {number}", "the row is missing"))

    def _compare(
        self,
        number: int,
        found: Mapping[int, bytes],
        said: Mapping[int, bytes],
        unsure: dict[int, int],
    ) -> None:
        """Hold the links of a turn's rows against those that the turn says."""
        for run in sorted(found.keys() | said.keys()):
            self.seen.add(run)
            since = unsure.pop(run, number)
            if found.get(run) != said.get(run):
                self._cut(run, since)

    def _cut(self, run: int, number: int) -> None:
        if run in self.cuts:
            return
        self.cuts[run] = number
        what = f"rows of run {run} are missing, or are others than were written"
        self.damages.append(Damage("turn", f"id {number}", what))


def _in_order(
    numbers: Iterable[int], found: Iterator[tuple[int, dict[int, bytes]]]
) -> Iterator[tuple[int, dict[int, bytes]]]:
    """Yield all turns, those that have no rows included."""
    empty: dict[int, bytes] = {}
    waiting = next(found, None)
    for number in sorted(numbers):
        while waiting is not None and waiting[0] < number:
            yield waiting
            waiting = next(found, None)
        if waiting is not None and waiting[0] == number:
            yield waiting
            waiting = next(found, None)
        else:
            yield number, empty
    while waiting is not None:
        yield waiting
        waiting = next(found, None)
