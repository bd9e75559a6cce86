"""Figures as files: the same result gives the same bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from hpo_research.ambient import ordinary
from hpo_research.analysis.files import write_beside
from hpo_research.analysis.result import Result
from hpo_research.figures.finals import finals_figure
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.figures.learning import learning_figure
from hpo_research.figures.panel import trains_fully
from hpo_research.figures.ranks import ranks_figure
from hpo_research.figures.sheet import Picture
from hpo_research.figures.style import styled
from hpo_research.figures.surrogate import surrogate_figure

_DOTS_PER_INCH = 300


@dataclass(frozen=True)
class Drawn:
    """A figure on the disk: its name, a short title, its caption, and its PDF, SVG and PNG."""

    name: str
    title: str
    caption: str
    paths: tuple[Path, ...]


@ordinary()
def draw(result: Result, folder: str | Path) -> list[Drawn]:
    """Draw every figure of a result into a folder, as PDF, SVG and PNG.

    The first is the incumbent figure, over epochs, or over evaluations where no problem has more
    than one epoch. Then, where there is something to show: the incumbent over evaluations (of the
    strategies that train every trial to the last epoch) and over seconds; mean ranks; finals; the
    learning curves of each strategy that spares epochs; what a model believed on problems of one
    and two hyperparameters. Captions stand in the files' metadata too.
    Nothing but the result is read; a file is renamed into its place when it is complete. Raises
    `StoreWriteError` where the disk refuses.
    """
    drawn: list[Drawn] = []
    for picture in pictures(result):
        name = _file_name(picture.name, [other.name for other in drawn])
        paths = save(replace(picture, name=name), Path(folder))
        drawn.append(Drawn(name, picture.title, picture.caption, tuple(paths)))
    return drawn


@ordinary()
def pictures(result: Result) -> list[Picture]:
    """Return every figure of a result, not yet saved, in the order of `draw`."""
    problems = result.description["problems"]
    has_epochs = any(facts["max_epochs"] > 1 for facts in problems.values())
    main = incumbent_figure(result, "epochs" if has_epochs else "evaluations")
    if not any(run.best() for run in result.runs.values()):
        return [main]
    found: list[Picture | None] = [main]
    full = _full(result)
    if has_epochs and full:
        found.append(incumbent_figure(result, "evaluations", strategies=full))
    found += [incumbent_figure(result, "seconds"), _ranks(result), finals_figure(result)]
    strategies = result.description["strategies"]
    found += [learning_figure(result, name) for name in strategies]
    found += [surrogate_figure(result, p, name) for p in problems for name in strategies]
    return [picture for picture in found if picture is not None]


@ordinary()
def save(picture: Picture, folder: Path) -> list[Path]:
    """Write a figure as `NAME.pdf`, `NAME.svg` and `NAME.png` into a folder; return the files."""
    paths = []
    with styled():
        # One layout for the three formats: they would differ by rounding, and it takes its time.
        picture.figure.draw_without_rendering()
        picture.figure.set_layout_engine("none")
        for kind, metadata in _metadata(picture).items():
            path = folder / f"{picture.name}.{kind}"
            write_beside(path, partial(_save, picture.figure, kind, metadata))
            paths.append(path)
    return paths


def _full(result: Result) -> dict[str, list[str]]:
    """Return the strategies on each problem whose trials are evaluations, where there are any."""
    full = {
        problem: [
            strategy
            for strategy in result.description["strategies"]
            if trains_fully(result, problem, strategy)
        ]
        for problem in result.description["problems"]
    }
    return {problem: names for problem, names in full.items() if names}


def _ranks(result: Result) -> Picture | None:
    return ranks_figure(result, "budget" if result.description["budget"] else "epochs")


def _file_name(name: str, taken: list[str]) -> str:
    """Return a name that every file system takes, unlike those that are taken."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    number = 2
    unique = plain
    while unique in taken:
        unique, number = f"{plain}-{number}", number + 1
    return unique


def _metadata(picture: Picture) -> Mapping[str, dict[str, str | None]]:
    # Dates and versions would make two files of the same figure differ.
    title, text = picture.title, picture.caption
    nameless = {"CreationDate": None, "Creator": None, "Producer": None}
    return {
        "pdf": {**nameless, "Title": title, "Subject": text},
        "svg": {"Date": None, "Creator": None, "Title": title, "Description": text},
        "png": {"Software": None, "Title": title, "Description": text},
    }


def _save(figure: Figure, kind: str, metadata: dict[str, str | None], path: Path) -> None:
    figure.savefig(path, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
