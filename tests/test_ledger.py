"""The ledger: what is charged, when a budget is spent, and that a view never changes."""

import math

import pytest
from doubles import SPACE

from hpo_research.ledger import AskRow, Ledger, Limits, RunInfo
from hpo_research.records import (
    Ask,
    Outcome,
    Proposal,
    Report,
    Resume,
    Start,
    Stop,
    resume,
    start,
    stop,
)

CONFIG = {"x": 0.5, "kind": "a"}


def ledger(*, can_resume: bool = True, timed: bool = False, **limits: float) -> Ledger:
    info = RunInfo(1, SPACE, "loss", max_epochs=9, can_resume=can_resume, is_timed_by_clock=timed)
    return Ledger(info, Limits(**limits))


def starts(*untils: int) -> Ask:
    return Ask(tuple(start(CONFIG, until, "own") for until in untils))


def granted(book: Ledger, ask: Ask) -> AskRow:
    row = book.grant(ask)
    book.append_ask(row)
    assert book.committed == promised(book)
    return row


def report(book: Ledger, trial: int, epoch: int, value: float = 0.5) -> int:
    spent = book.append_report(Report(1, trial, epoch, {"loss": value}, 2.0, float(epoch)))
    assert book.committed == promised(book)
    return spent


def end(book: Ledger, trial: int, status: str) -> None:
    book.append_outcome(Outcome(1, trial, status, book.trials[trial].reached))
    assert book.committed == promised(book)


def promised(book: Ledger) -> int:
    return sum(segment.until - segment.position for segment in book.open.values())


# --- charging ---


@pytest.mark.parametrize(
    ("limits", "untils", "count"),
    [
        ({"epochs": 20}, [9, 9, 9], 2),
        ({"epochs": 20}, [9, 9, 2], 3),
        ({"epochs": 20}, [9, 9, 9, 1], 2),  # what comes after one that does not fit is not taken
        ({"epochs": 8}, [9], 0),
        ({"trials": 2}, [1, 1, 1], 2),
        ({"trials": 2, "epochs": 9}, [9, 1], 1),
        ({}, [9] * 50, 50),
    ],
    ids=str,
)
def test_proposals_are_charged_in_order_until_one_does_not_fit(limits, untils, count):
    book = ledger(**limits)
    row = granted(book, starts(*untils))
    assert [grant.until for grant in row.grants] == untils[:count]
    assert book.is_exhausted == (count < len(untils))
    assert book.committed == sum(untils[:count])


def test_after_a_proposal_that_does_not_fit_only_stops_are_taken():
    book = ledger(epochs=20)
    granted(book, starts(9, 9, 9))
    assert book.slots(5) == book.slots(None) == 0
    row = granted(book, Ask((stop(0), start(CONFIG, 1, "own"))))
    assert [(grant.kind, grant.trial) for grant in row.grants] == [("stop", 0), ("start", 2)]
    # The loop offers no slots, so the start above is a strategy's bug that it would refuse.


def test_a_granted_ask_changes_nothing_before_it_is_entered():
    book = ledger(epochs=20)
    book.grant(starts(9, 9, 9))
    assert (book.trials, book.open, book.is_exhausted, book.left) == ([], {}, False, 20)


def test_what_a_segment_does_not_train_is_given_back():
    book = ledger(epochs=20)
    granted(book, starts(9, 9))
    assert book.left == 2
    assert report(book, 0, 1) == 1
    assert report(book, 0, 3) == 3  # an epoch that was left out was trained too
    assert (book.spent, book.committed, book.left) == (3, 15, 2)
    end(book, 0, "stopped")
    assert (book.spent, book.left) == (3, 8)


@pytest.mark.parametrize("reached", [0, 1, 8])
def test_a_failed_trial_costs_the_epoch_in_which_it_failed(reached: int):
    book = ledger(epochs=20)
    granted(book, starts(9))
    for epoch in range(1, reached + 1):
        report(book, 0, epoch)
    end(book, 0, "failed")
    assert (book.spent, book.left) == (reached + 1, 20 - reached - 1)
    assert book.trials[0].value is None


def test_a_failure_after_the_last_epoch_costs_no_more():
    book = ledger(epochs=20)
    granted(book, starts(9))
    report(book, 0, 9)
    end(book, 0, "failed")
    assert book.spent == 9


@pytest.mark.parametrize(("can_resume", "begin", "spent"), [(True, 1, 3), (False, 0, 4)])
def test_a_trial_that_cannot_resume_is_charged_again(can_resume: bool, begin: int, spent: int):
    book = ledger(can_resume=can_resume, epochs=20)
    granted(book, starts(1))
    report(book, 0, 1)
    end(book, 0, "paused")
    (grant,) = granted(book, Ask((resume(0, 3),))).grants
    assert (grant.start, grant.until, grant.attempt) == (begin, 3, 0)
    assert book.left == 20 - spent
    report(book, 0, 2)
    assert report(book, 0, 3) == spent


def test_a_resumed_trial_is_no_new_trial():
    book = ledger(trials=1)
    granted(book, starts(1))
    report(book, 0, 1)
    end(book, 0, "paused")
    assert book.slots(None) == 2
    assert len(granted(book, Ask((resume(0, 3),))).grants) == 1
    assert not book.is_exhausted


def test_a_stop_is_granted_once():
    book = ledger()
    granted(book, starts(9, 9))
    granted(book, Ask((stop(0),)))
    assert book.grant(Ask((stop(0),))).is_empty
    assert [g.trial for g in book.grant(Ask((stop(0), stop(1)))).grants] == [1]


# --- a larger budget ---


