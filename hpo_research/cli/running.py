"""`hpo run`: load, choose, run, draw, and say where the results are."""

from dataclasses import dataclass, replace
from pathlib import Path

import typer

from hpo_research.analysis.result import Result
from hpo_research.cli import selection, summary
from hpo_research.cli.answers import ALL_FAILED
from hpo_research.cli.display import display, say
from hpo_research.cli.loading import load
from hpo_research.cli.screen import screen
from hpo_research.device import resolve
from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment, loop
from hpo_research.figures.draw import draw


@dataclass(frozen=True)
class Wanted:
    """What `hpo run` was called with."""

    file: Path
    out: Path | None
    device: str
    threads: int
    seeds: str | None
    only: tuple[str, ...]
    quiet: bool


def run(wanted: Wanted) -> int:
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
    with display(experiment, console, quiet=wanted.quiet) as watch:
        result = loop.run(
            experiment, out=folder, device=device, threads=wanted.threads, watch=watch
        )
    figures = draw(result, folder / "figures")
    if not wanted.quiet:
        console.print(summary.table(summary.rows(result), is_final=True))
    messages = result.messages(experiment.run_names())
    for message in messages:
        typer.echo(f"warning: {message}", err=True)
    say(console, _last_line(result, folder, figures[0]))
    return ALL_FAILED if messages else 0


def _seeds(text: str) -> list[int]:
    try:
        return selection.seeds(text)
    except ExperimentError as error:
        raise typer.BadParameter(str(error), param_hint="--seeds") from None


def _heading(experiment: Experiment, folder: Path, device: str) -> str:
    problems = ", ".join(problem.name for problem in experiment.problems)
    return (
        f"{experiment.name}: {len(experiment.run_names())} runs on {device}, in {folder}\n"
        f"problems: {problems} (best values below are in this order)\n"
        f"strategies: {', '.join(experiment.strategies)}; seeds: {len(experiment.seeds)}"
    )


def _last_line(result: Result, folder: Path, figure: Path) -> str:
    left = len(result.runs) - len(result.over)
    rest = f"; {left} of its {len(result.runs)} runs are not over" if left else ""
    return f"results are in {folder} (the picture: {figure}){rest}"
