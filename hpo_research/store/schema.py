"""The tables of a store, and the version that a reader checks first."""

VERSION = 2

# Every transaction of the loop is one row of `turn`; its rows carry the turn's id. Clocks and
# seconds are in seconds; `ask.parts` says what the parts of an ask took. `report.spent` counts the
# run's epochs up to and with that report. `lost` has a row for each time that a process ended while
# an attempt was running, with the last epoch stored by then.
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    problem TEXT NOT NULL, strategy TEXT NOT NULL, seed INTEGER NOT NULL,
    is_over INTEGER NOT NULL DEFAULT 0,
    UNIQUE (problem, strategy, seed)
);
CREATE TABLE turn (id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('poll', 'ask')));
CREATE TABLE ask (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run, turn INTEGER NOT NULL REFERENCES turn,
    exhausted TEXT NOT NULL, notes TEXT NOT NULL, clock REAL NOT NULL, seconds REAL NOT NULL,
    parts TEXT NOT NULL
);
CREATE TABLE proposal (
    ask INTEGER NOT NULL REFERENCES ask, position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('start', 'resume', 'stop')),
    trial INTEGER NOT NULL, attempt INTEGER NOT NULL,
    start INTEGER NOT NULL, until INTEGER NOT NULL, config TEXT, origin TEXT NOT NULL,
    PRIMARY KEY (ask, position)
) WITHOUT ROWID;
CREATE TABLE report (
    run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, epoch INTEGER NOT NULL,
    turn INTEGER NOT NULL REFERENCES turn, metrics TEXT NOT NULL, spent INTEGER NOT NULL,
    clock REAL NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (run, trial, epoch)
) WITHOUT ROWID;
CREATE TABLE outcome (
    run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, number INTEGER NOT NULL,
    turn INTEGER NOT NULL REFERENCES turn,
    status TEXT NOT NULL CHECK (status IN ('finished', 'paused', 'stopped', 'failed')),
    epoch INTEGER NOT NULL, reason TEXT NOT NULL, clock REAL NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (run, trial, number)
) WITHOUT ROWID;
CREATE TABLE lost (
    run INTEGER NOT NULL REFERENCES run, trial INTEGER NOT NULL, attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);
CREATE TABLE process (
    pid INTEGER NOT NULL, created REAL NOT NULL, host TEXT NOT NULL,
    PRIMARY KEY (pid, created, host)
) WITHOUT ROWID;
CREATE INDEX report_turn ON report (turn);
CREATE INDEX outcome_turn ON outcome (turn);
CREATE INDEX ask_turn ON ask (turn);
"""
