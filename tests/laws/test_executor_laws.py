"""The laws of executors: the same segments give the same outcomes, wherever they are trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from doubles import Walk

from hpo_research.executors.batches import Batches, Simulated
from hpo_research.executors.protocol import Executor, Poll
from hpo_research.executors.workers import Workers
from hpo_research.problems.protocol import Problem
from hpo_research.records import Key, Report, Segment
from hpo_research.rng import Stream

EXECUTORS: dict[str, Callable[[Problem], Executor]] = {
    "batches": Batches,
    "simulated": Simulated,
    "one worker": lambda problem: Workers(problem, workers=1),
    "three workers": lambda problem: Workers(problem, workers=3),
    "asynchronous": lambda problem: Workers(problem, workers=2, lock_step=False),
}


def segments(count: int = 7, until: int = 4, known: int = 0) -> list[Segment]:
    """Trials of two runs; every third fails at epoch 2."""
    return [
        Segment(
            i % 2,
            i,
            {"x": 0.75 + i / 100, "kind": "abc"[i % 3]},
            until if i % 2 else until + 1,
            Stream(i % 2).at("trial", i),
            known=known,
        )
        for i in range(count)
    ]


@contextmanager
def opened(name: str, problem: Problem) -> Iterator[Executor]:
    executor = EXECUTORS[name](problem)
    try:
        yield executor
    finally:
        executor.close()


def finish(executor: Executor, work: list[Segment]) -> tuple[dict[Key, list[Report]], dict]:
    """Poll until every segment has ended."""
    executor.submit(work)
    reports: dict[Key, list[Report]] = {segment.key: [] for segment in work}
    outcomes: dict[Key, tuple[str, int, str]] = {}
    for _ in range(1000):
        poll = executor.poll(5.0)
        for report in poll.reports:
            reports[report.key].append(report)
        for outcome in poll.outcomes:
            assert outcome.key not in outcomes
            outcomes[outcome.key] = (outcome.status, outcome.epoch, outcome.reason)
        if len(outcomes) == len(work):
            return reports, outcomes
    raise AssertionError(f"only {len(outcomes)} of {len(work)} segments ended")


def values(reports: dict[Key, list[Report]]) -> dict[Key, list[tuple[int, float]]]:
    return {key: [(r.epoch, r.metrics["loss"]) for r in rows] for key, rows in reports.items()}


@pytest.fixture(scope="module")
def expected():
    with opened("batches", Walk()) as executor:
        reports, outcomes = finish(executor, segments())
    return values(reports), outcomes


@pytest.mark.parametrize("name", EXECUTORS)
def test_the_same_segments_give_the_same_outcomes(name: str, expected):
    with opened(name, Walk()) as executor:
        reports, outcomes = finish(executor, segments())
    assert values(reports) == expected[0]
    assert outcomes == expected[1]


@pytest.mark.parametrize("name", EXECUTORS)
def test_reports_up_to_known_are_silent_and_the_rest_the_same(name: str, expected):
    with opened(name, Walk(fails_above=2)) as executor:
        whole, _ = finish(executor, segments())
    with opened(name, Walk(fails_above=2)) as executor:
        reports, _ = finish(executor, segments(known=3))
    late = {key: [row for row in rows if row[0] > 3] for key, rows in values(whole).items()}
    assert values(reports) == late


@pytest.mark.parametrize("name", EXECUTORS)
def test_the_state_of_a_paused_trial_trains_on_elsewhere(name: str, expected):
    problem = Walk(fails_above=2)
    with opened(name, problem) as executor:
        reports, _ = finish(executor, segments(until=3))
    paused = [rows[-1] for rows in reports.values()]
    assert all(report.state is not None for report in paused)
    work = [
        Segment(
            s.run,
            s.trial,
            s.config,
            9,
            s.stream,
            start=reports[s.key][-1].epoch,
            known=reports[s.key][-1].epoch,
            state=reports[s.key][-1].state(),  # type: ignore[misc]
        )
        for s in segments(until=3)
    ]
    with opened("batches", problem) as executor:
        on, outcomes = finish(executor, work)
        whole, _ = finish(executor, segments(until=9)[1::2])
    assert {status for status, _, _ in outcomes.values()} == {"finished"}
    joined = {key: values(reports)[key] + values(on)[key] for key in values(whole)}
    assert joined == values(whole)


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_stopped_trial_ends_once_and_for_all_and_the_others_go_on(name: str):
    problem = Walk(fails_above=2)
    with opened("batches", problem) as executor:
        whole, _ = finish(executor, segments())
    with opened(name, problem) as executor:
        executor.submit(segments())
        executor.poll(60.0)
        executor.stop([(0, 0), (1, 3), (77, 77)])
        later = [executor.poll(60.0) for _ in range(60 if name != "asynchronous" else 200)]
    rows = [report for poll in later for report in poll.reports]
    ended = {outcome.key for poll in later for outcome in poll.outcomes}
    stopped = [key for poll in later for key in poll.ended]
    assert sorted(stopped) == [(0, 0), (1, 3)]
    if name != "asynchronous":  # there a report that was under way still counts
        assert later[0].ended == ((0, 0), (1, 3))
        assert not {(0, 0), (1, 3)} & {report.key for report in rows}
    assert ended == {s.key for s in segments()} - {(0, 0), (1, 3)}
    known = {(r.key, r.epoch): r.metrics["loss"] for r in rows}
    assert known.items() <= {
        ((key, epoch), value) for key, row in values(whole).items() for epoch, value in row
    }


@pytest.mark.parametrize("name", ["batches", "one worker", "three workers"])
def test_a_lock_step_poll_trains_every_trial_by_one_epoch(name: str):
    with opened(name, Walk(fails_above=2)) as executor:
        executor.submit(segments())
        for epoch in (1, 2, 3, 4):
            poll = executor.poll(30.0)
            assert [(r.key, r.epoch) for r in poll.reports] == [
                (key, epoch) for key in sorted(s.key for s in segments())
            ]


@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_without_work_polls_nothing_at_once(name: str):
    with opened(name, Walk()) as executor:
        poll = executor.poll(0.1)
    assert poll.reports == poll.outcomes == ()


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
