"""How wide text is in print, and text broken into lines of a width.

Measured in Computer Modern Roman of 8 points, what an article of 10 points has for `footnotesize`,
in its em (8 points; widths from cmr8.tfm). Times and most other fonts are narrower.
"""

import re
from functools import lru_cache

from hpo_research.text import visible

BOLD = 1.16
"""By how much bold digits are wider."""

_WIDTHS = {
    sign: width
    for width, signs in {
        0.31: "!',.:;[]`il\"",
        0.36: "fj-",
        0.42: "I()rts",
        0.48: "cez _|",
        0.54: "?$*/0123456789\\^ago{}~",
        0.60: "kqvxyJSbdhnpu",
        0.66: "ZL",
        0.75: "FEPB",
        0.83: "CTwRAHNUVXYD&+=@GKOQ",
        0.98: "#%mM<>",
        1.10: "W",
    }.items()
    for sign in signs
}
_OTHER = 1.1  # letters of other scripts, and signs of mathematics with the space around them
_EXPONENT = re.compile(r"e([-+]?)0*(\d+)")
_BREAKS = re.compile(r"(?<=[_\-/.,:;=+|])(?=[^_\-/.,:;=+|])|(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def width(text: str) -> float:
    """Return how wide a line of text is, in em."""
    return sum(_WIDTHS.get(sign, _OTHER) for sign in visible(text))


@lru_cache(maxsize=4096)
def width_of_number(text: str, *, is_bold: bool = False) -> float:
    """Return how wide the numbers of a cell are, those with an exponent as 1.5 × 10⁻⁷, in em."""
    found = 0.0
    for exponent in _EXPONENT.finditer(text):
        found += 2.5 + 0.5 * len(exponent[2]) + 0.7 * (exponent[1] == "-")
    plain = _EXPONENT.sub("", text).replace("inf", "M")
    signs = 0.5 * sum(sign in "-−<" for sign in plain)  # of mathematics, wider than in text
    return (found + signs + width(plain)) * (BOLD if is_bold else 1.0)


def wrapped(text: str, wide: float) -> list[str]:
    """Break text into lines of at most this width, in em.

    Between words; a word that is too wide behind a sign such as an underscore, or anywhere.
    """
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if width(joined) <= wide:
            line = joined
            continue
        lines += [line] if line else []
        *whole, line = broken(word, wide)
        lines += whole
    return [*lines, line]


def broken(word: str, wide: float) -> list[str]:
    """Break a word into pieces of at most this width, and of a sign at least."""
    pieces = [""]
    for part in _BREAKS.split(word):
        for own in [part] if width(part) <= wide else part:
            if pieces[-1] and width(pieces[-1] + own) > wide:
                pieces.append("")
            pieces[-1] += own
    return pieces
