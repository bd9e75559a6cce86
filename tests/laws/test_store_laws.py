"""The laws of the store: what was written is read, cuts lose no earlier turn, readers are free."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import SPACE
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.errors import StoreError
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import Ask, Outcome, Report, resume, start, stop
from hpo_research.store import RunName, Store, mark
from hpo_research.store.history import History
from hpo_research.store.store import FILE

VALUES = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NOTES = st.dictionaries(TEXTS, st.one_of(VALUES, TEXTS, st.lists(VALUES, max_size=3)), max_size=3)
CONFIGS = st.fixed_dictionaries({"x": st.floats(0, 1), "kind": st.sampled_from("abc")})


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="store-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def ledger(run: int) -> Ledger:
    return Ledger(RunInfo(run, SPACE, "loss", max_epochs=9), Limits())


NAMES = [RunName("p", "s", 0), RunName("p", "s", 1)]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, object]]:
    """A legal history: asks, reports and outcomes that a loop could have written."""
    books = {run: ledger(run) for run in (1, 2)}
    turns: list[tuple[str, object]] = []
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            rows = [_ask(draw, book) for book in books.values()]
            turns.append(("ask", rows))
            for row in rows:
                if not row.is_empty:
                    books[row.run].append_ask(row)
        else:
            turns.append(("poll", _poll(draw, books)))
    return turns


def _ask(draw: st.DrawFn, book: Ledger):
    proposals = [
        start(config, draw(st.integers(1, 9)), draw(TEXTS))
        for config in draw(st.lists(CONFIGS, max_size=2))
    ]
    for trial in book.trials:
        if trial.status == "paused" and draw(st.booleans()):
            proposals.append(resume(trial.id, draw(st.integers(trial.reached + 1, 9))))
        if trial.is_running and draw(st.integers(0, 5)) == 0 and trial.id not in book.stopping:
            proposals.append(stop(trial.id))
    parts = draw(st.dictionaries(TEXTS, st.floats(0, 9), max_size=2))
    ask = Ask(tuple(proposals), draw(NOTES), parts)
    return book.grant(ask, draw(st.floats(0, 1e6)), 0.25)


def _poll(draw: st.DrawFn, books: dict[int, Ledger]):
    entries, outcomes = [], []
    for run, book in books.items():
        for trial, segment in sorted(book.open.items()):  # as the loop sorts what a poll brought
            if trial in book.stopping or draw(st.integers(0, 9)) == 0:
                status = "stopped" if trial in book.stopping else "failed"
                reached = book.trials[trial].reached
                outcomes.append(Outcome(run, trial, status, reached, draw(TEXTS), 3.5, 0.5))
            else:
                metrics = {"loss": draw(VALUES), "other": draw(VALUES)}
                epoch = segment.position + 1
                report = Report(run, trial, epoch, metrics, draw(st.floats(0, 9)), 2.5)
                entries.append((report, book.append_report(report)))
                if epoch == segment.until:
                    status = "finished" if epoch == 9 else "paused"
                    outcomes.append(Outcome(run, trial, status, epoch))
    for outcome in outcomes:
        books[outcome.run].append_outcome(outcome)
    return entries, outcomes


def write(store: Store, turns: list[tuple[str, object]]) -> None:
    store.add_runs(NAMES)
    for kind, rows in turns:
        if kind == "ask":
            store.append_asks(rows)
        else:
            store.append_poll(*rows)


def enter(books: dict[int, Ledger], turn: tuple[str, object]) -> None:
    kind, rows = turn
    for row in rows if kind == "ask" else []:
        if not row.is_empty:
            books[row.run].append_ask(row)
    if kind == "poll":
        for report, _ in rows[0]:
            books[report.run].append_report(report)
        for outcome in rows[1]:
            books[outcome.run].append_outcome(outcome)


def books_after(turns: list[tuple[str, object]]) -> dict[int, Ledger]:
    books = {1: ledger(1), 2: ledger(2)}
    for turn in turns:
        enter(books, turn)
    return books


def read(store: Store) -> dict[int, Ledger]:
    books = {1: ledger(1), 2: ledger(2)}
    store.replay(books)
    return books


def facts(books: dict[int, Ledger]) -> list[object]:
    return [
        (
            b.run().trials,
            b.run().asks,
            [a.seconds for a in b.asks],
            dict(b.open),
            set(b.stopping),
            b.spent,
            b.clock,
            b.seconds,
        )
        for b in books.values()
    ]


@given(histories())
def test_what_was_written_is_read(turns):
    with folder() as place:
        with Store.write(place) as store:
            write(store, turns)
            assert facts(read(store)) == facts(books_after(turns))
        with Store.read(place) as store:
            assert facts(read(store)) == facts(books_after(turns))


@contextmanager
def whole(most: float) -> Iterator[None]:
    """Stores make their files whole after so many transactions at most: none, or every one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mark, "_BEGUN", most)
        patch.setattr(mark, "_SHARE", 0.0)
        yield


