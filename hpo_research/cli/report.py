"""`hpo report`: the report of one results folder, or of several as one comparison."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from hpo_research import analysis, report
from hpo_research.analysis.result import Result
from hpo_research.cli import summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import complain, readable
from hpo_research.errors import StoreError
from hpo_research.paths import place
from hpo_research.report import Options
from hpo_research.store.connection import FILE

_BESIDE = "report"


@dataclass(frozen=True)
class Given:
    """What `hpo report` was called with."""

    folders: tuple[Path, ...]
    out: Path | None
    style: str | None
    control: str | None
    labels: tuple[str, ...]
    colors: tuple[str, ...]
    order: tuple[str, ...]
    only: tuple[str, ...]
    figures: tuple[str, ...]
    raw: bool
    apart: bool
    fresh: bool
    each: bool

    def options(self, known: Sequence[str]) -> Options:
        """Return the options of the report, `known` being the names that they may speak of."""
        return Options(
            style=self.style,
            control=self.control,
            labels=_pairs(self.labels, "--label", known) or None,
            colors=_pairs(self.colors, "--color", known) or None,
            order=self.order or None,
            only=self.only or None,
            raw=self.raw or None,
            apart=self.apart or None,
        )


def reports(given: Given, show_traceback: bool = False) -> int:
    """Write one report, or that of each folder; an error in one does not stop the others."""
    folders = [(folder,) for folder in given.folders] if given.each else [given.folders]
    code = 0
    for own in folders:
        try:
            with readable(show_traceback):
                code = _report(replace(given, folders=own)) or code
        except typer.Exit as error:
            code = error.exit_code
    return code


def _report(given: Given) -> int:
    folders, out = _places(given)
    is_apart = given.apart or (not given.fresh and report.kept(out).options.apart)
    result = analysis.merging.merged([Result.read(f) for f in folders], apart=bool(is_apart))
    options = given.options([*result.facts.problems, *result.facts.strategies])
    if given.figures:
        drawn = report.redraw(result, out, given.figures, options)
        for figure in drawn:
            if figure.error is None:
                say(screen(), f"drew {', '.join(map(str, figure.paths))}")
        return complain([f"no figure “{f.title}” ({f.reason})" for f in drawn if f.error])
    published = report.publish(result, out, options, fresh=given.fresh)
    for message in [*result.messages(), *result.endings(), *result.changes()]:
        warn(message)
    kept = published.remembered.arguments
    if kept and options == Options():
        say(screen(), f"made as the last time: {' '.join(kept)}; --fresh forgets that")
    name = result.facts.name
    say(screen(), f"the report of {name} is {published.page}{summary.rest(result)}")
    return complain(published.missing)


def _places(given: Given) -> tuple[Sequence[Path], Path]:
    """Return the results folders, and where their report goes.

    A folder that holds a report of others stands for these.
    """
    folders = [place(folder, "DIR", StoreError) for folder in given.folders]
    is_alone = len(folders) == 1 and not (folders[0] / FILE).is_file()
    if is_alone and (others := report.kept(folders[0]).folders):
        return others, given.out or folders[0]
    if given.out is not None or len(folders) == 1:
        return folders, given.out or folders[0]
    parents = [os.path.dirname(os.path.abspath(folder)) for folder in folders]
    out = Path(os.path.relpath(os.path.commonpath(parents))) / _BESIDE
    if (out / FILE).is_file():
        raise StoreError(f"{out} is a results folder of its own; say where to write: --out FOLDER")
    return folders, out


def _pairs(given: Sequence[str], option: str, known: Sequence[str]) -> dict[str, str]:
    """Read NAME=TEXT; a name may hold signs of equality, so that those that are known go first."""
    found = {}
    for text in given:
        names = [name for name in known if text.startswith(f"{name}=")]
        name, equals, own = text.partition("=")
        if names:
            name = max(names, key=len)
            own = text[len(name) + 1 :]
        elif not equals:
            raise StoreError(f"{option} {text}: expected NAME=TEXT, such as {option} random=Random")
        found[name] = own
    return found
