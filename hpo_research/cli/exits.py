"""How a command ends: exit codes, one readable message for an error, and clean interrupts."""

import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TextIO

import typer

from hpo_research.cli.console import trace, warn
from hpo_research.errors import (
    CodeChangedWarning,
    DocumentWarning,
    EarlierResultsWarning,
    HpoError,
    MergeWarning,
    NetworkStoreWarning,
)

ERROR, ALL_FAILED, INTERRUPTED, TERMINATED = 1, 3, 130, 143


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


@contextmanager
def readable(show_traceback: bool = False) -> Iterator[None]:
    """Turn errors of the package into one message on stderr and exit code 1."""
    try:
        yield
    except HpoError as error:
        warn(str(error), "error")
        if show_traceback:
            trace(error)
        raise typer.Exit(ERROR) from None


def complain(missing: Sequence[str]) -> int:
    """Say on stderr what a report lacks; return the exit code, 1 where it lacks anything."""
    for what in missing:
        warn(f"the report has {what}", "error")
    return ERROR if missing else 0


_TOLD = (
    CodeChangedWarning,
    DocumentWarning,
    EarlierResultsWarning,
    MergeWarning,
    NetworkStoreWarning,
)


@contextmanager
def telling_of_code() -> Iterator[list[str]]:
    """Say on stderr, at once, which code or source changed; gives the list of what was said."""
    said: list[str] = []
    with warnings.catch_warnings():
        before = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, _TOLD):
                warn(str(message))
                said.append(str(message))
            else:
                before(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield said


@contextmanager
def interruptible() -> Iterator[None]:
    """End cleanly on Ctrl-C (exit code 130) and on SIGTERM (143), and say how to resume."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stop:
        warn("completed work is stored; run the same command again to resume", "interrupted")
        code = TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
        raise typer.Exit(code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut the tidying short
    raise Terminated
