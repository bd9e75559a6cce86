"""The laws of problems, and `check_problem`, which holds a problem to all of them."""

import pickle
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass, replace
from functools import partial

import cloudpickle
import numpy as np

from hpo_research.experiment.description import describe
from hpo_research.options import as_integer
from hpo_research.problems.protocol import Problem, has_missing_values, last_epoch
from hpo_research.records import Key, Report, Segment, State, sign
from hpo_research.rng import Stream
from hpo_research.testing.laws import check, need, same
from hpo_research.text import name_mistake

Values = dict[Key, list[tuple[int, dict[str, str]]]]
"""By trial, its epochs with their metrics, written so that equal means equal to the bit."""


def check_problem(problem: Problem) -> None:
    """Hold a problem to the laws that every problem must keep.

    By training up to twenty trials for up to nine epochs, some of them several times. Raises
    `LawError` with a line for each law that is broken: what was expected, and what came.
    """
    last = _last(problem)
    laws = {
        "a problem is a frozen record that an experiment can describe": is_a_record,
        "it reports its metric, and seconds if it records them": reports_its_metric,
        "a trial has the same values whatever its batch-mates": batch_mates_change_nothing,
        "the order of a batch changes nothing": order_changes_nothing,
        "every step reports the live segments at their next epoch": (
            ends_are_final if problem.max_epochs is None else steps_are_epochs
        ),
        "no segments give no reports": no_segments_no_reports,
        "only a trial's stream matters, not its names": names_do_not_matter,
        "a pickled copy is equal and gives the same values": copies_are_equal,
        "nothing is better than the known optimum": optimum_is_best,
    }
    if last > 1:
        laws["dropped trials fall silent and change no others"] = drops_are_silent
    if last > 1 and problem.can_resume:
        laws["paused and resumed equals trained in one go"] = resumes_as_one_go
        laws["a resumed trial may share a batch with fresh ones"] = shares_a_batch
    check(problem.name, {name: partial(law, problem) for name, law in laws.items()})


# -- what the laws are written with


def _last(problem: Problem, most: int = 9) -> int:
    return min(last_epoch(problem.max_epochs), most)


def segments(problem: Problem, n: int, until: int, seed: int = 0) -> list[Segment]:
    """Return uniform draws of the space as segments, up to an epoch or the last one."""
    cube = Stream(seed).at("configurations").generator().random((n, problem.space.dimension))
    until = _last(problem, until)
    return [
        Segment(0, i, config, until, Stream(seed).at("trial", i))
        for i, config in enumerate(problem.space.from_uniform(cube))
    ]


def bits(report: Report) -> dict[str, str]:
    """Return the metrics and recorded seconds, written so that equal means equal to the bit."""
    return {k: float(v).hex() for k, v in {**report.metrics, "s": report.seconds or 0}.items()}


def values(problem: Problem, batch: Sequence[Segment]) -> Values:
    """Train a batch and return what it reports."""
    found: Values = {}
    for reports in problem.evaluate(batch):
        for report in reports:
            found.setdefault(report.key, []).append((report.epoch, bits(report)))
    return found


def states(problem: Problem, batch: Sequence[Segment]) -> dict[Key, State]:
    """Train every segment to its `until` and return the states there."""
    until = {segment.key: segment.until for segment in batch}
    found: dict[Key, State] = {}
    for reports in problem.evaluate(batch):
        for report in reports:
            if report.epoch == until[report.key]:
                if report.state is None:
                    need(False, "a state at the last epoch of a segment", report)
                    continue
                found[report.key] = dict(report.state())
    return found


def resumed(batch: Sequence[Segment], states: Mapping[Key, State], until: int) -> list[Segment]:
    """Return segments that go on from states."""
    return [
        replace(segment, start=segment.until, until=until, state=states[segment.key])
        for segment in batch
    ]


# -- the laws


def is_a_record(problem: Problem) -> None:
    """A frozen dataclass with the facts of a problem, that can be stored with an experiment."""
    need(isinstance(problem, Problem) and not isinstance(problem, type), "a Problem", problem)
    need(is_dataclass(problem), "a frozen dataclass", type(problem))
    params = getattr(problem, "__dataclass_params__", None)
    need(bool(params and params.frozen), "a frozen dataclass", type(problem))
    for what in ("name", "metric"):
        mistake = name_mistake(getattr(problem, what))
        need(not mistake, f"a {what}", mistake)
    need(problem.direction in ("minimize", "maximize"), "a direction", problem.direction)
    epochs = as_integer(last_epoch(problem.max_epochs))
    is_count = epochs is not None and epochs >= 1
    need(is_count, "max_epochs, an integer >= 1 or None", problem.max_epochs)
    describe(problem, problem.name)


def reports_its_metric(problem: Problem) -> None:
    """At every epoch of every trial."""
    for reports in problem.evaluate(segments(problem, 2, until=2)):
        for report in reports:
            need(isinstance(report, Report), "a Report", report)
            has_metric = problem.metric in report.metrics or has_missing_values(problem)
            need(has_metric, f"a metric {problem.metric}", report.metrics)
            has = report.seconds is not None
            expected = "seconds" if problem.has_recorded_seconds else "no seconds"
            need(has == problem.has_recorded_seconds, f"{expected} in a report", report.seconds)


def batch_mates_change_nothing(problem: Problem) -> None:
    """One and three of twenty trials, to the bit."""
    batch = segments(problem, 20, until=2)
    together = values(problem, batch)
    for first, size in ((0, 1), (8, 3), (17, 3)):
        own = batch[first : first + size]
        expected = {segment.key: together[segment.key] for segment in own}
        same(values(problem, own), expected, f"the values of {size} among 20")


