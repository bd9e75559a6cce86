"""`hpo run --on`: shards as jobs, what they are asked to do, and the merge at their end."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo_research import report
from hpo_research.analysis.result import Result
from hpo_research.cli import summary
from hpo_research.cli.cluster_commands import Place
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import ALL_FAILED, ERROR, complain, telling_of_code
from hpo_research.cli.run import Part, RunOptions, chosen
from hpo_research.cluster.merging import merge_folders
from hpo_research.cluster.settings import Settings, settings
from hpo_research.cluster.submission import JOBS, Submitted, Task, hpo, submit
from hpo_research.errors import StoreError
from hpo_research.experiment.shards import Shard, place
from hpo_research.text import count

_PAUSE = 0.5  # seconds between two looks at the jobs


def run(wanted: RunOptions, where: Place) -> int:
    """Submit the shards of the file's experiments, and return the exit code.

    On this machine, wait for them, merge them, and write the report; a cluster does so by a job.
    """
    asked = settings(where.file, where.flags)
    parts = chosen(wanted)
    titles = {part.experiment.name for part in parts}
    inside = replace(wanted, only=tuple(name for name in wanted.only if name not in titles))
    submitted = [(part, _submit(part, inside, where, asked)) for part in parts]
    if where.where == "slurm":
        return 0
    for _, jobs in submitted:
        _wait(jobs)
    codes = [_end(part.folder.absolute(), wanted) for part, _ in submitted]
    return next((code for code in codes if code == ALL_FAILED), max(codes))


def _submit(part: Part, wanted: RunOptions, where: Place, asked: Settings) -> Submitted:
    experiment, whole = part.experiment, part.folder.absolute()
    every = [Shard(number, where.shards) for number in range(1, where.shards + 1)]
    for own in every:
        place(whole, experiment, own)  # refuses what is none
    tasks = [Task(_command(part, wanted, own)) for own in every]
    after = Task(hpo("merge", str(whole)), hpo("report", str(whole)))
    jobs = submit(where.where, experiment.name, whole, tasks, wanted=asked, after=after)
    console = screen()
    runs = f"{count(len(experiment.run_names()), 'run')} in {count(len(every), 'shard')}"
    say(console, f"{experiment.name}: {runs}, as job {jobs.id}; logs are in {whole / JOBS}")
    say(console, f"how far it is: hpo status {whole}")
    if where.where == "slurm":
        assert jobs.merge is not None  # `after` was given
        say(console, f"job {jobs.merge.job_id} merges them into {whole} and writes the report")
    return jobs


def _command(part: Part, wanted: RunOptions, own: Shard) -> Sequence[str]:
    # Absolute, but in the same working folder: a file may read data beside it.
    file = os.path.abspath(wanted.file)
    narrow = replace(wanted, given=()).options
    options = ["--device", wanted.device, *narrow, *part.options]
    return hpo(
        "run", file, "--shard", str(own), *options, *(["--", *wanted.given] if wanted.given else [])
    )


def _wait(jobs: Submitted) -> None:
    try:
        while not all(job.done() for job in jobs.jobs):
            time.sleep(_PAUSE)
    except BaseException:
        for job in jobs.jobs:
            job.cancel()
        while not all(job.done() for job in jobs.jobs):
            time.sleep(0.05)
        raise


def _end(whole: Path, wanted: RunOptions) -> int:
    """Merge the shards and write the report; or say which are not finished."""
    try:
        with telling_of_code():
            merge_folders(whole, [whole])
    except StoreError as error:
        warn(str(error), "error")
        warn(f"the logs of the jobs are in {whole / JOBS}; run the same command again to go on")
        return ERROR
    console, result = screen(), Result.read(whole)
    published = report.publish(result, whole)
    if not wanted.quiet:
        console.print(summary.table(summary.rows(result), is_final=True))
    messages = result.messages()
    for message in [*messages, *result.endings()]:
        warn(message)
    say(console, f"results are in {whole} (the report: {published.page})")
    return ALL_FAILED if messages else complain(published.missing)
