"""What stopping early saved, and how often it stopped what would have won, as a table."""

import math
from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from hpo_research.analysis.stops import Stops
from hpo_research.tables.table import NONE, Cell, Table, breaks, count, text, unrepeated


def stops_table(cut: Sequence[Stops]) -> Table:
    """Return a row a problem × strategy that cut trials short; `cut` holds at least one."""
    problems = [row.problem for row in cut]
    rows = [
        [
            text(problem),
            text(row.strategy),
            count(row.started),
            count(row.stopped),
            count(row.paused),
            _percent(row.saved, row.whole),
            text(row.reference or NONE),
            _of(row.winners, row.known),
            _of(row.lost, row.compared),
        ]
        for problem, row in zip(unrepeated(problems), cut, strict=True)
    ]
    caption = (
        "Trials that did not fail, over all seeds; of these, those that were stopped, and those "
        "left paused in finished runs. Saved: the further epochs that training all of them to the "
        "end would have taken. A trial that was stopped or left paused would have won if its "
        "configuration, trained to the end in the run of the same seed by the strategy named under "
        "“Against”, ended better than every trial that the run itself trained to the end. “Winners "
        "cut” are such trials, out of those for which this is known; “Runs that lost one” are the "
        "runs with such a trial, out of those in which it is known of any."
    )
    head = ["Problem", "Strategy", "Trials", "Stopped", "Left", "Saved", "Against", "Winners cut"]
    head += ["Runs that lost one"]
    frame = pd.DataFrame([{**asdict(row), **_rates(row)} for row in cut])
    return Table("stops", "What stopping early saved", caption, frame, head, rows, breaks(problems))


def _rates(row: Stops) -> dict[str, float]:
    return {
        "saved_share": row.saved / row.whole if row.whole else math.nan,
        "winners_rate": row.winners / row.known if row.known else math.nan,
        "lost_rate": row.lost / row.compared if row.compared else math.nan,
    }


def _percent(part: int, whole: int) -> Cell:
    return Cell(f"{100 * part / whole:.0f}%" if whole else NONE, is_number=True)


def _of(found: int, known: int) -> Cell:
    return Cell(f"{found} of {known}" if known else NONE, is_number=True)
