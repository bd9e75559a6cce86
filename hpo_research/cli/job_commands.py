"""The commands for tuning-job documents: what they take, and which module answers."""

from pathlib import Path
from typing import Annotated

import typer

from hpo_research import cli
from hpo_research.cli import exits
from hpo_research.cli.arguments import Traceback
from hpo_research.cli.exits import readable

DESCRIBE = (
    "Exit codes: 0 it obeys the service's rules; 1 it does not: a line a violation, on "
    "stderr; 2 wrong usage."
)
TUNE = (
    "Exit codes: 0 the job is Completed or Stopped; 1 an error, on stderr, or a dry run "
    "that finds no value of the objective; 2 wrong usage; 3 the job has Failed; 130 interrupted by "
    "Ctrl-C, 143 by SIGTERM: completed work is stored, and the same command resumes."
)


def describe(
    document: Annotated[
        Path,
        typer.Argument(
            metavar="JOB", help="A tuning-job document of SageMaker, JSON; or a job's folder."
        ),
    ],
    definition: Annotated[
        Path | None,
        typer.Argument(metavar="DEFINITION", help="The training-job definition beside it."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="A folder of jobs, for the parents of a warm start.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what goes beyond an account's quotas.")
    ] = False,
) -> None:
    """Hold a tuning-job document against the service's rules, and print what it asks for."""
    with readable():
        cli.describe.show(cli.describe.Wanted(document, definition, root, strict))


def tune(
    document: Annotated[
        Path, typer.Argument(metavar="JOB", help="A tuning-job document of SageMaker, JSON.")
    ],
    definition: Annotated[
        Path | None, typer.Option(help="The training-job definition beside it.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A program that trains.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(metavar="FILE:FUNCTION", help="A Python function that trains.")
    ] = None,
    problem: Annotated[
        str | None, typer.Option(metavar="NAME", help="A problem that comes with the package.")
    ] = None,
    dry_run: Annotated[
        Path | None,
        typer.Option(metavar="LOG", help="Train nothing; say what the metrics catch in a log."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="The folder of jobs: parents are there, and this goes to ROOT/NAME."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The job's own folder.", show_default="results/NAME")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what goes beyond an account's quotas.")
    ] = False,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FOLDER", help="The data of a channel; may be repeated."),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds between SIGTERM and SIGKILL for a program.")
    ] = 120.0,
    all_failures: Annotated[
        bool, typer.Option("--all-failures", help="Go on where the first five jobs all failed.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads per process.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only how the job ended.")] = False,
    show_traceback: Traceback = False,
) -> None:
    """Run a tuning job of SageMaker on this machine, or resume it where it stopped."""
    with readable(show_traceback), exits.interruptible():
        code = cli.tune.tune(
            cli.tune.TuneOptions(
                *(document, definition, script, objective, problem, dry_run, root, out, strict),
                *(tuple(channel or ()), grace, all_failures, device, threads, quiet),
            )
        )
    raise typer.Exit(code)
