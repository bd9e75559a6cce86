"""The tables of a store, and the version that a reader checks first."""

from collections.abc import Mapping
from pathlib import Path

from hpo_research.errors import StoreError

VERSION = 4
OLDEST = 2
"""The oldest version that `migration` can bring to this one."""

# Every transaction of the loop is one row of `turn`; its rows carry the turn's id. Clocks and
# seconds are in seconds; `ask.parts` says what the parts of an ask took. `report.spent` counts the
# run's epochs up to and with that report. An attempt after a trial's first, 0, begins by a proposal
# of kind `restart`; `report.attempt` says to which a report belongs. `lost` has a row for each time
# that a process ended while an attempt was running, with the last epoch stored by then. A `digest`
# is that of the row (`digests.py`); `turn.runs` holds the links of the runs that have rows in the
# turn, and `checkpoint.digest` is that of the file.
TABLES = (
    """CREATE TABLE meta (
        key TEXT PRIMARY KEY, value TEXT NOT NULL, digest BLOB
    ) WITHOUT ROWID""",
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        problem TEXT NOT NULL, strategy TEXT NOT NULL, seed INTEGER NOT NULL,
        is_over INTEGER NOT NULL DEFAULT 0, digest BLOB,
        UNIQUE (problem, strategy, seed)
    )""",
    """CREATE TABLE turn (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('poll', 'ask')),
        runs BLOB NOT NULL DEFAULT x'', digest BLOB
    )""",
    """CREATE TABLE ask (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run, turn INTEGER NOT NULL REFERENCES turn,
        exhausted TEXT NOT NULL, notes TEXT NOT NULL, clock REAL NOT NULL, seconds REAL NOT NULL,
        parts TEXT NOT NULL, digest BLOB
    )""",
    """CREATE TABLE proposal (
        ask INTEGER NOT NULL REFERENCES ask, position INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('start', 'resume', 'stop', 'restart')),
        trial INTEGER NOT NULL, attempt INTEGER NOT NULL,
        start INTEGER NOT NULL, until INTEGER NOT NULL, config TEXT, origin TEXT NOT NULL,
        digest BLOB,
        PRIMARY KEY (ask, position)
    ) WITHOUT ROWID""",
    """CREATE TABLE report (
        run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, epoch INTEGER NOT NULL,
        turn INTEGER NOT NULL REFERENCES turn, metrics TEXT NOT NULL, spent INTEGER NOT NULL,
        clock REAL NOT NULL, seconds REAL NOT NULL, attempt INTEGER NOT NULL, digest BLOB,
        PRIMARY KEY (run, trial, epoch, attempt)
    ) WITHOUT ROWID""",
    """CREATE TABLE outcome (
        run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, number INTEGER NOT NULL,
        turn INTEGER NOT NULL REFERENCES turn,
        status TEXT NOT NULL CHECK (status IN ('finished', 'paused', 'stopped', 'failed')),
        epoch INTEGER NOT NULL, reason TEXT NOT NULL, clock REAL NOT NULL, seconds REAL NOT NULL,
        digest BLOB,
        PRIMARY KEY (run, trial, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE lost (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, attempt INTEGER NOT NULL,
        epoch INTEGER NOT NULL, digest BLOB
    )""",
    """CREATE TABLE checkpoint (
        run INTEGER NOT NULL, trial INTEGER NOT NULL, epoch INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (run, trial, epoch)
    ) WITHOUT ROWID""",
    """CREATE TABLE process (
        pid INTEGER NOT NULL, created REAL NOT NULL, host TEXT NOT NULL,
        PRIMARY KEY (pid, created, host)
    ) WITHOUT ROWID""",
)

# The columns that a row's digest covers, in order, with what SQLite gives back for each; the
# leading ones that order a table are its key. Only `proposal.config` may be NULL.
COLUMNS: Mapping[str, Mapping[str, type]] = {
    "meta": {"key": str, "value": str},
    "run": {"id": int, "problem": str, "strategy": str, "seed": int, "is_over": int},
    "turn": {"id": int, "kind": str, "runs": bytes},
    "ask": {
        **{"id": int, "run": int, "turn": int, "exhausted": str, "notes": str},
        **{"clock": float, "seconds": float, "parts": str},
    },
    "proposal": {
        **{"ask": int, "position": int, "kind": str, "trial": int, "attempt": int},
        **{"start": int, "until": int, "config": str, "origin": str},
    },
    "report": {
        **{"run": int, "trial": int, "epoch": int, "turn": int, "metrics": str, "spent": int},
        **{"clock": float, "seconds": float, "attempt": int},
    },
    "outcome": {
        **{"run": int, "trial": int, "number": int, "turn": int, "status": str, "epoch": int},
        **{"reason": str, "clock": float, "seconds": float},
    },
    "lost": {"id": int, "run": int, "trial": int, "attempt": int, "epoch": int},
}
KEYS: Mapping[str, int] = {
    **{"meta": 1, "run": 1, "turn": 1, "ask": 1, "proposal": 2, "report": 3, "outcome": 3},
    "lost": 1,
}
"""How many leading columns are a table's key; that of a report ends with its attempt."""

INSERT: Mapping[str, str] = {
    table: f"INSERT INTO {table} VALUES ({', '.join('?' * (len(columns) + 1))})"
    for table, columns in COLUMNS.items()
}
"""Insert a row: the columns, then the digest."""

SELECT: Mapping[str, str] = {
    table: f"SELECT {', '.join(columns)}, digest FROM {table} "
    f"ORDER BY {', '.join(list(columns)[: KEYS[table]])}{', attempt' if table == 'report' else ''}"
    for table, columns in COLUMNS.items()
}
"""Every row in the order of its key: the columns, then the digest."""

SELECT_AFTER: Mapping[str, str] = {
    table: SELECT[table].replace(" ORDER BY", f" WHERE {where} ORDER BY")
    for table, where in {
        **dict.fromkeys(("report", "outcome", "ask"), "turn > ?"),
        "proposal": "ask IN (SELECT id FROM ask WHERE turn > ?)",
        "turn": "id > ?",
    }.items()
}
"""Of tables that only grow, the rows of later turns than one."""


def check_version(found: int, folder: Path | None) -> None:
    """Raise `StoreError` for a version that this one cannot read."""
    if found > VERSION:
        raise StoreError(
            f"{folder}: written by a newer version (schema {found}, this version reads "
            f"{VERSION}); nothing was changed: upgrade hpo_research to continue"
        )
    if found < OLDEST:
        raise StoreError(
            f"{folder}: written by an older version (schema {found}, this version reads "
            f"{OLDEST} to {VERSION}); nothing was changed: run the experiment in "
            "another folder"
        )
