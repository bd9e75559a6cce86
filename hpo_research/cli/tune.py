"""`hpo tune`: run a tuning job of SageMaker here, or say what its metrics catch in a log."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

import hpo_research
from hpo_research import sagemaker
from hpo_research.cli import jobs
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import ALL_FAILED, ERROR, telling_of_code
from hpo_research.cli.loading import function
from hpo_research.errors import DocumentWarning
from hpo_research.progress.display import bars, lines
from hpo_research.progress.showing import Watch
from hpo_research.sagemaker.dry_run import Caught, caught, resource_line
from hpo_research.sagemaker.running import FAILURES, folder_of
from hpo_research.sagemaker.trainers import GRACE_SECONDS, Trainer

_LINES = 12  # whose numbers are shown


@dataclass(frozen=True)
class TuneOptions:
    """What `hpo tune` was called with."""

    document: Path
    definition: Path | None = None
    script: Path | None = None
    objective: str | None = None
    problem: str | None = None
    log: Path | None = None
    root: Path | None = None
    out: Path | None = None
    strict: bool = False
    channels: tuple[str, ...] = ()
    grace_seconds: float = GRACE_SECONDS
    goes_on: bool = False
    device: str = "auto"
    threads: int = 1
    quiet: bool = False


def tune(wanted: TuneOptions) -> int:
    """Run the job, or go on with it, and return the exit code."""
    job = _loaded(wanted)
    console = screen()
    if wanted.log is not None:
        return _dry_run(job, wanted.log, console)
    trainer = _trainer(wanted)
    out = wanted.out
    if out is None and job.name is None:
        out = Path(wanted.root or "results", wanted.document.stem)
    folder = folder_of(job, wanted.root, out)
    name = job.called
    if not wanted.quiet:
        limit = f"{job.jobs:,} training jobs" if job.jobs is not None else "training jobs"
        say(console, f"{name}: {limit}, {job.parallel} at a time, in {folder}")
    among = _root(wanted)
    start = sagemaker.warm(job, among, out=folder)
    for line in () if wanted.quiet else start.notes:
        say(console, line)
    for line in start.warnings:
        warn(line)
    with (
        telling_of_code(),
        warnings.catch_warnings(),
        _display(console, quiet=wanted.quiet) as watch,
    ):
        warnings.simplefilter("ignore", DocumentWarning)
        sagemaker.tune(
            job,
            trainer,
            root=among,
            out=folder,
            failures=None if wanted.goes_on else FAILURES,
            grace_seconds=wanted.grace_seconds,
            channels=_channels(wanted.channels),
            device=wanted.device,
            threads=wanted.threads,
            progress=watch or False,
        )
    found = list(jobs.lines(folder, name))
    for line in found:
        say(console, line)
    say(console, f"the job is in {folder}; `hpo report {folder}` writes its report")
    return ALL_FAILED if found[0].startswith(f"{name}: Failed") else 0


def _root(wanted: TuneOptions) -> Path:
    """Return the folder of jobs, where parents are looked for."""
    return wanted.root or (Path("results") if wanted.out is None else wanted.out.parent)


def _loaded(wanted: TuneOptions) -> "sagemaker.TuningJob":
    """Load the document; in a job's folder its definition lies beside it."""
    beside = wanted.document.with_name(sagemaker.parents.DEFINITION)
    definition = wanted.definition
    if definition is None and wanted.document.name == sagemaker.parents.DOCUMENT:
        definition = beside if beside.is_file() else None
    with warnings.catch_warnings():  # they are printed below
        warnings.simplefilter("ignore", DocumentWarning)
        job = sagemaker.load(wanted.document, definition, root=_root(wanted), strict=wanted.strict)
    for line in job.warnings:
        warn(line)
    return job


def _trainer(wanted: TuneOptions) -> Trainer:
    given = [wanted.script, wanted.objective, wanted.problem]
    if sum(one is not None for one in given) != 1:
        raise typer.BadParameter(
            "expected one of --script, --objective and --problem (or --dry-run LOG)"
        )
    if wanted.script is not None:
        return wanted.script
    if wanted.objective is not None:
        return function(wanted.objective)
    return hpo_research.problem(wanted.problem or "")


def _channels(given: tuple[str, ...]) -> dict[str, str]:
    wrong = [one for one in given if not one.partition("=")[2]]
    if wrong:
        raise typer.BadParameter(f"expected NAME=FOLDER, got {wrong[0]!r}", param_hint="--channel")
    return dict(one.split("=", 1) for one in given)


def _display(console: Console, *, quiet: bool) -> AbstractContextManager[Watch | None]:
    if quiet:
        return nullcontext()
    return bars(console) if console.is_terminal else nullcontext(lines(console))


# -- the dry run


def _dry_run(job: "sagemaker.TuningJob", log: Path, console: Console) -> int:
    found = caught(job, log)
    for one in found:
        for line in _told(one):
            say(console, line)
    if line := resource_line(job, found):
        say(console, line)
    is_lost = any(one.is_objective and not one.values for one in found)
    return ERROR if is_lost else 0


def _told(one: Caught) -> list[str]:
    what = "objective" if one.is_objective else "metric"
    told = [f"{what} {one.metric}, {one.expression}"]
    if one.values:
        numbers = [str(match.line) for match in one.values]
        shown = numbers if len(numbers) <= _LINES else [*numbers[: _LINES - 2], "...", numbers[-1]]
        values = [f"{match.value:g}" for match in one.values]
        few = values if len(values) <= _LINES else [*values[: _LINES - 2], "...", values[-1]]
        last = one.values[-1].value
        told.append(f"  {len(values):,} values, the last {last!r}: {', '.join(few)}")
        told.append(f"  in lines {', '.join(shown)}")
    if one.values and one.others:
        first = one.others[0]
        lost = f"{len(one.others):,} matches are no number, the first {first.text!r:.60}"
        told.append(f"  {lost} in line {first.line}")
    if one.advice:
        told.append(f"  {'wrong' if one.values else 'nothing'}: {one.advice}")
    return told
