"""`hpo run --on`: shards as jobs, what they are asked to do, and the merge at their end."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from hpo_research import report
from hpo_research.analysis.result import Result
from hpo_research.cli import summary
from hpo_research.cli.cluster_commands import Place
from hpo_research.cli.console import say, screen, warn
from hpo_research.cli.exits import ALL_FAILED, ERROR, complain, telling_of_code
from hpo_research.cli.run import RunOptions, chosen
from hpo_research.cluster.merging import merge_folders
from hpo_research.cluster.settings import settings
from hpo_research.cluster.submission import JOBS, Submitted, Task, hpo, submit
from hpo_research.errors import StoreError
from hpo_research.experiment.shards import Shard, place

_PAUSE = 0.5  # seconds between two looks at the jobs


def run(wanted: RunOptions, where: Place) -> int:
    """Submit the shards of an experiment, and return the exit code.

    On this machine, wait for them, merge them, and write the report; a cluster does so by a job.
    """
    asked = settings(where.file, where.flags)
    experiment = chosen(wanted)
    every = [Shard(number, where.shards) for number in range(1, where.shards + 1)]
    folders = [place(wanted.out, experiment, own) for own in every]
    whole = folders[0].parents[1].absolute()
    tasks = [Task(_command(wanted, whole, own)) for own in every]
    after = Task(hpo("merge", str(whole)), hpo("report", str(whole)))
    jobs = submit(where.where, experiment.name, whole, tasks, wanted=asked, after=after)
    console = screen()
    runs = f"{len(experiment.run_names())} runs in {len(every)} shards"
    say(console, f"{experiment.name}: {runs}, as job {jobs.id}; logs are in {whole / JOBS}")
    say(console, f"how far it is: hpo status {whole}")
    if where.where == "slurm":
        assert jobs.merge is not None  # `after` was given
        say(console, f"job {jobs.merge.job_id} merges them into {whole} and writes the report")
        return 0
    _wait(jobs)
    return _end(whole, wanted)


def _command(wanted: RunOptions, whole: Path, own: Shard) -> Sequence[str]:
    # Absolute, but in the same working folder: a file may read data beside it.
    file = os.path.abspath(wanted.file)
    options = ["--device", wanted.device, *wanted.options, "--out", str(whole)]
    return hpo("run", file, "--shard", str(own), *options)


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
