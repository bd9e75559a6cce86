import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.errors import StrategyError
from hpo_research.records import Ask, Run, Trial, start
from hpo_research.space import Categorical, Float, SearchSpace
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.random import Random
from tests.strategies.simulated import Loop, accepted, born, settled

SPACE = SearchSpace(x=Float(0.0, 1.0))
TINY = SearchSpace(c=Categorical(("a", "b", "c", "d", "e")))


def published_sizes(max_epochs: int, eta: int, rounding: str) -> list[tuple[int, int]]:
    """Algorithm 1's n and s of each bracket, in fractions."""
    s_max = 0
    while Fraction(max_epochs, eta ** (s_max + 1)) >= 1:
        s_max += 1
    total = (s_max + 1) * max_epochs
    sizes = []
    for s in reversed(range(s_max + 1)):
        if rounding == "ceil":
            n = math.ceil(Fraction(total, max_epochs) * Fraction(eta**s, s + 1))
        else:
            n = math.floor(Fraction(total, max_epochs) / (s + 1)) * eta**s
        sizes.append((n, s))
    return sizes


def published(hyperband: Hyperband, max_epochs: int, curve, trials: int) -> list[tuple[int, int]]:
    """Algorithm 1 of Li et al. (JMLR 2018), plainly: every (trial, epochs) in order.

    Brackets are repeated until the next would need more than `trials` configurations.
    """
    eta, schedule, fresh = hyperband.eta, [], 0
    while True:
        for n, s in published_sizes(max_epochs, eta, hyperband.rounding):
            if fresh + n > trials:
                return schedule
            survivors = list(range(fresh, fresh + n))
            fresh += n
            for i in range(s + 1):
                n_i = math.floor(n * Fraction(1, eta**i))
                r_i = math.floor(Fraction(max_epochs, eta**s) * eta**i)
                losses = {}
                for t in survivors:
                    schedule.append((t, r_i))
                    losses[t] = curve(t, r_i)
                healthy = [t for t in survivors if losses[t] is not None]
                survivors = sorted(healthy, key=lambda t: (losses[t], t))[: n_i // eta]


def table_curve(seed: int, failures: float, levels: int | None = None):
    """Random learning curves: (trial, epoch) to a value; some trials fail at a random epoch."""

    @cache
    def value(trial: int, epoch: int) -> float | None:
        draws = np.random.default_rng((seed, trial))
        fails_at = draws.integers(1, 60) if draws.random() < failures else math.inf
        if epoch >= fails_at:
            return None
        noise = np.random.default_rng((seed, trial, epoch)).random()
        return float(noise if levels is None else math.floor(noise * levels))

    return value


def schedule_of(run: Run) -> list[tuple[int, int]]:
    """Every (trial, until) that was proposed, in the order of the proposals."""
    schedule, fresh = [], 0
    for ask in run.asks:
        for proposal in ask.proposals:
            trial = fresh if proposal.kind == "start" else proposal.trial
            fresh += proposal.kind == "start"
            schedule.append((trial, proposal.until))
    return schedule


def epochs_of(table, *, restarts: bool) -> int:
    return sum(
        n * (epochs - (0 if restarts or k == 0 else bracket[k - 1][1]))
        for bracket in table
        for k, (n, epochs) in enumerate(bracket)
    )


@pytest.mark.parametrize(
    ("rounding", "sizes", "continued", "restarted"),
    [("floor", [81, 27, 9, 6, 5], 1404, 1701), ("ceil", [81, 34, 15, 8, 5], 1581, 1902)],
)
def test_81_epochs_give_the_published_brackets(rounding, sizes, continued, restarted):
    table = Hyperband(rounding=rounding).brackets(81)
    assert [bracket[0][0] for bracket in table] == sizes
    assert table[0] == [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]
    assert epochs_of(table, restarts=False) == continued
    assert epochs_of(table, restarts=True) == restarted


@pytest.mark.parametrize(
    ("eta", "max_epochs", "table"),
    [
        (3, 1, [[(1, 1)]]),
        (3, 2, [[(1, 2)]]),
        (3, 3, [[(3, 1), (1, 3)], [(2, 3)]]),
        (3, 27, [[(27, 1), (9, 3), (3, 9), (1, 27)], [(12, 3), (4, 9), (1, 27)],
                 [(6, 9), (2, 27)], [(4, 27)]]),
        (3, 50, [[(27, 1), (9, 5), (3, 16), (1, 50)], [(12, 5), (4, 16), (1, 50)],
                 [(6, 16), (2, 50)], [(4, 50)]]),
        (3, 100, [[(81, 1), (27, 3), (9, 11), (3, 33), (1, 100)], [(34, 3), (11, 11), (3, 33),
                  (1, 100)], [(15, 11), (5, 33), (1, 100)], [(8, 33), (2, 100)], [(5, 100)]]),
        (4, 16, [[(16, 1), (4, 4), (1, 16)], [(6, 4), (1, 16)], [(3, 16)]]),
        (2, 4, [[(4, 1), (2, 2), (1, 4)], [(3, 2), (1, 4)], [(3, 4)]]),
    ],
)  # fmt: skip
def test_brackets_are_the_table(eta, max_epochs, table):
    assert Hyperband(eta=eta).brackets(max_epochs) == table


def test_243_epochs_have_six_brackets_although_their_logarithm_is_below_five():
    assert math.log(243, 3) < 5
    table = Hyperband().brackets(243)
    assert [len(bracket) for bracket in table] == [6, 5, 4, 3, 2, 1]
    assert [bracket[0] for bracket in table] == [
        (243, 1), (98, 3), (41, 9), (18, 27), (9, 81), (6, 243)
    ]  # fmt: skip


@given(
    max_epochs=st.integers(1, 3000),
    eta=st.integers(2, 7),
    rounding=st.sampled_from(["ceil", "floor"]),
)
def test_brackets_equal_the_papers_fractions(max_epochs, eta, rounding):
    table = Hyperband(eta=eta, rounding=rounding).brackets(max_epochs)
    assert table == [
        [(n // eta**i, math.floor(Fraction(max_epochs, eta ** (s - i)))) for i in range(s + 1)]
        for n, s in published_sizes(max_epochs, eta, rounding)
    ]
    assert all(rung[0] >= 1 and rung[1] >= 1 for bracket in table for rung in bracket)
    assert all(bracket[-1][1] == max_epochs for bracket in table)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    max_epochs=st.integers(4, 30),
    eta=st.integers(2, 4),
    rounding=st.sampled_from(["ceil", "floor"]),
    failures=st.sampled_from([0.0, 0.3]),
    levels=st.sampled_from([None, 2]),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_the_schedule_is_that_of_the_published_algorithm(
    seed, max_epochs, eta, rounding, failures, levels, direction
):
    hyperband = Hyperband(eta=eta, rounding=rounding)
    losses = table_curve(seed, failures, levels)
    sign = 1 if direction == "minimize" else -1

    def curve(trial: Trial, epoch: int) -> float | None:
        loss = losses(trial.id, epoch)
        return None if loss is None else sign * loss

    def plain(trial: int, epochs: int) -> float | None:
        values = [losses(trial, epoch) for epoch in range(1, epochs + 1)]
        return None if None in values else values[-1]

    sizes = [bracket[0][0] for bracket in hyperband.brackets(max_epochs)]
    trials = sum(sizes) + sizes[0] if max_epochs >= eta else 5
    run = Run(SPACE, direction=direction, max_epochs=max_epochs, seed=seed)
    expected = published(hyperband, max_epochs, plain, trials)
    whole = Loop(parallel=sizes[0] + 1, trials=trials).drive(hyperband, run, curve)
    assert schedule_of(whole) == expected
    loops = [Loop(3, trials), Loop(1, trials), Loop(5, trials, order=np.random.default_rng(seed))]
    for loop in loops:
        pieces = loop.drive(hyperband, run, curve)
        assert pieces.trials == whole.trials
        assert schedule_of(pieces) == expected


def test_the_best_third_is_continued_in_order_of_rank():
    run = Run(SPACE, max_epochs=9, seed=3)
    run = accepted(run, *Hyperband().ask([run], [20]))
    assert [(t.until, t.origin) for t in run.trials] == [(1, "uniform")] * 9
    values = [4.0, 3.0, 9.0, 1.0, 8.0, 1.0, 7.0, 6.0, 5.0]
    run = settled(run, lambda trial, epoch: values[trial.id])
    (ask,) = Hyperband().ask([run], [20])
    assert [(p.kind, p.trial, p.until) for p in ask.proposals] == [
        ("resume", 3, 3), ("resume", 5, 3), ("resume", 1, 3)
    ]  # fmt: skip
    assert ask.notes == {"bracket": 0, "rung": 1, "epochs": 3}


def test_a_rung_waits_for_all_its_members():
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    for last in range(8):
        run = settled(run, lambda trial, epoch: 1.0, only=last)
        assert Hyperband().ask([run], [9]) == [Ask()]
    run = settled(run, lambda trial, epoch: 1.0)
    assert len(Hyperband().ask([run], [9])[0].proposals) == 3


def test_no_slots_give_an_empty_ask():
    run = Run(SPACE, max_epochs=9)
    assert Hyperband().ask([run], [0]) == [Ask()]


def test_a_rung_cut_by_a_budget_goes_on_where_it_was_cut():
    run = Run(SPACE, max_epochs=9, seed=1)
    (ask,) = Hyperband().ask([run], [9])
    cut = settled(accepted(run, ask, most=5), lambda trial, epoch: float(trial.id))
    (rest,) = Hyperband().ask([cut], [9])
    assert rest.proposals == ask.proposals[5:]
    whole = settled(accepted(cut, rest), lambda trial, epoch: float(trial.id))
    (ask,) = Hyperband().ask([whole], [9])
    cut = settled(accepted(whole, ask, most=1), lambda trial, epoch: float(trial.id))
    assert [p.trial for p in Hyperband().ask([cut], [9])[0].proposals] == [1, 2]


def test_fewer_are_promoted_where_fewer_are_healthy():
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    run = settled(run, lambda trial, epoch: 1.0 if trial.id in (4, 7) else None)
    (ask,) = Hyperband().ask([run], [9])
    assert [p.trial for p in ask.proposals] == [4, 7]


def test_a_bracket_whose_every_trial_failed_gives_way_to_the_next():
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    run = settled(run, lambda trial, epoch: None)
    (ask,) = Hyperband().ask([run], [9])
    assert [(p.kind, p.until) for p in ask.proposals] == [("start", 3)] * 5
    assert ask.notes == {"bracket": 1, "rung": 0, "epochs": 3}


def test_a_trial_that_fails_in_a_rung_is_not_replaced():
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    run = settled(run, lambda trial, epoch: float(trial.id))
    run = accepted(run, *Hyperband().ask([run], [9]))
    run = settled(run, lambda trial, epoch: None if trial.id < 2 else 1.0)
    (ask,) = Hyperband().ask([run], [9])
    assert [(p.trial, p.until) for p in ask.proposals] == [(2, 9)]


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_a_trial_that_was_stopped_in_a_rung_is_not_promoted(status):
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    run = settled(run, lambda trial, epoch: float(trial.id))
    best = replace(run.trials[0], status=status)
    run = replace(run, trials=(best, *run.trials[1:]))
    assert [p.trial for p in Hyperband().ask([run], [9])[0].proposals] == [1, 2, 3]


def test_a_gap_in_the_reports_is_bridged_by_the_latest_value_before_it():
    trials = tuple(
        Trial(i, {"x": i / 9}, "paused", 4, (2, 3), (float(i), float(9 - i)), float(9 - i))
        for i in range(8)
    )
    run = Run(SPACE, max_epochs=16, trials=trials)
    table = Hyperband(eta=4).brackets(16)
    assert table[1] == [(6, 4), (1, 16)]
    first = tuple(replace(t, id=i) for i, t in enumerate([trials[0]] * 16))
    failed = tuple(replace(t, status="failed", value=None) for t in first)
    second = tuple(replace(t, id=16 + i) for i, t in enumerate(trials[:6]))
    run = replace(run, trials=(*failed, *second))
    (ask,) = Hyperband(eta=4).ask([run], [9])
    assert [(p.trial, p.until) for p in ask.proposals] == [(21, 16)]


def test_a_trial_queued_for_a_later_bracket_is_trained_on_to_its_first_rung():
    run = Run(SPACE, max_epochs=9)
    run = accepted(run, *Hyperband().ask([run], [9]))
    queued = Trial(9, {"x": 0.5}, "running", 1, origin="enqueued")
    run = replace(run, trials=(*run.trials, queued))
    run = settled(run, lambda trial, epoch: None if trial.id < 9 else 1.0)
    for slots, fresh in ((9, 4), (3, 2), (1, 0)):
        (ask,) = Hyperband().ask([run], [slots])
        kinds = [(p.kind, p.trial, p.until) for p in ask.proposals]
        assert kinds == [("resume", 9, 3)] + [("start", None, 3)] * fresh


def test_an_exhausted_space_gives_the_smaller_bracket_and_then_the_end():
    run = Run(TINY, max_epochs=9, seed=5)
    done = Loop(parallel=9).drive(Hyperband(), run, lambda trial, epoch: float(trial.id))
    assert [trial.reached for trial in done.trials] == [9, 3, 3, 1, 1]
    assert Hyperband().ask([done], [9]) == [Ask()]
    one = Loop(parallel=1).drive(Hyperband(), run, lambda trial, epoch: float(trial.id))
    assert one.trials == done.trials


def test_a_grid_inside_ends_with_the_grid():
    run = Run(SPACE, max_epochs=9)
    hyperband = Hyperband(inner=Grid(12))
    done = Loop(parallel=4).drive(hyperband, run, lambda trial, epoch: float(trial.id))
    assert [trial.config["x"] for trial in done.trials] == np.linspace(0, 1, 12).tolist()
    assert [trial.reached for trial in done.trials] == [9, 3, 3] + [1] * 6 + [9, 3, 3]
    assert Hyperband(inner=Grid(12)).ask([done], [4]) == [Ask()]


@pytest.mark.parametrize("max_epochs", [1, 2])
def test_with_one_rung_it_is_random_search(max_epochs):
    run = Run(SPACE, max_epochs=max_epochs, seed=8)
    for _ in range(3):
        (ask,), (random,) = Hyperband().ask([run], [4]), Random().ask([run], [4])
        assert ask.proposals == random.proposals
        run = accepted(run, ask)  # still running: nothing to wait for


@dataclass(frozen=True)
class Watcher:
    """Proposes constants and keeps what it was shown."""

    seen: list[Run] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def ask(self, runs, slots):
        self.seen.extend(runs)
        self.asked.extend(slots)
        proposals = tuple(start({"x": 0.5}, 99, "watcher") for _ in range(slots[0]))
        return [Ask(proposals, {"lengthscale": 0.25, "rung": -1}) for _ in runs]


def test_the_inner_strategy_is_asked_once_for_all_runs_and_its_notes_are_kept():
    watcher = Watcher()
    fresh = Run(SPACE, max_epochs=9)
    asks = Hyperband(inner=watcher).ask([fresh, fresh, fresh], [2, 0, 2])
    assert watcher.asked == [2, 2]
    assert [len(ask.proposals) for ask in asks] == [2, 0, 2]
    assert asks[0].notes == {"lengthscale": 0.25, "bracket": 0, "rung": 0, "epochs": 1}
    assert asks[0].proposals[0] == start({"x": 0.5}, 1, "watcher")


@pytest.mark.parametrize(("fours", "epoch"), [(3, 4), (2, 2)])
def test_the_inner_strategy_sees_the_largest_epoch_that_d_plus_2_trials_have_reached(fours, epoch):
    reached = [4] * fours + [2] * (4 - fours) + [1, 1]
    trials = [
        Trial(
            i,
            {"x": 0.1},
            "paused",
            r,
            tuple(range(1, r + 1)),
            tuple(map(float, range(1, r + 1))),
            float(r),
        )
        for i, r in enumerate(reached)
    ]
    failed = Trial(6, {"x": 0.1}, "failed", 4, (1, 2, 3, 4), (1.0,) * 4, None)
    watcher = Watcher()
    run = Run(SPACE, max_epochs=16, trials=(*trials, failed))
    Hyperband(eta=2, inner=watcher).ask([run], [1])
    (view,) = watcher.seen
    assert [t.value for t in view.trials[:6]] == [epoch if r >= epoch else None for r in reached]
    expected = ["finished" if r >= epoch else "running" for r in reached]
    assert [t.status for t in view.trials[:6]] == expected
    assert view.trials[0].epochs == tuple(range(1, epoch + 1))
    assert view.trials[6] == failed


def test_the_inner_strategy_sees_all_trials_pending_before_d_plus_2_have_reported():
    trials = tuple(Trial(i, {"x": 0.1}, "paused", 1, (1,), (1.0,), 1.0) for i in range(2))
    watcher = Watcher()
    Hyperband(inner=watcher).ask([Run(SPACE, max_epochs=9, trials=trials)], [1])
    assert [(t.status, t.value) for t in watcher.seen[0].trials] == [("running", None)] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 1}, r"Hyperband\(eta=1\): eta must be an integer >= 2; 3 is usual"),
        ({"eta": 3.0}, r"Hyperband\(eta=3\.0\): eta must be an integer >= 2"),
        ({"eta": True}, r"Hyperband\(eta=True\): eta must be an integer >= 2"),
        ({"rounding": "up"}, r"Hyperband\(rounding='up'\): rounding must be one of ceil, floor"),
        ({"inner": "random"}, r"Hyperband\(inner='random'\): inner must be a strategy"),
        ({"inner": Random}, r"inner must be a strategy, such as Random\(\)"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(StrategyError, match=message):
        born(Hyperband, options)


def test_a_table_needs_an_epoch():
    with pytest.raises(
        StrategyError, match=r"rungs\(max_epochs=0\): max_epochs must be an integer >= 1"
    ):
        Hyperband().brackets(0)
