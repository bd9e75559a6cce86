"""How jobs end: the word with which the reason of a trial begins, for programs to read.

A reason is `WORD: sentence`, where the word is one of `ENDINGS`. A trial that a program trained
has status `failed` with `JobFailed` or `ObjectiveFailed`, `stopped` with `MaxRuntimeExceeded`, or
`stopped` or `finished` without a reason; one that was stopped at its last epoch, since it went on
beyond it, is `finished` with `MaxResourceReached`.
"""

from pathlib import Path
from typing import Literal, get_args

from hpo_research.text import visible

Ending = Literal["JobFailed", "ObjectiveFailed", "MaxRuntimeExceeded", "MaxResourceReached"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
_BYTES, _LINES, _LENGTH = 8192, 20, 1500


def ending_of(reason: str) -> Ending | None:
    """Return the word with which a reason begins, None where it does not begin with one."""
    word = reason.partition(":")[0]
    return next((ending for ending in ENDINGS if ending == word), None)


def last_lines(log: Path) -> str:
    """Return what a program printed last, at most twenty lines; empty where there is nothing."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _BYTES, 0))
            text = visible(file.read().decode(errors="replace"))
    except FileNotFoundError:  # the program has removed it
        return ""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    return "\n".join(lines[-_LINES:])[-_LENGTH:]
