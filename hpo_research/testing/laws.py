"""What a law is: a sentence, and a check that says what was expected and what came."""

from collections.abc import Callable, Mapping

from hpo_research.errors import HpoError
from hpo_research.origin import told
from hpo_research.text import quoted

Laws = Mapping[str, Callable[[], None]]
"""By its sentence, what checks a law; it raises where the law is broken."""


class LawError(HpoError, AssertionError):
    """A strategy, problem or executor breaks a law: which, what was expected, and what came."""


def need(holds: bool, expected: str, got: object) -> None:
    """Raise `LawError` unless something holds."""
    if not holds:
        raise LawError(f"expected {expected}, got {quoted(got)}")


def same(found: object, expected: object, what: str) -> None:
    """Raise `LawError` unless two things are equal."""
    need(found == expected, f"{what}: {quoted(expected)}", found)


def check(who: object, laws: Laws) -> None:
    """Check every law. Raises one `LawError` with a line for each that is broken."""
    lines = []
    for sentence, law in laws.items():
        try:
            law()
        except LawError as error:
            lines.append(f"- {sentence}: {error}")
        except Exception as error:  # whatever code of the user's raises is an answer here
            lines.append(f"- {sentence}: raised {told(error)}")
    if lines:
        raise LawError(
            f"{quoted(who)} breaks {len(lines)} of {len(laws)} laws:\n" + "\n".join(lines)
        )
