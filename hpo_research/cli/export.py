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
    if format == "coco":
        for line in analysis.coco.left_out(result):
            warn(f"left out: {line}")
        folders = sorted({str(path.parent) for path in paths if path.suffix == ".info"})
        say(screen(), f"wrote {len(paths)} files to {', '.join(folders)}")
        return
    *first, last = map(str, paths)
    say(screen(), f"wrote {', '.join(first)} and {last}")
