"""Writing a report: figures and tables once, then the page and the manifest about them."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jinja2
from markupsafe import Markup

from hpo_research import tables
from hpo_research.ambient import ordinary
from hpo_research.analysis.files import write_beside
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.draw import Drawn, attempt
from hpo_research.paths import Given, place
from hpo_research.report import contents
from hpo_research.report.identical_strategies import identical_strategies
from hpo_research.report.manifest import write_manifest
from hpo_research.report.sessions import commands, files, sessions
from hpo_research.tables import Table, Written
from hpo_research.text import visible

PAGE = "report.html"
_ENLARGED = 1.35  # figures are made for print; a screen is read from further away


def _shown(value: object) -> object:
    """Return what a page shows of a value: control characters have no place in HTML."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("hpo_research.report", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    finalize=_shown,
)


@dataclass(frozen=True)
class Published:
    """A report that was written: its page, and a sentence for each figure that is not in it."""

    page: Path
    missing: tuple[str, ...] = ()


def write(result: Result, folder: Given, control: str | None = None) -> Path:
    """Write figures, tables, `report.html` and `manifest.json`, as `publish`; return the page."""
    return publish(result, folder, control).page


@ordinary()
def publish(result: Result, folder: Given, control: str | None = None) -> Published:
    """Write figures, tables, `report.html` and `manifest.json` to a folder.

    The page opens without a network and needs no file beside it. Nothing but the result is read.
    With a `control`, a strategy's name, pairs are tested against it alone. Files with the names of
    an earlier report are replaced, each in one step; others are left.
    Where a figure cannot be drawn or written, the page says why in its place. Raises
    `StoreWriteError` where the disk refuses the page or a table; an earlier page is kept.
    """
    folder = place(folder, "report: folder", StoreError)
    figures = attempt(result, folder / "figures")
    shown = tables.tables(result, control)
    written = [tables.save(table, folder / "tables") for table in shown]
    path = folder / PAGE
    text = page(result, folder, figures=figures, shown=list(zip(shown, written, strict=True)))
    write_beside(path, partial(_write, text))
    drawn = [p for figure in figures for p in figure.paths]
    listed = [p for table in written for p in table.paths]
    write_manifest(result, folder, [path, *drawn, *listed])
    missing = [f"no figure “{f.title}” ({f.reason})" for f in figures if f.error is not None]
    return Published(path, tuple(missing))


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
        name=result.facts.name,
        is_study=result.facts.is_study,
        heading=contents.heading(result),
        unfinished=contents.unfinished(result),
        messages=[*result.messages(), *result.endings()],
        changes=result.changes(),
        identical_strategies=identical_strategies(result),
        summary=next((entry for entry in linked if entry[0].name == "summary"), None),
        figures=[_embedded(own, folder) for own in figures],
        tables=[entry for entry in linked if entry[0].name != "summary"],
        settings=contents.settings(result),
        strategies=contents.strategies(result),
        problems=contents.problems(result),
        sessions=sessions(result),
        code=contents.code(result),
        files=files(result),
        commands=commands(result),
    )


def _embedded(drawn: Drawn, folder: Path) -> tuple[Drawn, str, int, Mapping[str, str]]:
    """Return a figure, its image and width, and links to its files; nothing where it is missing."""
    image, width = ("", 0) if drawn.error is not None else _image(drawn)
    return drawn, image, width, _links(drawn.paths, folder)


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
