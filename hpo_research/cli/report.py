"""`hpo report`: the report of each results folder."""

from collections.abc import Sequence
from pathlib import Path

import typer

from hpo_research import report
from hpo_research.analysis.result import Result
from hpo_research.cli import summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import complain, readable


def reports(folders: Sequence[Path], control: str | None, show_traceback: bool = False) -> int:
    """Write the report of each folder; an error in one does not stop the others."""
    code = 0
    for folder in folders:
        try:
            with readable(show_traceback):
                code = _report(folder, control) or code
        except typer.Exit as error:
            code = error.exit_code
    return code


def _report(folder: Path, control: str | None) -> int:
    result = Result.read(folder)
    published = report.publish(result, folder, control)
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    name = result.facts.name
    say(screen(), f"the report of {name} is {published.page}{summary.rest(result)}")
    return complain(published.missing)
