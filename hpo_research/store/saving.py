"""A store in memory, kept in a folder: what an interrupt would else have lost."""

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from hpo_research.errors import StoreError
from hpo_research.paths import refusal
from hpo_research.store.connection import FILE
from hpo_research.store.store import Store


def saved(store: Store, wanted: Path) -> Path:
    """Write a store to a new folder, and return which: the first of `NAME`, `NAME-2`, ... free.

    States of trials are not in it: those that were paused are trained again from the beginning.
    Raises `StoreError` where nothing can be written there; what was begun is taken back then.
    """
    try:
        folder = _new(wanted)
    except OSError as error:
        raise StoreError(f"{wanted}: {refusal(wanted, error)}") from error
    part = folder / f"{FILE}.part"
    try:
        with closing(sqlite3.connect(part)) as file:
            store.look(lambda db: db.backup(file))
        os.replace(part, folder / FILE)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        folder.rmdir()
        raise StoreError(f"{folder}: cannot keep the trials here ({error})") from error
    return folder


def _new(wanted: Path) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("there is always a next number")
