"""`hpo run`: load, choose, run, report, and say where the results are."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from hpo_research import report
from hpo_research.cli import selection, summary
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import ALL_FAILED, complain, telling_of_code
from hpo_research.cli.loading import load, source
from hpo_research.device import resolve
from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment, loop
from hpo_research.progress.display import bars, lines
from hpo_research.progress.showing import Watch
from hpo_research.text import count


@dataclass(frozen=True)
class RunOptions:
    """What `hpo run` was called with."""

    file: Path
    out: Path | None
    device: str
    threads: int
    seeds: str | None
    only: tuple[str, ...]
    quiet: bool

    @property
    def options(self) -> list[str]:
        """The options that decide what is computed, the device apart; not where it is stored."""
        options = [] if self.threads == 1 else ["--threads", str(self.threads)]
        options += [] if self.seeds is None else ["--seeds", self.seeds]
        return options + [part for name in self.only for part in ("--only", name)]


def run(wanted: RunOptions) -> int:
    """Run the experiment and return the exit code."""
    device = resolve(wanted.device)
    seeds = None if wanted.seeds is None else _seeds(wanted.seeds)
    experiment = selection.only(load(wanted.file), wanted.only)
    if seeds is not None:
        experiment = replace(experiment, seeds=seeds)
    folder = Path("results", experiment.name) if wanted.out is None else wanted.out
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
        f"{experiment.name}: {count(len(experiment.run_names()), 'run')} on {device}, in {folder}\n"
        f"problems: {problems}\n"
        f"strategies: {', '.join(experiment.strategies)}; seeds: {len(experiment.seeds)}"
    )
