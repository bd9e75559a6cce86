"""`hpo export`: the frames of a results folder as files."""

from pathlib import Path

from hpo_research import analysis
from hpo_research.analysis.result import Result
from hpo_research.cli.console import say, screen, warn
from hpo_research.text import count


def export(folder: Path, format: str, *, raw: bool = False) -> None:
    """Write the frames of a folder's store beside it."""
    result = Result.read(folder)
    paths = analysis.export.export(result, folder / "export", format, raw=raw)
    risky = [] if format != "csv" else analysis.files.formulas(result.frame())
    if risky:
        what = "is as it is" if raw else "has an apostrophe before it (--raw writes it as it is)"
        warn(
            f"text that a spreadsheet would run as a formula {what}, in the columns "
            f"{', '.join(risky)}"
        )
    if format in ("coco", "iohprofiler"):
        kind = analysis.coco if format == "coco" else analysis.iohprofiler
        for line in kind.left_out(result):
            warn(f"left out: {line}")
        folders = sorted({str(path.parent) for path in paths if path.suffix in (".info", ".json")})
        say(screen(), f"wrote {count(len(paths), 'file')} to {', '.join(folders)}")
        return
    if format == "optuna":
        say(screen(), f"wrote {paths[0]}; to look at it: optuna-dashboard {paths[0]}")
        return
    *first, last = map(str, paths)
    say(screen(), f"wrote {', '.join(first)} and {last}")
