"""Writing a report: figures and tables once, then the page and the manifest about them."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from hpo_research import tables
from hpo_research.ambient import ordinary
from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.files import write_beside
from hpo_research.analysis.merging import merged
from hpo_research.analysis.result import Result
from hpo_research.analysis.single import is_single
from hpo_research.errors import StoreError
from hpo_research.figures.draw import Drawn, attempt
from hpo_research.figures.style import Style, looks_of, using
from hpo_research.figures.venues import venue
from hpo_research.lists import items
from hpo_research.paths import Given, place
from hpo_research.report import contents
from hpo_research.report.identical_strategies import identical_strategies
from hpo_research.report.manifest import write_manifest
from hpo_research.report.options import Options, command, keep, kept
from hpo_research.report.sessions import commands, files, sessions
from hpo_research.report.study import study
from hpo_research.tables import Table, Written
from hpo_research.text import visible

PAGE = "report.html"
_ENLARGED = 1.35  # figures are made for print; a screen is read from further away


def _shown(value: object) -> object:
    """Return what a page shows of a value: control characters have no place in HTML."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(text: str) -> Markup:
    """Let long names break where their words join, as in `my_own_strategy`, not within one."""
    parts = re.split(r"(?<=[^\W\d_][_./-])(?=[^\W_])", visible(text))
    return Markup("<wbr>").join(map(escape, parts))


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("hpo_research.report", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    finalize=_shown,
)
_TEMPLATES.filters["breakable"] = _breakable
_TEMPLATES.globals["rows_shown"] = 100  # of a table; beyond, nobody reads it on a page

_NONE = Options()


@dataclass(frozen=True)
class Published:
    """A report that was written: its page, and a sentence for each figure that is not in it.

    `options` are those that it was made with, `remembered` those of them that an earlier report in
    its folder was made with.
    """

    page: Path
    missing: tuple[str, ...] = ()
    options: Options = _NONE
    remembered: Options = _NONE


def write(
    results: Result | Given | Sequence[Result | Given],
    folder: Given,
    control: str | None = None,
    *,
    style: str | None = None,
    labels: Mapping[str, str] | None = None,
    colors: Mapping[str, str] | None = None,
    order: Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    raw: bool | None = None,
    apart: bool | None = None,
) -> Path:
    """Write figures, tables, `report.html` and `manifest.json`, as `publish`; return the page.

    Of one result or several, each a `Result` or its folder; several are merged as one comparison
    (see `analysis.merging`). The options are those of `Options`; what is left out is as it was at
    the last report in the folder.
    """
    names = {
        what: None if own is None else tuple(items(own, what, StoreError))
        for what, own in {"order": order, "only": only}.items()
    }
    options = Options(style, control, labels, colors, names["order"], names["only"], raw, apart)
    is_one = isinstance(results, str | PathLike | Result)
    given: Sequence[Result | Given] = [results] if is_one else list(results)  # type: ignore
    read = [own if isinstance(own, Result) else Result.read(own) for own in given]
    is_apart = options.over(kept(place(folder, "report: folder", StoreError)).options).apart
    return publish(merged(read, apart=bool(is_apart)), folder, options).page


@ordinary()
def publish(
    result: Result, folder: Given, options: Options | None = None, *, fresh: bool = False
) -> Published:
    """Write figures, tables, `report.html` and `manifest.json` to a folder.

    The page opens without a network and needs no file beside it. Nothing but the result is read,
    and what the last report in the folder was made with (`report.json`), unless it is to be
    `fresh`: what `options` leave out is as it was then.
    Files with the names of an earlier report are replaced, each in one step; others are left.
    Where a figure cannot be drawn or written, the page says why in its place. Raises
    `StoreWriteError` where the disk refuses the page or a table, and `StoreError` for an option
    that the result does not fit; an earlier page is kept.
    """
    folder = place(folder, "report: folder", StoreError)
    made = _made(result, folder, options, fresh=fresh)
    with using(made.style):
        figures = attempt(made.result, folder / "figures", command=made.command)
    shown = tables.tables(made.result, made.control)
    written = [tables.save(table, folder / "tables", raw=bool(made.options.raw)) for table in shown]
    path = folder / PAGE
    text = page(made, folder, figures=figures, shown=list(zip(shown, written, strict=True)))
    write_beside(path, partial(_write, text))
    drawn = [p for figure in figures for p in figure.paths]
    listed = [p for table in written for p in table.paths]
    write_manifest(made.result, folder, [path, *drawn, *listed])
    keep(folder, made.options, made.elsewhere)
    missing = [f"no figure “{f.title}” ({f.reason})" for f in figures if f.error is not None]
    return Published(path, tuple(missing), made.options, made.remembered)


@ordinary()
def redraw(
    result: Result, folder: Given, names: Sequence[str], options: Options | None = None
) -> list[Drawn]:
    """Draw some figures of a report anew, by their file names; its page stays as it is.

    Raises `StoreError` for a name that no figure has.
    """
    folder = place(folder, "report: folder", StoreError)
    made = _made(result, folder, options, fresh=False)
    with using(made.style):
        return attempt(made.result, folder / "figures", command=made.command, names=names)


@dataclass(frozen=True)
class Made:
    """What a report is made of: the result arranged, its style, and the command for it.

    `control` is named as in the arranged result. `elsewhere` are the results folders of a
    comparison of several.
    """

    result: Result
    style: Style
    control: str | None
    command: str
    elsewhere: tuple[Path, ...]
    options: Options
    remembered: Options


def _made(result: Result, folder: Path, options: Options | None, *, fresh: bool) -> Made:
    remembered = Options() if fresh else kept(folder).options
    wanted = (options or Options()).over(remembered)
    labels = wanted.labels or {}
    arranged = result.arrange(
        only=tuple(wanted.only or ()), order=tuple(wanted.order or ()), labels=labels
    )
    style = venue(wanted.style or "plain")
    names = list(result.facts.strategies)
    with using(style):
        looks = dict(zip(names, looks_of(names, wanted.colors or {}), strict=True))
    before = {labels.get(name, name): name for name in names}
    kept_looks = tuple(looks[before[name]] for name in arranged.facts.strategies)
    control = None if wanted.control is None else labels.get(wanted.control, wanted.control)
    if control is not None:
        check_name("strategy", control, arranged.facts.strategies)
    parts = list(result.parts.values()) or [result]
    folders = [part.folder for part in parts]
    return Made(
        arranged,
        replace(style, looks=kept_looks),
        control,
        command(folders, wanted, folder if result.parts else None),
        tuple(own for own in folders if own is not None) if result.parts else (),
        wanted,
        remembered,
    )


@ordinary()
def page(
    made: Made,
    folder: Path,
    *,
    figures: Sequence[Drawn],
    shown: Sequence[tuple[Table, Written]],
) -> str:
    """Return the page as HTML; links to files are relative to the folder."""
    result = made.result
    linked = [(table, _links(written.paths, folder)) for table, written in shown]
    own = study(result) if is_single(result) else None
    template = _TEMPLATES.get_template("comparison.html" if own is None else "study.html")
    return template.render(
        study=own,
        is_over=result.is_finished,
        name=result.facts.name,
        is_study=result.facts.is_study,
        heading=contents.heading(result),
        unfinished=contents.unfinished(result) if own is None else [],
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
        command=made.command,
        remembered=made.options.arguments,
        labels=made.options.labels or {},
        parts=list(result.parts),
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
