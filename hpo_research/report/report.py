"""Writing a report: figures and tables once, then the page and the manifest about them."""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import jinja2

from hpo_research import tables
from hpo_research.ambient import ordinary
from hpo_research.analysis.files import write_beside
from hpo_research.analysis.result import Result
from hpo_research.figures.draw import Drawn, draw
from hpo_research.report import contents
from hpo_research.report.coincidences import coincidences
from hpo_research.report.manifest import write_manifest
from hpo_research.report.sittings import commands, files, sittings
from hpo_research.tables import Table, Written

PAGE = "report.html"
_ENLARGED = 1.35  # figures are made for print; a screen is read from further away
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("hpo_research.report", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@ordinary()
def write(result: Result, folder: str | Path) -> Path:
    """Write figures, tables, `report.html` and `manifest.json` to a folder, and return the page.

    The page opens without a network and needs no file beside it. Nothing but the result is read.
    Files with the names of an earlier report are replaced, each in one step; others are left.
    Raises `StoreWriteError` where the disk refuses.
    """
    folder = Path(folder)
    figures = draw(result, folder / "figures")
    shown = tables.tables(result)
    written = [tables.save(table, folder / "tables") for table in shown]
    path = folder / PAGE
    text = page(result, folder, figures=figures, shown=list(zip(shown, written, strict=True)))
    write_beside(path, partial(_write, text))
    drawn = [p for figure in figures for p in figure.paths]
    listed = [p for table in written for p in table.paths]
    write_manifest(result, folder, [path, *drawn, *listed])
    return path


@ordinary()
def page(
    result: Result,
    folder: Path,
    *,
    figures: Sequence[Drawn],
    shown: Sequence[tuple[Table, Written]],
) -> str:
    """Return the page as HTML; links to files are relative to the folder."""
    linked = [(table, _links(written.paths, folder)) for table, written in shown]
    return _TEMPLATES.get_template("page.html").render(
        name=result.description["name"],
        is_study=result.description["execution"] == "study",
        heading=contents.heading(result),
        unfinished=contents.unfinished(result),
        messages=result.messages(),
        changes=result.changes(),
        coincidences=coincidences(result),
        summary=next((entry for entry in linked if entry[0].name == "summary"), None),
        figures=[(own, *_image(own), _links(own.paths, folder)) for own in figures],
        tables=[entry for entry in linked if entry[0].name != "summary"],
        settings=contents.settings(result),
        strategies=contents.strategies(result),
        problems=contents.problems(result),
        sittings=sittings(result),
        files=files(result),
        commands=commands(result),
    )


def _image(drawn: Drawn) -> tuple[str, int]:
    """Return the figure's SVG as an address that holds all of it, and its width in pixels."""
    (path,) = (path for path in drawn.paths if path.suffix == ".svg")
    content = path.read_bytes()
    points = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', content)
    width = 500.0 if points is None else float(points[1]) / 72 * 96 * _ENLARGED
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii"), round(width)


def _links(paths: Sequence[Path], folder: Path) -> Mapping[str, str]:
    """Return the kinds of a file with their addresses below the folder."""
    return {path.suffix[1:].upper(): path.relative_to(folder).as_posix() for path in paths}


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
