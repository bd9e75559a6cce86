"""A storage of Optuna's as a file: a journal with all runs of a result, whole or not at all."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from hpo_research.analysis.files import write_beside
from hpo_research.analysis.optuna_view.studies import written_to
from hpo_research.analysis.result import Result


class _Collected(BaseJournalBackend):
    """A journal in memory: its lines are written at once, since each would wait for the disk."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Any:
        """Return the lines from a number on."""
        return iter(self.logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines."""
        self.logs += logs


def write(result: Result, path: Path) -> None:
    """Write all runs of a result as a journal, a study each, beside its place and renamed.

    Opened by `JournalStorage(JournalFileBackend(path))`, and then the caller's own to write to.
    Raises `StoreWriteError` where the disk refuses.
    """
    collected = _Collected()
    written_to(JournalStorage(collected), result, list(result.histories))
    write_beside(path, partial(_write, collected.logs))


def _write(logs: list[dict[str, Any]], path: Path) -> None:
    # Optuna keeps a lock beside the file that it writes to: in a folder of its own.
    with TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        beside = Path(folder) / path.name
        JournalFileBackend(str(beside)).append_logs(logs)
        beside.replace(path)