@pytest.mark.parametrize(
    ("before", "after", "opens"),
    [
        ({"epochs": 20}, {"epochs": 21}, True),
        ({"epochs": 20}, {"epochs": 20}, False),
        ({"epochs": 12345678}, {"epochs": 12345679}, True),
        ({"trials": 2}, {"trials": 3}, True),
        ({"epochs": 20, "seconds": 5.0}, {"epochs": 20, "seconds": 50.0}, False),
    ],
    ids=str,
)
def test_a_larger_budget_opens_a_run_again(before, after, opens):
    small, large = ledger(**before), ledger(**after)
    row = AskRow(1, exhausted=small.limits.name)
    small.append_ask(row)
    large.append_ask(row)
    assert small.is_exhausted
    assert large.is_exhausted != opens


# --- slots ---


@pytest.mark.parametrize(
    ("limits", "running", "parallel", "slots"),
    [
        ({}, 0, 3, 3),
        ({}, 2, 3, 1),
        ({}, 4, 3, 0),
        ({"epochs": 20}, 1, None, 12),
        ({"trials": 5}, 2, None, 4),
        ({"trials": 5, "epochs": 20}, 1, None, 5),
        ({"epochs": 9}, 1, None, 1),
    ],
    ids=str,
)
def test_slots_are_what_is_free_or_one_more_than_the_budget_holds(
    limits, running: int, parallel: int | None, slots: int
):
    book = ledger(**limits)
    granted(book, starts(*[9] * running))
    assert book.slots(parallel) == slots


@pytest.mark.parametrize(("timed", "is_spent"), [(True, False), (False, True)])
def test_seconds_are_the_clock_or_the_shares(timed: bool, is_spent: bool):
    book = ledger(timed=timed, seconds=5.0)
    granted(book, starts(9))
    for epoch in (1, 2, 3):  # 6 seconds of work at clock 3
        report(book, 0, epoch)
    assert (book.slots(9) == 0) == is_spent


def test_no_seconds_left_is_no_slot():
    book = ledger(timed=True, seconds=2.0)
    granted(book, starts(9))
    report(book, 0, 2)
    assert book.slots(9) == book.slots(None) == 0


# --- the view ---


def test_a_view_is_not_changed_by_what_comes_later():
    book = ledger()
    granted(book, starts(9, 9))
    before = book.run()
    assert book.run() is before
    report(book, 0, 1)
    end(book, 1, "failed")
    granted(book, starts(9))
    assert [(t.status, t.epochs) for t in before.trials] == [("running", ()), ("running", ())]
    assert len(before.asks) == 1
    after = book.run()
    assert [t.status for t in after.trials] == ["running", "failed", "running"]
    assert after.trials[0].values == (0.5,)
    assert len(after.asks) == 2


def test_a_change_keeps_the_trials_that_it_does_not_touch():
    book = ledger()
    granted(book, starts(9, 9))
    before = book.run()
    report(book, 0, 1)
    assert book.run().trials[1] is before.trials[1]


@pytest.mark.parametrize(
    ("direction", "final", "value"),
    [("minimize", "last", 0.7), ("minimize", "best", 0.2), ("maximize", "best", 0.9)],
)
def test_the_value_of_a_trial_is_its_last_or_its_best(direction: str, final: str, value: float):
    info = RunInfo(1, SPACE, "loss", direction=direction, max_epochs=9, final=final)
    book = Ledger(info, Limits())
    granted(book, starts(9))
    for epoch, number in enumerate([0.5, 0.2, 0.9, 0.7], start=1):
        report(book, 0, epoch, number)
    assert book.run().trials[0].value == value


def test_the_clock_never_goes_back():
    book = ledger()
    granted(book, starts(9, 9))
    report(book, 0, 5)
    report(book, 1, 2)
    assert book.clock == 5.0
    assert book.seconds == 4.0


def test_an_unlimited_run_has_infinite_epochs_left():
    book = ledger()
    granted(book, starts(9))
    assert book.run().left == math.inf
    assert book.run().total is None


def test_a_granted_proposal_is_the_strategys_own_with_its_trial_and_segment():
    book = ledger(epochs=20)
    ask = Ask((start(CONFIG, 3, "own"),))
    row = granted(book, ask)
    assert row.grants == ask.proposals == book.run().asks[0].proposals
    assert [proposal.trial for proposal in (*ask.proposals, *row.grants)] == [None, 0]
    report(book, 0, 3)
    book.append_outcome(Outcome(1, 0, "paused", 3))
    (again,) = granted(book, Ask((resume(0, 5),))).grants
    assert again == resume(0, 5)
    assert (again.trial, again.start, again.until, again.attempt) == (0, 3, 5, 0)
    assert [type(p) for p in (ask.proposals[0], again, stop(0))] == [Start, Resume, Stop]
    assert all(isinstance(p, Proposal) for p in (ask.proposals[0], again, stop(0)))


def test_an_attempt_that_was_lost_is_charged_one_epoch_at_least_and_leaves_the_curve():
    book = ledger(epochs=8)
    granted(book, starts(3, 3))
    report(book, 0, 1)
    report(book, 0, 2)
    assert (book.spent, book.committed, book.left) == (2, 4, 2)
    asks = len(book.run().asks)
    book.append_ask(book.restart([0, 1]))
    # Two epochs of trial 0 and one of trial 1 are gone, and both are to be trained whole.
    assert (book.spent, book.committed, book.left) == (3, 6, 0)
    first, second = book.run().trials
    assert (first.attempt, first.epochs, first.values, first.value) == (1, (), (), None)
    assert (first.status, first.seconds, second.attempt) == ("running", 4.0, 1)
    assert len(book.run().asks) == asks
    report(book, 0, 1, 0.7)
    again = book.run().trials[0]
    assert (again.epochs, again.values, again.seconds) == ((1,), (0.7,), 6.0)
    assert (book.spent, book.committed) == (4, 5)
