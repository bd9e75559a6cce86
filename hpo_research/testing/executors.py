"""The laws of executors, and `check_executor`, which holds an executor to all of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch

from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.executors.protocol import Executor
from hpo_research.problems.protocol import Evaluation, Problem
from hpo_research.records import OPEN, Direction, Key, Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Categorical, Float, SearchSpace
from hpo_research.testing.laws import check, need, same

Make = Callable[[Problem], Executor]
"""Makes an executor for a problem; it is closed after each law."""
Ended = tuple[dict[Key, list[Report]], dict[Key, tuple[str, int, str]]]
"""By trial its reports, and status, epoch and reason of its outcome."""
_SPACE = SearchSpace(x=Float(0, 1), kind=Categorical(("a", "b", "c")))
_POLLS, _SECONDS = 1000, 5.0


@dataclass(frozen=True)
class Drift:
    """A value that drifts from epoch to epoch, which cannot be right unless the state was.

    Trials of `kind="c"` with x above `fails_above` report NaN at epoch 2. With `max_epochs=None`
    those of kind "a" end after epoch 1, "b" after 2, "c" after 3.
    """

    name: str = "drift"
    max_epochs: int | None = 9
    fails_above: float = 0.7
    metric: str = "loss"
    direction: Direction = "minimize"
    can_resume: bool = True
    optimum: float | None = None
    has_recorded_seconds: bool = True

    @property
    def space(self) -> SearchSpace:
        """A number and a category."""
        return _SPACE

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Train every segment, one epoch a step."""
        live = [s for s in segments if s.start < self._end(s)]
        values = {s.key: 1.0 if s.state is None else float(s.state["value"]) for s in live}
        epochs = {s.key: s.start for s in live}
        while live:
            reports = []
            for segment in live:
                epochs[segment.key] += 1
                draws = segment.stream.at("step", epochs[segment.key]).generator()
                step = float(draws.random()) * float(segment.config["x"])  # type: ignore[arg-type]
                values[segment.key] = 0.9 * values[segment.key] + step
                reports.append(self._report(segment, epochs[segment.key], values[segment.key]))
            dropped = yield reports
            on = [s for s in live if epochs[s.key] < self._end(s)]
            live = [s for s in on if s.key not in (dropped or ())]

    def _end(self, segment: Segment) -> int:
        if self.max_epochs is not None:
            return segment.until
        return min(segment.until, 1 + "abc".index(str(segment.config["kind"])))

    def _report(self, segment: Segment, epoch: int, value: float) -> Report:
        x = float(segment.config["x"])  # type: ignore[arg-type]
        is_failure = segment.config["kind"] == "c" and x > self.fails_above and epoch == 2
        state = {"value": torch.tensor(value, dtype=torch.float64)}
        metrics = {self.metric: float("nan") if is_failure else value}
        return Report(*segment.key, epoch, metrics, 0.5 + x, state=lambda: state)


def check_executor(make: Make) -> None:
    """Hold an executor to the laws that every executor must keep.

    `make` is its class, or a function that makes one for a problem. By training seven trials of two
    runs, some of which fail, a few times over. Raises `LawError` with a line for each law that is
    broken: what was expected, and what came.
    """
    laws = {
        "the same segments give the same reports and outcomes": gives_the_same,
        "reports up to `known` are silent and the rest the same": known_is_silent,
        "the state of a paused trial trains on elsewhere": states_train_on,
        "a stopped trial ends once and for all and the others go on": stops_are_acknowledged,
        "a trial of open length is finished where it ends": open_trials_finish,
        "without work a poll brings nothing": nothing_without_work,
    }
    check(make, {name: partial(law, make) for name, law in laws.items()})


# -- what the laws are written with


def segments(count: int = 7, until: int = 4, known: int = 0) -> list[Segment]:
    """Return trials of two runs, of two lengths, of which every third may fail at epoch 2."""
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
def opened(make: Make, problem: Problem) -> Iterator[Executor]:
    """Make an executor, and close it."""
    executor = make(problem)
    try:
        yield executor
    finally:
        executor.close()


def finish(executor: Executor, work: Sequence[Segment]) -> Ended:
    """Poll until every segment has ended. Raises `LawError` where one does not."""
    executor.submit(work)
    reports: dict[Key, list[Report]] = {segment.key: [] for segment in work}
    outcomes: dict[Key, tuple[str, int, str]] = {}
    for _ in range(_POLLS):
        poll = executor.poll(_SECONDS)
        for report in poll.reports:
            need(report.key in reports, "reports of submitted trials", report.key)
            reports[report.key].append(report)
        for outcome in poll.outcomes:
            need(outcome.key not in outcomes, "one outcome a segment", outcome)
            outcomes[outcome.key] = (outcome.status, outcome.epoch, outcome.reason)
        if len(outcomes) == len(work):
            return reports, outcomes
    need(False, f"an outcome of each of {len(work)} segments", sorted(outcomes))
    return reports, outcomes