@given(histories(), st.data())
def test_a_write_cut_anywhere_keeps_all_earlier_transactions(turns, data):
    with folder() as place, folder() as cut, whole(0.0):
        with Store.write(place) as store:
            write(store, turns)
            # While the store is open its log holds everything: the machine dies now.
            shutil.copy(place / FILE, cut / FILE)
            log = (place / f"{FILE}-wal").read_bytes()
        keep = data.draw(st.integers(33, len(log)))  # less than a log's header is no log
        (cut / f"{FILE}-wal").write_bytes(log[:keep])
        books = books_after([])
        prefixes = [facts(books)]
        for turn in turns:
            enter(books, turn)
            prefixes.append(facts(books))
        with Store.write(cut) as store:
            assert facts(read(store)) in prefixes
        if keep == len(log):
            with Store.read(cut) as store:
                assert facts(read(store)) == prefixes[-1]


@settings(max_examples=10)
@given(histories(), st.sampled_from([0.0, 1e9]), st.integers(0, 7))
def test_a_file_without_its_log_is_whole_or_refused(turns, seconds, reader):
    with folder() as place, whole(seconds):
        with Store.write(place) as store, ExitStack() as stack:
            store.add_runs(NAMES)
            for n, turn in enumerate(turns):
                if n == reader:  # reads one state from now on: no checkpoint can pass it
                    slow = stack.enter_context(Store.read(place))
                    stack.enter_context(slow.snapshot())
                    assert len(slow.runs()) == len(NAMES)
                write(store, [turn])
                assert read_back(place, FILE, f"{FILE}-wal") == facts(books_after(turns[: n + 1]))
                if seconds and n < reader:
                    assert read_back(place, FILE) == facts(books_after(turns[: n + 1]))
                else:
                    with pytest.raises(StoreError, match=f"{FILE}-wal, which is missing or empty"):
                        read_back(place, FILE)
        assert read_back(place, FILE) == facts(books_after(turns))


def read_back(place: Path, *names: str) -> list[object]:
    """What a copy of these files alone reads as."""
    with folder() as to:
        for name in names:
            (to / name).write_bytes((place / name).read_bytes())
        with Store.read(to) as found:
            return facts(read(found))


@given(histories(), st.integers(0, 7))
def test_a_reader_sees_whole_turns_while_a_writer_writes(turns, pause):
    pause = min(pause, len(turns))
    with folder() as place, Store.write(place) as writer:
        write(writer, turns[:pause])
        with Store.read(place) as reader, reader.snapshot():
            before = facts(read(reader))
            write(writer, turns[pause:])  # the writer does not wait for the reader
            assert facts(read(reader)) == before == facts(books_after(turns[:pause]))
        with Store.read(place) as reader:
            assert facts(read(reader)) == facts(books_after(turns))


@pytest.mark.parametrize("turns", [[], [("poll", ([], []))]], ids=["empty", "empty poll"])
def test_an_empty_store_is_read_as_nothing(turns, tmp_path: Path):
    with Store.write(tmp_path) as store:
        write(store, turns)
        assert facts(read(store)) == facts(books_after([]))


def as_of(place: Path, known: History | None) -> History | None:
    """What is stored, read on from what is known; None where it is damaged."""
    with Store.read(place) as store:
        try:
            return store.history(known)
        except StoreError:
            return None


EVENTS = ["nothing", "damaged", "retracted", "killed", "over"]


@settings(max_examples=12)
@given(histories(), st.data())
def test_reading_on_gives_what_reading_anew_gives(turns, data):
    known = None
    with folder() as first, folder() as second, ExitStack() as stack:
        place, store = first, stack.enter_context(Store.write(first))
        for turn in turns:
            write(store, [turn])
            event = data.draw(
                st.sampled_from(["nothing", "damaged", "retracted", "killed", "over"])
            )
            if event == "retracted":
                store.retract({1: data.draw(st.integers(1, store.last_turn()))}, {})
            elif event == "over":
                store.append_asks([], over=[1])
            elif event == "killed" and place == first:
                for name in (FILE, f"{FILE}-wal"):
                    shutil.copy(first / name, second / name)
                place, store = second, stack.enter_context(Store.write(second))
            elif event == "damaged":  # in rows that nobody has read
                with closing(sqlite3.connect(place / FILE, isolation_level=None)) as db:
                    last = "WHERE id = (SELECT max(id) FROM turn)"
                    (kind,) = db.execute(f"SELECT kind FROM turn {last}").fetchone()
                    other = "ask" if kind == "poll" else "poll"
                    db.execute(f"UPDATE turn SET kind = ? {last}", (other,))
                    assert as_of(place, known) is as_of(place, None) is None
                    db.execute(f"UPDATE turn SET kind = ? {last}", (kind,))
            known, anew = as_of(place, known), as_of(place, None)
            assert replace(known, since=0) == anew
