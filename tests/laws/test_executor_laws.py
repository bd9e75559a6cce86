"""The laws of executors: the same segments give the same outcomes, wherever they are trained."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from doubles import Walk

from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.executors.protocol import Executor, Poll
from hpo_research.executors.scripts import ScriptExecutor
from hpo_research.executors.simulated import SimulatedExecutor
from hpo_research.problems.protocol import Problem
from hpo_research.problems.script import Script
from hpo_research.records import Key, Segment
from hpo_research.rng import Stream
from hpo_research.testing import executors as laws
from hpo_research.testing.executors import segments

EXECUTORS: dict[str, Callable[[Problem], Executor]] = {
    "batches": LockStepExecutor,
    "simulated": SimulatedExecutor,
    "three workers": lambda problem: ProcessExecutor(problem, workers=3),
    "asynchronous": lambda problem: ProcessExecutor(problem, workers=2, lock_step=False),
}


PRINTS = """
import sys, time
for value in sys.argv[2].split():
    print("loss=" + value)
    time.sleep(0.005)
"""


class Programs:
    """An executor of programs that print what a problem reports: it is in their arguments."""

    def __init__(self, problem: Problem, *, lock_step: bool) -> None:
        command = (sys.executable, "-I", "-S", "-u", "-c", PRINTS)
        pattern = {"loss": r"loss=(\S+)"}
        self._problem = problem
        self._executor = ScriptExecutor(
            Script(command, problem.space, metrics=pattern, max_epochs=problem.max_epochs),
            lock_step=lock_step,
        )
        self.stop, self.poll = self._executor.stop, self._executor.poll
        self.close = self._executor.close

    def submit(self, segments: Sequence[Segment]) -> None:
        curves: dict[Key, list[str]] = {own.key: [] for own in segments}
        for reports in self._problem.evaluate([replace(own, start=0) for own in segments]):
            for report in reports:
                curves[report.key].append(repr(report.metrics["loss"]))
        self._executor.submit(
            [replace(own, config={"curve": " ".join(curves[own.key])}) for own in segments]
        )


# Where a value that is not a number fails no trial before its last one, and nothing is resumed.
PROGRAMS: dict[str, Callable[[Problem], Executor]] = {
    "programs": lambda problem: Programs(problem, lock_step=True),
    "asynchronous programs": lambda problem: Programs(problem, lock_step=False),
}
ALL = {**EXECUTORS, **PROGRAMS}


@contextmanager
def opened(name: str, problem: Problem) -> Iterator[Executor]:
    with laws.opened(ALL[name], problem) as executor:
        yield executor


@pytest.mark.parametrize("name", EXECUTORS)
def test_the_same_segments_give_the_same_outcomes(name: str):
    laws.gives_the_same(EXECUTORS[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_the_same_as_training_here(name: str):
    problem = laws.Drift(fails_above=2, can_resume=False)
    reports, outcomes = laws.trained(ALL[name], problem, segments())
    expected, ends = laws.trained(LockStepExecutor, problem, segments())
    assert laws.losses(reports) == laws.losses(expected)
    assert outcomes == ends


@pytest.mark.parametrize("name", ALL)
def test_reports_up_to_known_are_silent_and_the_rest_the_same(name: str):
    laws.known_is_silent(ALL[name])


@pytest.mark.parametrize("name", EXECUTORS)
def test_the_state_of_a_paused_trial_trains_on_elsewhere(name: str):
    laws.states_train_on(EXECUTORS[name])


@pytest.mark.parametrize("name", ALL)
def test_a_stopped_trial_ends_once_and_for_all_and_the_others_go_on(name: str):
    laws.stops_are_acknowledged(ALL[name])


@pytest.mark.parametrize("name", ["batches", "simulated", "three workers"])
def test_where_time_is_not_real_a_stopped_trial_has_ended_at_the_next_poll(name: str):
    with opened(name, Walk(fails_above=2)) as executor:
        executor.submit(segments())
        executor.poll(60.0)
        executor.stop([(0, 0), (1, 3), (77, 77)])
        poll = executor.poll(60.0)
    assert poll.ended == ((0, 0), (1, 3))
    assert not {(0, 0), (1, 3)} & {report.key for report in poll.reports}


@pytest.mark.parametrize("name", ["batches", "three workers", "programs"])
def test_a_lock_step_poll_trains_every_trial_by_one_epoch(name: str):
    with opened(name, Walk(fails_above=2)) as executor:
        executor.submit(segments())
        for epoch in (1, 2, 3, 4):
            poll = executor.poll(30.0)
            assert [(r.key, r.epoch) for r in poll.reports] == [
                (key, epoch) for key in sorted(s.key for s in segments())
            ]


@pytest.mark.parametrize("name", ["batches", "simulated", "three workers", *PROGRAMS])
def test_a_trial_of_open_length_is_finished_where_it_ends(name: str):
    laws.open_trials_finish(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_an_executor_without_work_polls_nothing_at_once(name: str):
    laws.nothing_without_work(ALL[name])


def test_a_simulated_run_sees_its_events_in_the_order_of_their_time():
    with opened("simulated", Walk(fails_above=2)) as executor:
        executor.submit(segments())
        polls = [executor.poll() for _ in range(40)]
    clocks: dict[int, list[tuple[float, int]]] = {0: [], 1: []}
    for poll in polls:
        assert len({report.run for report in poll.reports}) == len(poll.reports)
        for report in poll.reports:
            clocks[report.run].append((report.clock, report.trial))
    for events in clocks.values():
        assert events == sorted(events)
        assert len(events) > 10


def test_a_simulated_tie_goes_to_the_lower_trial():
    twins = [Segment(0, i, {"x": 0.5, "kind": "a"}, 2, Stream(0).at("trial", i)) for i in (5, 3, 4)]
    with opened("simulated", Walk()) as executor:
        executor.submit(twins)
        order = [report.trial for _ in range(6) for report in executor.poll().reports]
    assert order == [3, 4, 5, 3, 4, 5]


def test_a_simulated_trial_that_is_stopped_before_its_last_event_ends():
    pair = [
        Segment(0, i, {"x": x, "kind": "a"}, 1, Stream(0).at("trial", i))
        for i, x in enumerate((0.1, 0.9))
    ]
    with opened("simulated", Walk()) as executor:
        executor.submit(pair)
        assert [outcome.trial for outcome in executor.poll().outcomes] == [0]
        executor.stop([(0, 1)])
        assert executor.poll() == Poll(ended=((0, 1),))
        assert executor.poll() == Poll()
