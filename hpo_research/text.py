r"""Text from outside: what of it can be stored, what can be shown, and what a name may hold.

Reasons, names and categories come from users' code, from file names and from other people's
folders. Some characters in them are shown by no font and obeyed by terminals, or have no place in
UTF-8 and XML: control characters, lone surrogates (bytes that `os.listdir` could not decode),
noncharacters, and signs that turn the direction of what follows. Wherever text leaves for people
they are written as Python escapes, `\x1b` or `\udce9`; tabs and line breaks stay.
"""

import re
from collections.abc import Collection

NAME_LENGTH = 200
REASON_LENGTH = 4000
_MESSAGE_LENGTH = 20_000
_QUOTED_LENGTH = 500
_MARK = 50  # no cut text is so long that it would be cut again
_BITS = 1600  # beyond, an integer is told by its size

_TURNING = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_HIDDEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_TURNING}{_NONCHARACTERS}]")
_BREAKING = re.compile(f"[\t\n]|{_HIDDEN.pattern}")


def visible(text: str) -> str:
    """Return text that UTF-8, XML and a terminal take, hidden characters written as escapes.

    What is visible already comes back as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_escape, text.replace("\r\n", "\n"))


def inline(text: str) -> str:
    """Return visible text on one line: tabs and line breaks are escapes too."""
    return _BREAKING.sub(_escape, visible(text))


def is_visible(text: str) -> bool:
    """Whether a text has no hidden characters."""
    return _HIDDEN.search(text) is None


def storable(reason: str) -> str:
    """Return a reason as it is stored: visible, and its middle left out where it is very long."""
    return _cut(visible(reason), REASON_LENGTH)


def message(text: str) -> str:
    """Return the message of an error as it is shown."""
    return _cut(visible(text), _MESSAGE_LENGTH)


def quoted(value: object) -> str:
    """Return the `repr` of whatever a caller gave, short, and without failing."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"an integer of {value.bit_length()} bits"
    try:
        shown = repr(value)
    except Exception as error:  # the caller's own class; what is wrong with the value comes first
        shown = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return _cut(visible(shown), _QUOTED_LENGTH)


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with what it counts: `1 trial`, `1,024 trials`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def name_mistake(name: object) -> str:
    """Say what is wrong with something that is to be a name; empty where nothing is.

    Names stand in files, figures, tables and at terminals.
    """
    if not isinstance(name, str) or not name:
        return f"must be a non-empty string, got {quoted(name)}"
    found = _BREAKING.search(name)
    if found is not None:
        return (
            f"must be text that can be shown on one line, got {_cut(ascii(name), _QUOTED_LENGTH)}, "
            f"which holds {found[0]!a}; leave that out"
        )
    if len(name) > NAME_LENGTH:
        return (
            f"must have at most {NAME_LENGTH} characters, got {len(name)}: "
            f"{_cut(repr(name), NAME_LENGTH)}; shorten it"
        )
    return ""


def is_one_of(value: object, words: Collection[str]) -> bool:
    """Whether a value is one of these words; arrays and missing values, which have no `==`, not."""
    return isinstance(value, str) and value in words


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    first, last = most * 3 // 4 - _MARK, most // 4
    return f"{text[:first]} [... {len(text) - first - last} characters left out ...] {text[-last:]}"
