"""`hpo stop`: end runs before their budget, or let them go on."""

from collections.abc import Sequence
from pathlib import Path

from hpo_research import cli
from hpo_research.analysis.result import Result
from hpo_research.cli.console import say, screen
from hpo_research.errors import ExperimentError
from hpo_research.store import requests
from hpo_research.text import count, storable


def stop(folder: Path, reason: str, only: Sequence[str], undo: bool) -> None:
    """Ask the loop of a folder, now or when it goes on, to end runs or to reopen them."""
    is_job = (folder / "job.json").is_file()
    if is_job and not undo:
        cli.jobs.refuse_over(folder)
    result = Result.read(folder)
    if result.facts.is_study:
        raise ExperimentError(f"{folder}: holds a study; end it with study.stop(reason)")
    if not reason:
        raise ExperimentError("--reason: say why the runs end")
    known = {name for run in result.runs for name in run[:2]}
    if strange := sorted(set(only) - known):
        raise ExperimentError(f"--only {strange[0]}: expected one of {', '.join(sorted(known))}")
    problems = {run.problem for run in result.runs} & set(only)
    strategies = {run.strategy for run in result.runs} & set(only)
    runs = [
        run
        for run in result.runs
        if (not problems or run.problem in problems)
        and (not strategies or run.strategy in strategies)
        and (run in result.ended) == undo
    ]
    requests.write(folder, requests.Request(tuple(runs), storable(reason), undo))
    command = "hpo tune" if is_job else "hpo run"
    what = f"to continue at the next `{command}`" if undo else "to end at its next turn"
    say(screen(), f"{result.facts.name}: {count(len(runs), 'run')} {what}")
