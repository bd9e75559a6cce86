"""Digests: how a store shows that it is as it was written.

Every row has the digest of its table and columns, so that a changed one is seen. The rows of a run
are a chain: in each turn that gave it rows it has a link, the digest of its link before and of the
digests of those rows, and the turn's row holds the links of its runs. A seal holds the count and
the sum of the digests of all turns, and of the rows that belong to no turn. So a row that is
removed, added or exchanged is seen too, and of which run. A run that is added later begins a chain.
They tell damage and edits by hand; whoever computes them anew is not stopped.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any

SIZE = 8
"""Bytes of a row's digest: by chance one damaged row in 2^64 is not seen."""

SUMMED = ("meta", "run", "turn", "lost")
"""The tables that the seal sums up; the rows of the others are in the links."""

SEAL = "seal"
"""The key of `meta` that holds the seal; no part of its own sum."""

Row = tuple[Any, ...]
_FILE_SIZE = 16
_LINK = Struct(f">Q{SIZE}s")
_MODULUS = 1 << (8 * SIZE)


def of_row(table: str, row: Row) -> bytes:
    """Return the digest of a row as SQLite gives it back: plain int, float, str, bytes, None."""
    # `ascii` and not `repr`: which signs are printable changes from one Python to the next.
    return blake2b((table + ascii(row)).encode("ascii"), digest_size=SIZE).digest()


def of_rows(table: str, rows: Iterable[Row]) -> list[bytes]:
    """Return the digests of rows that carry another value, such as their digest, at the end."""
    digest, name = blake2b, table.encode("ascii")
    return [
        digest(name + ascii(row[:-1]).encode("ascii"), digest_size=SIZE).digest() for row in rows
    ]


def before_attempts(table: str, rows: Iterable[Row]) -> list[bytes]:
    """Return the digests, as `of_rows`, that rows had in schema 3: a report had no attempt."""
    if table == "report":
        rows = [(*row[:-2], row[-1]) for row in rows]
    return of_rows(table, rows)


def of_content(content: bytes) -> bytes:
    """Return the digest of the bytes of a file, as `checkpoint.digest` holds it."""
    return blake2b(content, digest_size=_FILE_SIZE).digest()


def of_file(path: Path) -> bytes:
    """Return the digest of a file, as `of_content`."""
    return of_content(path.read_bytes())


def links_after(links: Mapping[int, bytes], entries: Mapping[int, bytes]) -> dict[int, bytes]:
    """Return the new link of every run that has entries: the digests of its rows, in order."""
    return {
        run: blake2b(links.get(run, b"") + own, digest_size=SIZE).digest()
        for run, own in sorted(entries.items())
    }


def packed(links: Mapping[int, bytes]) -> bytes:
    """Return links as `turn.runs` holds them: the run in 8 bytes, then its link, ascending."""
    return b"".join(run.to_bytes(8, "big") + link for run, link in sorted(links.items()))


def unpacked(runs: bytes) -> dict[int, bytes]:
    """Return the links that `packed` made the bytes of; of other bytes, links of no run."""
    whole = len(runs) - len(runs) % _LINK.size
    return dict(_LINK.iter_unpack(runs[:whole]))


@dataclass(frozen=True)
class Sum:
    """How many rows a table has, and the sum of their digests, which knows no order."""

    count: int = 0
    total: int = 0

    def changed(self, *, gone: bytes | None = None, new: bytes | None = None) -> "Sum":
        """Return the sum with one row less, one more, or one for another."""
        count, total = self.count, self.total
        if gone is not None:
            count, total = count - 1, total - int.from_bytes(gone, "big")
        if new is not None:
            count, total = count + 1, total + int.from_bytes(new, "big")
        return Sum(count, total % _MODULUS)

    def with_all(self, made: Sequence[bytes]) -> "Sum":
        """Return the sum with more rows."""
        total = sum((int.from_bytes(digest, "big") for digest in made), self.total)
        return Sum(self.count + len(made), total % _MODULUS)


@dataclass(frozen=True)
class Seal:
    """What a whole store adds up to: the sums of the tables in `SUMMED`."""

    sums: Mapping[str, Sum] = field(default_factory=lambda: dict.fromkeys(SUMMED, Sum()))

    def changed(self, table: str, *, gone: bytes | None = None, new: bytes | None = None) -> "Seal":
        """Return the seal with one row less, one more, or one for another in a table."""
        return Seal({**self.sums, table: self.sums[table].changed(gone=gone, new=new)})

    def with_all(self, table: str, made: Sequence[bytes]) -> "Seal":
        """Return the seal with more rows in a table."""
        return Seal({**self.sums, table: self.sums[table].with_all(made)})

    @property
    def text(self) -> str:
        """The seal as `meta` holds it."""
        sums = [f'"{t}": [{own.count}, "{own.total:016x}"]' for t, own in self.sums.items()]
        return f"{{{', '.join(sums)}}}"


def seal_of(text: str) -> Seal:
    """Return the seal that `Seal.text` gave. Raises `ValueError` for others."""
    found = json.loads(text)
    try:
        sums = {table: Sum(int(found[table][0]), int(found[table][1], 16)) for table in SUMMED}
    except (LookupError, TypeError) as error:
        raise ValueError(f"{text!r:.80} is not a seal") from error
    return Seal(sums)


@dataclass(frozen=True)
class Tail:
    """Where a store ends: its seal, the last turn, and the last link of every run."""

    seal: Seal = field(default_factory=Seal)
    turn: int = 0
    links: Mapping[int, bytes] = field(default_factory=dict)

    def with_turn(self, kind: str, entries: Mapping[int, bytes]) -> tuple["Tail", Row]:
        """Return the tail after one more turn, and the row of that turn.

        `entries` has for each run the digests of its rows, in the order in which they are entered.
        """
        links = links_after(self.links, entries)
        row = (self.turn + 1, kind, packed(links))
        return Tail(self.seal, self.turn + 1, {**self.links, **links}), row

    def with_turns(
        self, turns: Iterable[tuple[int, str]], entries: Mapping[int, Mapping[int, bytes]]
    ) -> tuple["Tail", list[Row]]:
        """Return the tail after turns, given by number and kind, and the rows of these turns.

        `entries` as in `with_turn`, by the number of the turn.
        """
        tail, rows = self, []
        for number, kind in turns:
            after, row = tail.with_turn(kind, entries.get(number, {}))
            tail = Tail(after.seal, number, after.links)
            rows.append((number, *row[1:]))
        return tail, rows
