"""`hpo export`: the frames of a results folder as files."""

from pathlib import Path

from hpo_research import analysis
from hpo_research.analysis.result import Result
from hpo_research.cli.console import say, screen, warn


def export(folder: Path, format: str) -> None:
    """Write the frames of a folder's store beside it."""
    result = Result.read(folder)
    paths = analysis.export.export(result, folder / "export", format)
    risky = [] if format != "csv" else analysis.files.formulas(result.frame())
    if risky:
        warn(
            "a spreadsheet reads text that begins with = + - @ as a formula; have it import these "
            f"columns as text: {', '.join(risky)}"
        )
    if format == "optuna":
        say(screen(), f"wrote {paths[0]}; to look at it: optuna-dashboard {paths[0]}")
        return
    *first, last = map(str, paths)
    say(screen(), f"wrote {', '.join(first)} and {last}")
