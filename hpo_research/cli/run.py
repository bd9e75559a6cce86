"""`hpo run`: load, choose, run, report, and say where the results are."""

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
from hpo_research.experiment import Experiment, loop
from hpo_research.progress.display import bars, lines
from hpo_research.progress.showing import Watch


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
    given: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The options that decide what is computed, the device apart; not where it is stored."""
        options = list(self.given)
        options += [] if self.threads == 1 else ["--threads", str(self.threads)]
        options += [] if self.seeds is None else ["--seeds", self.seeds]
        return options + [part for name in self.only for part in ("--only", name)]


def run(wanted: RunOptions) -> int:
    """Run the file's experiments, one after the other, and return the exit code."""
    if wanted.file.name.startswith("-"):
        raise typer.BadParameter(f"a file's own options come after it: hpo run FILE {wanted.file}")
    device = resolve(wanted.device)
    seeds = None if wanted.seeds is None else _seeds(wanted.seeds)
    whole = load_all(wanted.file, wanted.given)
    chosen = selection.among(whole, wanted.only)
    experiments = [own if seeds is None else replace(own, seeds=seeds) for own in chosen]
    folders = [_folder(experiment, wanted.out, whole) for experiment in experiments]
    codes = [
        _run(experiment, folder, wanted, device)
        for experiment, folder in zip(experiments, folders, strict=True)
    ]
    if len(folders) > 1:
        named = shlex.join(["hpo", "report", *map(str, folders)])
        say(screen(), f"all of them as one comparison: {named}")
    return next((code for code in codes if code == ALL_FAILED), max(codes))


def _folder(experiment: Experiment, out: Path | None, among: Sequence[Experiment]) -> Path:
    if out is None:
        return Path("results", experiment.name)
    return out if len(among) == 1 else out / experiment.name


def _run(experiment: Experiment, folder: Path, wanted: RunOptions, device: str) -> int:
    console = screen()
    if not wanted.quiet:
        say(console, _heading(experiment, folder, device))
    origin = source(wanted.file, wanted.options)
    with telling_of_code() as said, _display(console, quiet=wanted.quiet) as watch:
        result = loop.run(
            experiment,
            out=folder,
            device=device,
            threads=wanted.threads,
            progress=watch or False,
            source=origin,
        )
    if not wanted.quiet:
        say(console, "writing the report ...")
    published = report.publish(result, folder)
    if not wanted.quiet:
        console.print(summary.table(summary.rows(result), is_final=True))
    messages = result.messages(experiment.run_names())
    known = [line for line in result.changes() if not any(line in told for told in said)]
    for message in [*messages, *result.endings(), *known]:
        warn(message)
    say(console, f"results are in {folder} (the report: {published.page}){summary.rest(result)}")
    code = complain(published.missing)
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


def _heading(experiment: Experiment, folder: Path, device: str) -> str:
    problems = ", ".join(problem.name for problem in experiment.problems)
    return (
        f"{experiment.name}: {len(experiment.run_names())} runs on {device}, in {folder}\n"
        f"problems: {problems}\n"
        f"strategies: {', '.join(experiment.strategies)}; seeds: {len(experiment.seeds)}"
    )