def order_changes_nothing(problem: Problem) -> None:
    """A batch from its end."""
    batch = segments(problem, 4, until=2)
    same(values(problem, batch[::-1]), values(problem, batch), "the same values")


def resumes_as_one_go(problem: Problem) -> None:
    """Trained to an epoch, then on from its state, the same as trained at once."""
    last = _last(problem)
    half = 1 if problem.max_epochs is None else max(1, last // 3)
    batch = segments(problem, 4, until=half)
    again = values(problem, resumed(batch, states(problem, batch), last))
    straight = values(problem, segments(problem, 4, until=last))
    expected = {key: epochs[half:] for key, epochs in straight.items() if epochs[half:]}
    same(again, expected, f"epochs {half + 1} to {last} as trained in one go")


def shares_a_batch(problem: Problem) -> None:
    """Resumed trials between fresh ones."""
    last = _last(problem)
    half = 1 if problem.max_epochs is None else max(1, last // 3)
    batch = segments(problem, 4, until=half)
    straight = values(problem, segments(problem, 4, until=last))
    old = resumed(batch[:2], states(problem, batch[:2]), until=min(half + 2, last))
    mixed = values(problem, [batch[2], old[0], batch[3], old[1]])
    for segment in old:
        expected = straight[segment.key][half : segment.until]
        same(mixed.get(segment.key, []), expected, "the epochs after the pause")
    for segment in batch[2:]:
        same(mixed[segment.key], straight[segment.key][:half], "the first epochs")


def steps_are_epochs(problem: Problem) -> None:
    """Segments of different lengths in one batch, each silent after its `until`."""
    batch = segments(problem, 4, until=3)
    batch = [replace(s, until=min(s.until, 1 + s.trial)) for s in batch]
    steps = list(problem.evaluate(batch))
    same(len(steps), max(segment.until for segment in batch), "steps, one an epoch")
    for epoch, reports in enumerate(steps, 1):
        live = sorted(segment.key for segment in batch if segment.until >= epoch)
        same(sorted(report.key for report in reports), live, f"one report a live trial in {epoch}")
        epochs = {report.epoch for report in reports}
        same(epochs, {epoch}, "the epochs of a step")


def ends_are_final(problem: Problem) -> None:
    """Where the length is open, each trial reports epoch by epoch, until its end or its `until`."""
    batch = segments(problem, 4, until=_last(problem))
    live = {segment.key for segment in batch}
    for epoch, reports in enumerate(problem.evaluate(batch), 1):
        own = {report.key for report in reports}
        need(own <= live, f"reports of {sorted(live)} at most in step {epoch}", sorted(own))
        need(own == live or epoch > 1, "a report of every segment at first", sorted(own))
        epochs = {report.epoch for report in reports}
        need(epochs <= {epoch}, f"epoch {epoch} in every report of its step", sorted(epochs))
        live = own


def drops_are_silent(problem: Problem, lost: Collection[int] = (1, 3)) -> None:
    """`send` drops trials before the next epoch."""
    last = _last(problem, 4)
    batch = segments(problem, 4, until=last)
    whole = values(problem, batch)
    evaluation, found = problem.evaluate(batch), Values()
    dropped: Collection[Key] | None = None
    for epoch in range(1, last + 1):
        try:
            reports = evaluation.send(dropped)
        except StopIteration:
            may_end = problem.max_epochs is None or len(lost) == len(batch)
            need(may_end, f"reports of epoch {epoch}", "the end")
            break
        for report in reports:
            found.setdefault(report.key, []).append((report.epoch, bits(report)))
        dropped = {(0, trial) for trial in lost} if epoch == last // 2 else None
    for key, epochs in whole.items():
        expected = epochs[: last // 2] if key[1] in lost else epochs
        what = "dropped" if key[1] in lost else "not dropped"
        same(found.get(key, []), expected, f"the epochs of trial {key[1]}, {what}")


def no_segments_no_reports(problem: Problem) -> None:
    """An evaluation of nothing ends at once."""
    same(list(problem.evaluate([])), [], "steps of no segments")


def names_do_not_matter(problem: Problem) -> None:
    """Another run, id and attempt, but the same stream."""
    batch = segments(problem, 4, until=2)
    renamed = [replace(s, run=7, trial=90 + s.trial, attempt=2) for s in batch]
    found, expected = (list(values(problem, own).values()) for own in (renamed, batch))
    same(found, expected, "the same values")


def copies_are_equal(problem: Problem) -> None:
    """As workers are given one."""
    copy = pickle.loads(cloudpickle.dumps(problem))
    same(copy, problem, "an equal copy")
    batch = segments(problem, 4, until=2)
    same(values(copy, batch), values(problem, batch), "the same values of a copy")


def optimum_is_best(problem: Problem) -> None:
    """Of 200 draws at the last epoch, without noise where that is reported."""
    if problem.optimum is None:
        return
    flip = sign(problem.direction)
    best = flip * problem.optimum
    last = _last(problem) if problem.max_epochs is None else problem.max_epochs
    for reports in problem.evaluate(segments(problem, 200, until=last)):
        for report in reports:
            noisy = report.metrics.get(problem.metric, np.nan)
            value = flip * report.metrics.get("noise_free", noisy)
            is_counted = problem.max_epochs in (None, report.epoch) and not np.isnan(value)
            is_better = is_counted and value < best - 1e-12 * max(1.0, abs(best))
            need(not is_better, f"nothing better than {problem.optimum}", flip * value)
