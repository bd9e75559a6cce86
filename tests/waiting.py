"""What the tests of worker processes share: segments, and ways to wait."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psutil

from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.processes.process_tree import ProcessId
from hpo_research.executors.protocol import Poll
from hpo_research.records import Key, Outcome, Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace

SPACE = SearchSpace(x=Float(0, 1))


def segment(trial: int, *, until: int = 1, run: int = 0, **fields: Any) -> Segment:
    config = fields.pop("config", {"x": trial / 8})
    return Segment(run, trial, config, until, Stream(7).at("trial", trial), **fields)


def drain(
    executor: ProcessExecutor, timeout: float = 60
) -> tuple[list[Report], dict[Key, Outcome]]:
    """Poll until nothing is running."""
    reports: list[Report] = []
    outcomes: dict[Key, Outcome] = {}
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        poll = executor.poll()
        if poll == Poll():
            break
        reports += poll.reports
        outcomes |= {outcome.key: outcome for outcome in poll.outcomes}
    return reports, outcomes


def values(reports: Sequence[Report]) -> list[tuple[int, int, int, float]]:
    return sorted((r.run, r.trial, r.epoch, r.metrics["loss"]) for r in reports)


def plain(reports: Sequence[Report]) -> list[Report]:
    return [replace(report, seconds=None, state=None) for report in reports]


def is_gone(pid: int, within: float = 5) -> bool:
    """Whether a process has ended, or does so soon."""
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return True
    return False


def assert_all_gone(started: Sequence[ProcessId]) -> None:
    assert started
    left = [known for known in started if not is_gone(known.pid)]
    assert left == []


def epochs() -> Callable[..., None]:
    """A well-behaved function of several epochs."""

    def f(config, report):
        for epoch in range(report.start + 1, report.until + 1):
            if not report(epoch, config["x"] + 1 / epoch):
                return

    return f
