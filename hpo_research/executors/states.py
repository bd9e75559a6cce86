"""States at the edge of a problem: packed when they are handed up, made anew when handed down."""

from dataclasses import replace

from hpo_research import states
from hpo_research.errors import StateError
from hpo_research.problems.reporting import blame
from hpo_research.records import Report, Segment


def taken(report: Report) -> "states.Packed | None":
    """Pack the state that a report gives, None where it gives none.

    Raises `StateError` where it cannot be kept, or the problem's own code fails to give it.
    """
    if report.state is None:
        return None
    try:
        return states.pack(report.state())
    except StateError:
        raise
    except Exception as error:  # the user's, in the function that gives the state
        raise StateError(f"asking for it raised {blame(error, report.state)}") from error


def unkept(report: Report, error: StateError) -> str:
    """Say of which epoch a state cannot be kept, and why."""
    return f"the state at epoch {report.epoch} cannot be kept: {error}"


def begun(segment: Segment) -> Segment:
    """Return the segment with a state of its own: a problem may change it in place."""
    return replace(segment, state=states.copied(segment.state))
