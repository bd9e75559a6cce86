"""The history: all rows of a store, each held against its digest, as records by turn."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from hpo_research.ledger import AskRow, Grant, Ledger
from hpo_research.records import Outcome, Report
from hpo_research.store import digests
from hpo_research.store.damage import Damage, damaged, place_of
from hpo_research.store.digests import SEAL, Row, Seal, Sum, Tail, seal_of
from hpo_research.store.rows import (
    RunName,
    ask_of,
    check_types,
    grant_of,
    outcome_of,
    report_of,
)

Made = TypeVar("Made")
Entry = AskRow | Report | Outcome
Read = Callable[[str], Iterable[Row]]
"""Gives the rows of a table, in the order of their keys: the columns, then the digest."""


@dataclass(frozen=True)
class LastTurn:
    """The last transaction: its kind (None in an empty store) and the runs that got rows."""

    kind: str | None
    runs: frozenset[int]


@dataclass(frozen=True)
class Turn:
    """One transaction: what a poll brought, or the asks of all runs.

    `reports` come with the epochs that their run had spent.
    """

    id: int
    kind: str
    reports: list[tuple[Report, int]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    asks: list[AskRow] = field(default_factory=list)

    @property
    def rows(self) -> Iterator[Entry]:
        """The rows of all runs, in the order in which they are entered."""
        yield from (report for report, _ in self.reports)
        yield from self.outcomes
        yield from self.asks


@dataclass(frozen=True)
class History:
    """What a store holds, at one moment: texts by key, runs by name, turns in order of writing.

    `damages` is what is wrong with it; the rest holds what is whole. `cuts` has, for every run
    that lacks rows, the first turn in which it does; `tail` is where a writer goes on.
    """

    folder: Path | None
    meta: Mapping[str, str]
    runs: Mapping[RunName, int]
    over: frozenset[int]
    turns: Sequence[Turn]
    lost: Sequence[tuple[int, int, int, int]]
    damages: Sequence[Damage]
    cuts: Mapping[int, int]
    tail: Tail

    def replay(self, ledgers: Mapping[int, Ledger]) -> LastTurn:
        """Enter every row of these runs into their ledgers, in the order of writing.

        Raises `StoreError` for a row that cannot follow those before it.
        """
        for turn in self.turns:
            for row in turn.rows:
                if row.run not in ledgers:
                    continue
                if why := impossible(ledgers[row.run], row):
                    raise damaged(self.folder, [Damage("turn", f"id {turn.id}", why)])
                enter(ledgers[row.run], row)
        last = self.turns[-1] if self.turns else None
        if last is None:
            return LastTurn(None, frozenset())
        return LastTurn(last.kind, frozenset(row.run for row in last.rows))


def history(read: Read, folder: Path | None) -> History:
    """Read a whole store and hold it against its digests."""
    scan = Scan(read)
    meta, runs, lost = scan.meta(), scan.summed("run"), scan.summed("lost")
    scan.collect()
    turns = scan.turns()
    known = {row[0] for row in runs}
    for run in sorted(scan.seen - known):
        scan.damages.append(Damage("run", f"id {run}", "the row is missing"))
    return History(
        folder,
        meta,
        {RunName(*row[1:4]): row[0] for row in runs},
        frozenset(row[0] for row in runs if row[4]),
        turns,
        [row[1:] for row in lost],
        scan.damages,
        scan.cuts,
        Tail(scan.seal or Seal(), turns[-1].id if turns else 0, scan.links),
    )


class Scan:
    """A reading under way: what is wrong so far, and the rows that wait for their turn."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.seal: Seal | None = None
        self._turns: dict[int, Turn] = {}
        self.entries: dict[int, list[tuple[int, bytes]]] = {}
        self.damages: list[Damage] = []
        self.cuts: dict[int, int] = {}
        self.links: dict[int, bytes] = {}
        self.seen: set[int] = set()

    def note(self, table: str, row: Row, what: str) -> None:
        """Note that a row is damaged."""
        self.damages.append(Damage(table, place_of(table, row), what))

    def _whole(self, table: str) -> Iterator[tuple[Row, bytes]]:
        """Yield the rows that are as they were written, and their digests."""
        of_row = digests.of_row
        for raw in self._read(table):
            row, digest = raw[:-1], raw[-1]
            if digest != of_row(table, row):
                self.note(table, row, "the row is not as it was written")
            elif self._made(table, partial(check_types, table), row):
                yield row, digest

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
        """Return the whole rows of a table of `SUMMED`."""
        total, rows = Sum(), []
        for row, digest in self._whole(table):
            rows.append(row)
            total = total.changed(new=digest)
        self._hold(table, total)
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

    def collect(self) -> None:
        """Put reports, outcomes and asks into their turns."""
        for row, digest in self._whole("report"):
            if report := self._made("report", report_of, row):
                self._turn(row[3], row[0], [digest]).reports.append(report)
        for row, digest in self._whole("outcome"):
            if outcome := self._made("outcome", outcome_of, row):
                self._turn(row[3], row[0], [digest]).outcomes.append(outcome)
        granted: dict[int, list[tuple[Grant, bytes]]] = {}
        for row, digest in self._whole("proposal"):
            if grant := self._made("proposal", grant_of, row):
                granted.setdefault(row[0], []).append((grant, digest))
        for row, digest in self._whole("ask"):
            own = granted.pop(row[0], [])
            grants = tuple(grant for grant, _ in own)
            if ask := self._made("ask", partial(ask_of, grants=grants), row):
                bound = [*(own_digest for _, own_digest in own), digest]
                self._turn(row[2], row[1], bound).asks.append(ask)
        for number in granted:
            self.damages.append(Damage("ask", f"id {number}", "the row is missing"))

    def _turn(self, number: int, run: int, row_digests: Sequence[bytes]) -> Turn:
        self.seen.add(run)
        if number not in self._turns:
            self._turns[number] = Turn(number, "")
            self.entries[number] = []
        self.entries[number] += [(run, digest) for digest in row_digests]
        return self._turns[number]

    def turns(self) -> list[Turn]:
        """Return the turns in order, held against the links of their runs.

        Where the row of a turn is missing, its rows count as whole once a later link of their run
        says so.
        """
        rows = {row[0]: row for row in self.summed("turn")}
        links = self.links
        unsure: dict[int, int] = {}
        turns = []
        for number in sorted(rows.keys() | self._turns.keys()):
            found = self._turns.get(number, Turn(number, ""))
            own = digests.links_after(links, self.entries.get(number, []))
            if number not in rows:
                self._note_missing(number)
                unsure |= {run: number for run in own if run not in unsure}
                links.update(own)
                kind = "ask" if found.asks else "poll"
            else:
                kind, said = rows[number][1], digests.unpacked(rows[number][2])
                self._compare(number, own, said, unsure)
                links.update(said)
            turns.append(replace(found, kind=kind))
        for run, number in unsure.items():
            self._cut(run, number)
        return turns

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


