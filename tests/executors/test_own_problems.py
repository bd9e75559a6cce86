"""Own problems that yield what no problem may: the trial fails with a reason, and nothing else."""

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from doubles import Walk, label

from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.executors.simulated import SimulatedExecutor
from hpo_research.records import Report, Segment
from hpo_research.rng import Stream


def spoilt(report: Report, how: object) -> object:
    return how(report) if callable(how) else how


@dataclass(frozen=True)
class Odd(Walk):
    """A walk that yields something else for trial 0 at epoch 2."""

    how: object = None
    is_alone: bool = True

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu"):
        for reports in Walk.evaluate(self, segments, device):
            is_odd = any(r.key == (0, 0) and r.epoch == 2 for r in reports)
            if is_odd and not self.is_alone:
                yield spoilt(reports[0], self.how)
            else:
                yield [
                    spoilt(r, self.how) if (r.key, r.epoch) == ((0, 0), 2) else r for r in reports
                ]


def leaves(report: Report) -> object:
    sys.exit("so long")


REPORTS = [
    (None, "evaluate yielded a list with a NoneType, expected Reports"),
    ({"loss": 1.0}, "evaluate yielded a list with a dict, expected Reports"),
    (lambda r: replace(r, metrics=[1.0]), "metrics is a list, expected a dict of numbers"),
    (lambda r: replace(r, metrics={"loss": "1"}), "the string '1' for 'loss', expected a number"),
    (lambda r: replace(r, metrics={"loss": [1]}), "a list for 'loss', expected a number"),
    (lambda r: replace(r, metrics={"loss": 1, "b": object()}), "a object for 'b', expected a num"),
    (lambda r: replace(r, metrics={"loss": 10**400}), "an integer too large for 'loss'"),
    (lambda r: replace(r, metrics={}), "loss is not reported at epoch 2"),
    (lambda r: replace(r, epoch=1), "reported epoch 1 after epoch 1, expected one from 2 to 4"),
    (lambda r: replace(r, epoch=5), "reported epoch 5 after epoch 1, expected one from 2 to 4"),
    (lambda r: replace(r, epoch="2"), "reported epoch 2 after epoch 1, expected one from 2 to 4"),
    (lambda r: replace(r, epoch=2.0), "reported epoch 2.0 after epoch 1"),
    (lambda r: replace(r, seconds="1 s"), "the string '1 s' for 'seconds', expected a number"),
    (lambda r: replace(r, seconds=-1.0), "seconds is -1.0, expected a number of seconds"),
    (lambda r: replace(r, seconds=math.nan), "seconds is nan, expected a number of seconds"),
    (leaves, r"SystemExit: so long \(test_own_problems.py:"),
]
WHOLES = [
    (3, "evaluate yielded a int, expected a list of Reports"),
    (None, "evaluate yielded a NoneType, expected a list of Reports"),
    (lambda r: r, "evaluate yielded a Report, expected a list of Reports"),
]


@pytest.mark.parametrize(
    ("how", "reason", "is_alone"),
    [(*case, True) for case in REPORTS] + [(*case, False) for case in WHOLES],
    ids=[label(reason) for _, reason in REPORTS + WHOLES],
)
@pytest.mark.parametrize(
    "kind", [LockStepExecutor, SimulatedExecutor], ids=["lock-step", "simulated"]
)
def test_a_report_that_is_none_fails_its_trial_alone(kind, how, reason: str, is_alone: bool):
    work = [Segment(0, i, {"x": 0.5, "kind": "a"}, 4, Stream(0).at("trial", i)) for i in range(3)]
    executor = kind(Odd(how=how, is_alone=is_alone))
    executor.submit(work)
    polls = [executor.poll() for _ in range(14)]
    executor.close()
    outcomes = {o.trial: o for poll in polls for o in poll.outcomes}
    assert {trial: o.status for trial, o in outcomes.items()} == {
        0: "failed",
        1: "paused",
        2: "paused",
    }
    assert outcomes[0].epoch == 1
    assert re.search(reason, outcomes[0].reason)
    epochs = [(r.trial, r.epoch) for poll in polls for r in poll.reports if r.trial]
    assert sorted(epochs) == [(i, e) for i in (1, 2) for e in (1, 2, 3, 4)]


def test_numbers_of_numpy_and_torch_are_stored_as_floats():
    odd = Odd(
        how=lambda r: replace(
            r,
            epoch=np.int64(2),
            metrics={"loss": np.float32(0.5), "b": torch.tensor(1), "c": math.nan},
            seconds=np.float32(0.25),
        )
    )
    executor = LockStepExecutor(odd)
    executor.submit([Segment(0, 0, {"x": 0.5, "kind": "a"}, 4, Stream(0).at("trial", 0))])
    executor.poll()
    (report,) = executor.poll().reports
    executor.close()
    assert {type(value) for value in report.metrics.values()} == {float}
    assert (type(report.epoch), report.seconds, report.metrics["b"]) == (int, 0.25, 1.0)


def test_a_state_that_cannot_be_taken_fails_the_trial_with_its_line():
    def stateless() -> None:
        raise RuntimeError("no state to give")

    odd = Odd(how=lambda r: replace(r, state=stateless))
    executor = LockStepExecutor(odd)
    executor.submit([Segment(0, 0, {"x": 0.5, "kind": "a"}, 2, Stream(0).at("trial", 0))])
    executor.poll()
    (outcome,) = executor.poll().outcomes
    assert outcome.status == "failed"
    assert "raised RuntimeError: no state to give (test_own_problems.py:" in outcome.reason
    executor.close()
