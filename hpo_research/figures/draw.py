"""Figures as files: the same result gives the same bytes."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hpo_research.ambient import ordinary
from hpo_research.analysis import importance
from hpo_research.analysis.files import folder_for, write_beside
from hpo_research.analysis.incumbents import Axis
from hpo_research.analysis.merging import MIXED
from hpo_research.analysis.result import Result
from hpo_research.analysis.single import is_single
from hpo_research.errors import HpoError, StoreError
from hpo_research.figures import (
    calibration,
    choices,
    contours,
    parallel,
    slices,
    sobol,
    speed_ups,
    timeline,
)
from hpo_research.figures.critical_difference import critical_difference_figure
from hpo_research.figures.finals import finals_figure
from hpo_research.figures.importance import importance_figure
from hpo_research.figures.improvement import improvement_figure
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.figures.layout import Picture
from hpo_research.figures.learning import learning_figure
from hpo_research.figures.panel import trains_fully
from hpo_research.figures.profiles import profiles_figure
from hpo_research.figures.ranks import ranks_figure
from hpo_research.figures.running_times import running_times_figure
from hpo_research.figures.search_times import search_times_figure
from hpo_research.figures.style import styled
from hpo_research.figures.surrogate import surrogate_figure
from hpo_research.figures.trials import trials_figure
from hpo_research.figures.workers import workers_figure
from hpo_research.paths import Given
from hpo_research.text import visible

_DOTS_PER_INCH = 300
_FILE_NAME = 150  # letters; file systems take 255, and names of older stores may be longer


@dataclass(frozen=True)
class Drawn:
    """A figure on the disk: its name, a short title, its caption, and its PDF, SVG and PNG.

    Where it could not be drawn, `error` is why, and there are no files. `command` draws it again.
    """

    name: str
    title: str
    caption: str
    paths: tuple[Path, ...]
    error: Exception | None = None
    command: str = ""

    @property
    def reason(self) -> str:
        """Why the figure could not be drawn, in one line; empty where it was."""
        if self.error is None:
            return ""
        what = " ".join(str(self.error).split())[:300]
        return what if isinstance(self.error, HpoError) else f"{type(self.error).__name__}: {what}"


@dataclass(frozen=True)
class Sketch:
    """A figure that a result may have: its name and title, and what draws it, or finds nothing."""

    name: str
    title: str
    make: Callable[[], Picture | None]


@ordinary()
def draw(result: Result, folder: Given) -> list[Drawn]:
    """Draw every figure of a result into a folder, as PDF, SVG and PNG.

    The first is the incumbent figure, over epochs, or over evaluations where no problem has more
    than one epoch. Then, where there is something to show: the incumbent over evaluations (of the
    strategies that train every trial to the last epoch) and over seconds; mean ranks; the diagram
    of critical differences over problems; the probability of improvement; running times;
    profiles; finals; speed-ups; search times; values without noise of noisy problems; the
    importance of hyperparameters; of a single run slices, parallel coordinates, contours, a
    timeline, Sobol indices and the calibration of its model; the learning curves of each strategy
    that spares epochs; what slots trained and when; what a model believed on problems of one and
    two hyperparameters. Captions stand in the files' metadata too.
    Nothing but the result is read; a file is renamed into its place when it is complete. What
    keeps one from being drawn (`StoreWriteError` where the disk refuses) is raised when the others
    are there.
    """
    drawn = attempt(result, folder)
    for figure in drawn:
        if figure.error is not None:
            raise figure.error
    return drawn


@ordinary()
def attempt(
    result: Result, folder: Given, *, command: str = "", names: Collection[str] = ()
) -> list[Drawn]:
    """Draw as `draw` does; a figure that cannot be drawn is in the list with its error.

    Of all figures, or of those whose files have these `names`; raises `StoreError` for another.
    `command` writes the report: a figure says how it is drawn again, and so do its files.
    """
    beside = folder_for(folder, "draw")
    drawn: list[Drawn] = []
    found = sketches(result)
    known = [_file_name(sketch.name, []) for sketch in found]
    if unknown := [name for name in names if name not in known]:
        raise StoreError(f"no figure {', '.join(unknown)}; there may be {', '.join(known)}")
    for sketch in (s for s, name in zip(found, known, strict=True) if not names or name in names):
        taken = [other.name for other in drawn]
        name = _file_name(sketch.name, taken)
        try:
            picture = sketch.make()
            if picture is None:
                continue
            name = _file_name(picture.name, taken)
            again = f"{command} --figure {name}" if command else ""
            paths = save(replace(picture, name=name), beside, again)
        # The one place that answers for a figure: it is said on the page and on the terminal.
        except Exception as error:
            drawn.append(Drawn(name, sketch.title, "", (), error))
        else:
            drawn.append(Drawn(name, picture.title, picture.caption, tuple(paths), command=again))
    return drawn


@ordinary()
def pictures(result: Result) -> list[Picture]:
    """Return every figure of a result, not yet saved, in the order of `draw`."""
    found = [sketch.make() for sketch in sketches(result)]
    return [picture for picture in found if picture is not None]


def sketches(result: Result) -> list[Sketch]:
    """Return what may be drawn of a result, in the order of `draw`."""
    problems = result.facts.problems
    if not any(run.best() for run in result.runs.values()):
        return [] if is_single(result) else [_lines(result)[0]]
    found = [Sketch("trials", "Every trial", partial(trials_figure, result))]
    if len(result.runs) > 1:
        found = [*_lines(result), *found, *_compared(result)]
    found += [
        Sketch("noise-free", choices.TITLE, partial(choices.choices_figure, result)),
        Sketch("importance", importance.TITLE, partial(importance_figure, result)),
        *_of_a_study(result),
    ]
    for name in result.facts.strategies:
        make = partial(learning_figure, result, name)
        found.append(Sketch(f"learning-curves-{name}", f"Learning curves of {name}", make))
    for problem in problems:
        make = partial(workers_figure, result, problem)
        found.append(Sketch(f"workers-{problem}", f"What the slots trained on {problem}", make))
    for problem in problems:
        for name in result.facts.strategies:
            title = f"What {name} believed on {problem}"
            make = partial(surrogate_figure, result, problem, name)
            found.append(Sketch(f"surrogate-{problem}-{name}", title, make))
    return found


def _lines(result: Result) -> list[Sketch]:
    """Return the best values so far over everything that was spent."""
    problems = result.facts.problems
    has_epochs = any(facts.max_epochs != 1 for facts in problems.values())
    axis: Axis = "epochs" if has_epochs else "evaluations"
    found = [_over(result, "incumbent", axis)]
    # A problem of one epoch is over evaluations in the first figure already.
    full = {name: own for name, own in _full(result).items() if problems[name].max_epochs != 1}
    if has_epochs and full:
        found.append(_over(result, "incumbent-evaluations", "evaluations", strategies=full))
    if result.facts.execution != MIXED:
        found.append(_over(result, "incumbent-seconds", "seconds"))
    return found


def _compared(result: Result) -> list[Sketch]:
    """Return what several runs show beside their best values so far."""
    return [
        Sketch("ranks", "Mean rank over the budget", partial(_ranks, result)),
        Sketch(
            "critical-difference",
            "Ranks over problems",
            partial(critical_difference_figure, result),
        ),
        Sketch("improvement", "Probability of improvement", partial(improvement_figure, result)),
        Sketch("running-times", "Targets reached", partial(running_times_figure, result)),
        Sketch("profiles", "Performance and data profiles", partial(profiles_figure, result)),
        Sketch("finals", "Final values", partial(finals_figure, result)),
        Sketch("speed-ups", speed_ups.TITLE, partial(speed_ups.speed_ups_figure, result)),
        Sketch("search-times", "Search time over trials", partial(search_times_figure, result)),
    ]


def _of_a_study(result: Result) -> list[Sketch]:
    """Return the pictures of one run, where a result has no other."""
    if result.single is None:
        return []
    drawn = (slices, parallel, contours, timeline, sobol, calibration)
    makes = (
        slices.slices_figure,
        parallel.parallel_figure,
        contours.contours_figure,
        timeline.timeline_figure,
        sobol.sobol_figure,
        calibration.calibration_figure,
    )
    return [
        Sketch(module.__name__.rpartition(".")[2], module.TITLE, partial(make, result))
        for module, make in zip(drawn, makes, strict=True)
    ]


def _over(
    result: Result, name: str, axis: Axis, strategies: Mapping[str, Sequence[str]] | None = None
) -> Sketch:
    make = partial(incumbent_figure, result, axis, strategies=strategies)
    return Sketch(name, f"Best value so far over {axis}", make)


@ordinary()
def save(picture: Picture, folder: Path, command: str = "") -> list[Path]:
    """Write a figure as `NAME.pdf`, `NAME.svg` and `NAME.png` into a folder; return the files.

    `command`, which draws it again, stands in their metadata.
    """
    paths = []
    with styled():
        # One layout for the three formats: they would differ by rounding, and it takes its time.
        picture.figure.draw_without_rendering()
        picture.figure.set_layout_engine("none")
        for kind, metadata in _metadata(picture, visible(command)).items():
            path = folder / f"{picture.name}.{kind}"
            write_beside(path, partial(_save, picture.figure, kind, metadata))
            paths.append(path)
    return paths


def _full(result: Result) -> dict[str, list[str]]:
    """Return the strategies on each problem whose trials are evaluations, where there are any."""
    full = {
        problem: [
            strategy
            for strategy in result.facts.strategies
            if trains_fully(result, problem, strategy)
        ]
        for problem in result.facts.problems
    }
    return {problem: names for problem, names in full.items() if names}


def _ranks(result: Result) -> Picture | None:
    return ranks_figure(result, "budget" if result.facts.budget else "epochs")


def _file_name(name: str, taken: list[str]) -> str:
    """Return a name that every file system takes, unlike those that are taken."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:_FILE_NAME]
    number = 2
    unique = plain
    while unique in taken:
        unique, number = f"{plain}-{number}", number + 1
    return unique