def trained(make: Make, problem: Problem, work: Sequence[Segment]) -> Ended:
    """Train segments in an executor of their own."""
    with opened(make, problem) as executor:
        return finish(executor, work)


def losses(reports: dict[Key, list[Report]]) -> dict[Key, list[tuple[int, float]]]:
    """Return the epochs and losses of each trial."""
    return {key: [(r.epoch, r.metrics["loss"]) for r in rows] for key, rows in reports.items()}


# -- the laws


def gives_the_same(make: Make) -> None:
    """As training in this process, to the bit."""
    reports, outcomes = trained(make, Drift(), segments())
    expected, ends = trained(LockStepExecutor, Drift(), segments())
    same(losses(reports), losses(expected), "the reports")
    same(outcomes, ends, "the outcomes")


def known_is_silent(make: Make) -> None:
    """They are computed again, and not reported."""
    reports, _ = trained(make, Drift(fails_above=2), segments(known=3))
    whole, _ = trained(LockStepExecutor, Drift(fails_above=2), segments())
    late = {key: [row for row in rows if row[0] > 3] for key, rows in losses(whole).items()}
    same(losses(reports), late, "the reports after epoch 3")


def states_train_on(make: Make) -> None:
    """The last report of a segment carries a state that another executor goes on with."""
    problem = Drift(fails_above=2)
    reports, _ = trained(make, problem, segments(until=3))
    work = []
    for segment in segments(until=3):
        need(bool(reports[segment.key]), "reports of every trial", segment.key)
        last = reports[segment.key][-1]
        if last.state is None:
            need(False, "a state with the last report of a segment", last)
            continue
        on = replace(segment, start=last.epoch, known=last.epoch, until=9, state=last.state())
        work.append(on)
    rest, outcomes = trained(LockStepExecutor, problem, work)
    same({status for status, _, _ in outcomes.values()}, {"finished"}, "how they end")
    whole, _ = trained(LockStepExecutor, problem, [replace(s, until=9) for s in segments()])
    joined = {key: losses(reports)[key] + losses(rest)[key] for key in rest}
    same(joined, losses(whole), "the curves in one go")


def stops_are_acknowledged(make: Make) -> None:
    """A poll names who was stopped, once, and nothing comes of it any more; others go on.

    What it reports until then is as if it had not been stopped; unknown names are ignored.
    """
    problem, lost = Drift(fails_above=2), {(0, 0), (1, 3)}
    whole, _ = trained(LockStepExecutor, problem, segments())
    heard: dict[Key, list[Report]] = {segment.key: [] for segment in segments()}
    ended: list[Key] = []
    with opened(make, problem) as executor:
        executor.submit(segments())
        polls = [executor.poll(_SECONDS)]
        executor.stop([*lost, (77, 77)])
        while len(ended) < len(heard) and len(polls) < _POLLS:
            for report in polls[-1].reports:
                need(report.key not in ended, "nothing of a trial that has ended", report)
                heard[report.key].append(report)
            ended += [outcome.key for outcome in polls[-1].outcomes]
            ended += polls[-1].ended
            polls.append(executor.poll(_SECONDS if len(ended) < len(heard) else 0.1))
    same(sorted(ended), sorted(heard), "the trials that end, by an outcome or in `ended`")
    need(polls[-1].is_empty, "nothing once all have ended", polls[-1])
    named = {key for poll in polls for key in poll.ended}
    need(named <= lost, "none in `ended` but who was stopped", sorted(named - lost))
    expected, own = losses(whole), losses(heard)
    short = {key: expected[key][: len(own[key])] if key in named else expected[key] for key in own}
    same(own, short, "the reports")


def open_trials_finish(make: Make) -> None:
    """At their last reports, also where these were known already."""
    work = [replace(segment, until=OPEN, known=i % 2) for i, segment in enumerate(segments())]
    reports, outcomes = trained(make, Drift(max_epochs=None, fails_above=2), work)
    lengths = {s.key: 1 + "abc".index(str(s.config["kind"])) for s in work}
    expected = {s.key: list(range(s.known + 1, lengths[s.key] + 1)) for s in work}
    epochs = {key: [report.epoch for report in own] for key, own in reports.items()}
    same(epochs, expected, "the epochs that are reported")
    ends = {key: ("finished", length, "") for key, length in lengths.items()}
    same(outcomes, ends, "the outcomes")


def nothing_without_work(make: Make) -> None:
    """At once, or after the timeout."""
    with opened(make, Drift()) as executor:
        poll = executor.poll(0.1)
    same(tuple(poll.reports) + tuple(poll.outcomes), (), "reports and outcomes")
