r"""Lines of text, of the bytes that a program writes.

What a terminal would show is what counts: of a line that carriage returns have written over, the
last part that is not blank. A line of more than `LONGEST` characters counts with its first ones,
less a word that the cut may have shortened. Bytes that are no UTF-8 become replacement characters.
"""

import re
from string import ascii_letters, digits

LONGEST = 10_000
_END = re.compile(rb"[\r\n]")
_WORD = ascii_letters + digits + "_.+-"  # what a number may be cut in


class Lines:
    """The lines of a program's output, as it comes; of the last one at most `LONGEST` is held."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_cut = False
        self.has_long = False

    def take(self, data: bytes) -> list[str]:
        """Return the lines that end in further output."""
        if self._is_cut:
            end = _END.search(data)
            if end is None:
                return []
            data, self._is_cut = data[end.start() :], False
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._hold(self._rest + data)
            return []
        text = (self._rest + whole).decode(errors="replace")
        self._hold(rest)
        lines = text.split("\n")
        if "\r" in text:
            lines = [_shown(line) for line in lines]
        if max(map(len, lines)) > LONGEST:
            self.has_long = True
            lines = [line if len(line) <= LONGEST else _cut(line) for line in lines]
        return lines

    def end(self) -> list[str]:
        """Return the last line where the output ends without a line break."""
        self._is_cut = False
        return self.take(b"\n") if self._rest else []

    def _hold(self, rest: bytes) -> None:
        if len(rest) > LONGEST and b"\r" in rest:
            before, _, part = rest.rpartition(b"\r")
            parts = (own for own in reversed(before.split(b"\r")) if own.strip())
            rest = next(parts, b"") + b"\r" + part
        self._is_cut = len(rest) > LONGEST
        self.has_long |= self._is_cut
        self._rest = rest[:LONGEST].rstrip(_WORD.encode()) if self._is_cut else rest


def _shown(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


def _cut(line: str) -> str:
    return line[:LONGEST].rstrip(_WORD)
