"""`hpo run`: load, choose, run, report, and say where the results are."""

import os
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from hpo_research import report
from hpo_research.cli import selection, summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import ALL_FAILED, complain, telling_of_code
from hpo_research.cli.loading import load_all, source
from hpo_research.device import resolve
from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment, loop, shards
from hpo_research.progress.display import bars, lines
from hpo_research.progress.showing import Watch
from hpo_research.text import count


@dataclass(frozen=True)
class RunOptions:
    """What `hpo run` was called with; `given` are the options of the file's own."""

    file: Path
    out: Path | None
    device: str
    threads: int
    seeds: str | None
    only: tuple[str, ...]
    quiet: bool
    reports: bool = True
    shard: str | None = None
    given: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The options that decide what is computed, the device apart; not where it is stored."""
        options = list(self.given)
        options += [] if self.threads == 1 else ["--threads", str(self.threads)]
        options += [] if self.seeds is None else ["--seeds", self.seeds]
        return options + [part for name in self.only for part in ("--only", name)]


@dataclass(frozen=True)
class Part:
    """An experiment of a file, its folder, and the options that choose it alone."""

    experiment: Experiment
    folder: Path
    options: Sequence[str]


def chosen(wanted: RunOptions) -> list[Part]:
    """Return the file's experiments, with the seeds and parts that were chosen."""
    if wanted.file.name.startswith("-"):
        raise typer.BadParameter(f"a file's own options come after it: hpo run FILE {wanted.file}")
    seeds = None if wanted.seeds is None else _seeds(wanted.seeds)
    whole = load_all(wanted.file, wanted.given)
    parts = []
    for own in selection.among(whole, wanted.only):
        experiment = own if seeds is None else replace(own, seeds=seeds)
        above = Path("results") if wanted.out is None else wanted.out
        if len(whole) > 1:
            folder = above / own.name
            options = ["--only", own.name, "--out", os.path.abspath(above)]
        else:
            folder = above / own.name if wanted.out is None else above
            options = ["--out", os.path.abspath(folder)]
        parts.append(Part(experiment, folder, options))
    return parts


def run(wanted: RunOptions) -> int:
    """Run the file's experiments, one after the other, and return the exit code."""
    device = resolve(wanted.device)
    parts = chosen(wanted)
    codes = [_run(part.experiment, part.folder, wanted, device) for part in parts]
    if len(parts) > 1 and wanted.shard is None:
        named = shlex.join(["hpo", "report", *(str(part.folder) for part in parts)])
        say(screen(), f"all of them as one comparison: {named}")
    return next((code for code in codes if code == ALL_FAILED), max(codes))


def _run(experiment: Experiment, whole: Path, wanted: RunOptions, device: str) -> int:
    folder = shards.place(whole, experiment, wanted.shard)
    console = screen()
    if not wanted.quiet:
        say(console, _heading(experiment, folder, device, wanted.shard))
    origin = source(wanted.file, wanted.options)
    with telling_of_code() as said, _display(console, quiet=wanted.quiet) as watch:
        result = loop.run(
            experiment,
            out=whole,
            device=device,
            threads=wanted.threads,
            progress=watch or False,
            source=origin,
            shard=wanted.shard,
        )
    at_end, missing = list[str](), list[str]()
    if wanted.shard is not None:
        at_end = [f"hpo merge {folder.parents[1]} joins it with the other shards"]
    elif wanted.reports:
        if not wanted.quiet:
            say(console, "writing the report ...")
        published = report.publish(result, folder)
        at_end, missing = [f"the report: {published.page}"], list(published.missing)
    if not wanted.quiet:
        console.print(summary.table(summary.rows(result), is_final=True))
    messages = result.messages(experiment.run_names())
    known = [line for line in result.changes() if not any(line in told for told in said)]
    for message in [*messages, *result.endings(), *known]:
        warn(message)
    place = "".join([f"results are in {folder}", *(f" ({what})" for what in at_end)])
    say(console, f"{place}{summary.rest(result)}")
    code = complain(missing)
    return ALL_FAILED if messages else code


def _display(console: Console, *, quiet: bool) -> AbstractContextManager[Watch | None]:
    if quiet:
        return nullcontext()
    return bars(console) if console.is_terminal else nullcontext(lines(console))


def _seeds(text: str) -> list[int]:
    try:
        return selection.seeds(text)
    except ExperimentError as error:
        raise typer.BadParameter(str(error), param_hint="--seeds") from None


def _heading(experiment: Experiment, folder: Path, device: str, shard: str | None) -> str:
    part = f"shard {shard} of " if shard else ""
    problems = ", ".join(problem.name for problem in experiment.problems)
    return (
        f"{experiment.name}: {part}{count(len(experiment.run_names()), 'run')} on {device}, "
        f"in {folder}\n"
        f"problems: {problems}\n"
        f"strategies: {', '.join(experiment.strategies)}; seeds: {len(experiment.seeds)}"
    )