def impossible(ledger: Ledger, row: Entry) -> str:
    """Return why a row cannot follow those that a ledger holds, empty where it can."""
    who = f"run {row.run}"
    if isinstance(row, AskRow):
        return _impossible_ask(ledger, row, who)
    if row.trial not in ledger.open:
        return f"{who}: trial {row.trial} is reported or ended while it is not running"
    if isinstance(row, Outcome):
        return ""
    segment = ledger.open[row.trial]
    if not segment.position < row.epoch <= segment.until:
        wanted = f"{segment.position + 1} to {segment.until}"
        return f"{who}: trial {row.trial} reports epoch {row.epoch}, expected {wanted}"
    if ledger.info.metric not in row.metrics:
        return f"{who}: trial {row.trial} reports no {ledger.info.metric!r} at epoch {row.epoch}"
    return ""


def _impossible_ask(ledger: Ledger, row: AskRow, who: str) -> str:
    count, busy = len(ledger.trials), set(ledger.open)
    for grant in row.grants:
        trial = f"{who}: trial {grant.trial}"
        if grant.kind == "stop":
            if grant.trial not in busy:
                return f"{trial} is stopped while it is not running"
            continue
        if grant.kind == "start":
            if grant.trial != count:
                return f"{trial} is started, expected trial {count}"
            if (grant.config or {}).keys() != ledger.info.space.parameters.keys():
                return f"{trial} has other hyperparameters than the space: {grant.config!r:.80}"
            count += 1
        elif not 0 <= grant.trial < count or grant.trial in busy:
            return f"{trial} is resumed while it is not paused"
        if not 0 <= grant.start < grant.until:
            return f"{trial} is trained from epoch {grant.start} until {grant.until}"
        busy.add(grant.trial)
    return ""


def enter(ledger: Ledger, row: Entry) -> None:
    """Enter a row into its run's ledger."""
    if isinstance(row, AskRow):
        ledger.append_ask(row)
    elif isinstance(row, Report):
        ledger.append_report(row)
    else:
        ledger.append_outcome(row)