def _metadata(picture: Picture, command: str) -> Mapping[str, dict[str, str | None]]:
    # Dates and versions would make two files of the same figure differ.
    title, text = visible(picture.title), visible(picture.caption)
    nameless = {"CreationDate": None, "Creator": None, "Producer": None}
    return {
        "pdf": {**nameless, "Title": title, "Subject": text, "Keywords": command},
        "svg": {
            "Date": None,
            "Creator": None,
            "Title": title,
            "Description": text,
            "Source": command,
        },
        "png": {"Software": None, "Title": title, "Description": text, "Source": command},
    }


def _save(figure: Figure, kind: str, metadata: dict[str, str | None], path: Path) -> None:
    # Through memory: what a full disk stops leaves a file of Matplotlib's open. By a canvas itself:
    # `Figure.savefig` draws twice a format, first for a layout, which is settled here.
    content = BytesIO()
    before, dots = figure.canvas, figure.dpi
    try:
        figure.set_dpi(_DOTS_PER_INCH)
        match kind:
            case "pdf":
                FigureCanvasPdf(figure).print_pdf(content, metadata=metadata)  # type: ignore[no-untyped-call]
            case "svg":
                FigureCanvasSVG(figure).print_svg(content, metadata=metadata)  # type: ignore[no-untyped-call]
            case _:
                FigureCanvasAgg(figure).print_png(content, metadata=metadata)  # type: ignore[no-untyped-call]
    finally:
        figure.set_dpi(dots)
        figure.set_canvas(before)
    path.write_bytes(content.getvalue())
