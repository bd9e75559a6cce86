"""Stopping at rungs as Syne Tune and Ray do it: their own decisions, recorded, and plain loops."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo_research as hpo
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.records import Outcome, Report, Run, Trial
from hpo_research.rows import forget
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.rung_decisions import once
from hpo_research.strategies.halving.rungs import Ladders
from hpo_research.study import Study

SPACE = SearchSpace(x=Float(0, 1))
ORACLE = json.loads((Path(__file__).parent / "oracles" / "asha.json").read_text())
GIVEN = [scenario for scenario in ORACLE["scenarios"] if scenario.get("given")]
DRAWN = [scenario for scenario in ORACLE["scenarios"] if not scenario.get("given")]
RULES = ["syne-tune", "ray"]


def strategy_of(scenario: dict, rule: str) -> ASHA | AsynchronousHyperband:
    if scenario["brackets"] > 1:
        return AsynchronousHyperband("stop", eta=scenario["eta"], rule=rule)
    return ASHA("stop", scenario["eta"], scenario["min_epochs"], rule=rule)


def decided(scenario: dict, rule: str) -> str:
    """Enter a scenario's events into a ledger, in their order, and write down what is said."""
    direction, most = scenario["direction"], scenario["max_epochs"]
    book = Ledger(RunInfo(1, SPACE, "value", direction, max_epochs=most), Limits())
    strategy = strategy_of(scenario, rule)
    book.append_ask(book.grant(*strategy.ask([book.run()], [scenario["trials"]])))
    letters = ""
    for trial, epoch, value in scenario["events"]:
        if trial not in book.open:
            letters += "-"
            continue
        book.append_report(Report(1, trial, epoch, {"value": value}))
        row = book.grant(*strategy.ask([book.run()], [0]))
        assert [grant.trial for grant in row.grants] in ([], [trial])
        letters += "s" if row.grants else "g"
        if row.grants:
            book.append_ask(row)
            book.append_outcome(Outcome(1, trial, "stopped", epoch))
    return letters


@pytest.mark.parametrize("rule", RULES)
def test_301_decisions_at_the_first_rung_are_those_of_the_package(rule):
    assert sum(len(scenario["events"]) for scenario in GIVEN) == 301
    assert [decided(scenario, rule) for scenario in GIVEN] == [s[rule] for s in GIVEN]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scenario", DRAWN, ids=range(len(DRAWN)))
def test_decisions_at_all_rungs_are_those_of_the_package(scenario, rule):
    """In any order, with ties, epochs left out, grace, brackets, and values that are maximised."""
    assert decided(scenario, rule) == scenario[rule]


def test_the_oracle_holds_what_it_is_for():
    assert "0.16.0" in ORACLE["versions"]["syne-tune"]
    assert "2.60.0" in ORACLE["versions"]["ray"]
    assert any(scenario["syne-tune"] != scenario["ray"] for scenario in GIVEN)
    later = [
        letter
        for scenario in DRAWN
        for letter, (_, epoch, _) in zip(scenario["ray"], scenario["events"], strict=True)
        if epoch > scenario["min_epochs"]
    ]
    assert later.count("s") > 20


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scenario", [GIVEN[0], *DRAWN], ids=range(1 + len(DRAWN)))
def test_rungs_and_brackets_are_those_of_the_package(scenario, rule):
    """A rung of theirs at the last epoch judges nobody, and is there or not by rounding."""
    strategy, most = strategy_of(scenario, rule), scenario["max_epochs"]
    theirs = [tuple(e for e in reversed(r) if e < most) for r in scenario[f"{rule} rungs"]]
    if isinstance(strategy, ASHA):
        assert [strategy.rungs(most)] == theirs
    else:
        ladders = strategy.ladders(most)
        assert list(ladders.rungs) == theirs
        brackets = [ladders.bracket(trial) for trial in range(scenario["trials"])]
        assert brackets == scenario["bracket_of"]


def test_rungs_are_counted_from_below():
    assert ASHA("stop").rungs(100) == (1, 3, 9, 27, 81) == ASHA("stop").rungs(243)
    assert ASHA("stop", min_epochs=2).rungs(100) == (2, 6, 18, 54)
    assert ASHA("stop").rungs(1) == () == ASHA("stop", min_epochs=9).rungs(9)
    assert AsynchronousHyperband("stop").ladders(9).rungs == ((1, 3), (3,), ())


def test_syne_tune_is_the_default():
    assert ASHA("stop") == ASHA("stop", rule="syne-tune") != ASHA("stop", rule="ray")
    assert ASHA().rule is None is ASHA("continual").rule


# --- plain loops ---


def plainly(reports, rungs, eta, rule, most):
    """The two rules as their sources have them, on losses to be minimised; who is stopped, when."""
    recorded = {rung: {} for rung in rungs}
    stopped = {}
    for at, (trial, epoch, loss) in enumerate(reports):
        if trial in stopped or epoch >= most:
            continue
        for rung in sorted(rungs, reverse=True):
            known = list(recorded[rung].values())
            if epoch < rung or trial in recorded[rung]:
                continue
            if rule == "syne-tune":
                ranks = np.searchsorted(sorted([*known, loss]), loss) / (len(known) + 1)
                is_worse = bool(known) and ranks > 1 / eta
            else:
                rewards = [-value for value in known]
                is_worse = known and -loss < np.nanpercentile(rewards, (1 - 1 / eta) * 100)
            if is_worse:
                stopped[trial] = at
            recorded[rung][trial] = loss
            break
    return stopped


@st.composite
def histories(draw):
    """Reports of up to 12 trials in any order, values often equal."""
    most = draw(st.integers(2, 12))
    reports, reached = [], {}
    for trial, step, level in draw(
        st.lists(st.tuples(st.integers(0, 11), st.integers(1, 3), st.integers(0, 6)), max_size=60)
    ):
        epoch = reached.get(trial, 0) + step
        if epoch <= most:
            reached[trial] = epoch
            reports.append((trial, epoch, level / 7))
    return most, reports


def run_of(most: int, reports) -> Run:
    """A run whose trials all train, with these reports."""
    trials = [Trial(i, {"x": 0.1}, "running", most) for i in range(12)]
    for at, (number, epoch, value) in enumerate(reports):
        trial = trials[number]
        trials[number] = replace(
            trial,
            epochs=(*trial.epochs, epoch),
            values=(*trial.values, value),
            arrivals=(*trial.arrivals, at),
        )
    return Run(SPACE, max_epochs=most, trials=tuple(trials))


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(history=histories(), eta=st.integers(2, 5), least=st.integers(1, 3))
def test_who_is_stopped_is_who_a_plain_loop_stops_at_every_report(rule, history, eta, least):
    most, reports = history
    strategy = ASHA("stop", eta, least, rule=rule)
    stopped = plainly(reports, strategy.rungs(most), eta, rule, most)
    for count in range(len(reports) + 1):
        run = run_of(most, reports[:count])
        expected = {trial for trial, at in stopped.items() if at < count}
        (ask,) = strategy.ask([run], [0])
        assert {proposal.trial for proposal in ask.proposals} == expected


def test_numpy_says_the_same_bound_to_the_last_bit():
    draws = np.random.default_rng(3)
    for eta in (2, 3, 4, 5, 7):
        losses = draws.normal(size=40).round(2).tolist()
        rows = [(i, 1, loss) for i, loss in enumerate(losses)]
        trials = [Trial(i, {}, "running", 9, (1,), (v,), v, arrivals=(i,)) for i, _, v in rows]
        run = Run(SPACE, max_epochs=9, trials=tuple(trials))
        for decision in once(run, Ladders(((1,),)), eta, "ray"):
            before = [-loss for loss in losses[: decision.trial]]
            assert decision.bound == -np.nanpercentile(before, (1 - 1 / eta) * 100)


def test_the_bound_of_syne_tune_is_the_worst_value_that_goes_on():
    trials = [Trial(i, {}, "running", 9, (1,), (float(i),)) for i in range(8)]
    for place in np.arange(0, 8.5, 0.5):
        own = Trial(8, {}, "running", 9, (1,), (float(place),))
        run = Run(SPACE, max_epochs=9, trials=(*trials, own))
        decision = once(run, LADDERS, 3, "syne-tune")[-1]
        assert (decision.trial, decision.bound, decision.stops) == (8, 3.0, place > 3)


LADDERS = Ladders(((1, 3),))


def test_reports_of_one_poll_count_in_order_of_id():
    """And by epoch: what a hand-made run that says nothing of its order means."""
    trials = [Trial(i, {}, "running", 9, (1,), (float(9 - i),)) for i in range(6)]
    run = Run(SPACE, max_epochs=9, trials=tuple(trials))
    assert [v.stops for v in once(run, LADDERS, 3, "ray")] == [False] * 5  # each beats those before
    worse = replace(run, direction="maximize")
    assert [v.stops for v in once(worse, LADDERS, 3, "ray")] == [True] * 5


def test_a_decision_stands_and_what_comes_after_a_stop_counts_nowhere():
    good = Trial(0, {}, "running", 9, (1, 2), (1.0, 1.0), arrivals=(0, 3))
    bad = Trial(1, {}, "running", 9, (1, 2, 3), (5.0, 5.0, 0.0), arrivals=(1, 2, 4))
    run = Run(SPACE, max_epochs=9, trials=(good, bad))
    assert [(v.trial, v.stops) for v in once(run, LADDERS, 3, "syne-tune")] == [(1, True)]
    later = replace(good, epochs=(1, 2, 3), values=(1.0, 1.0, 1.0), arrivals=(0, 3, 5))
    run = replace(run, trials=(later, bad))
    # The first to be recorded at 3 epochs: 0.0 of the stopped one is not there.
    assert [(v.trial, v.epoch) for v in once(run, LADDERS, 3, "syne-tune")] == [(1, 1)]


@pytest.mark.parametrize("rule", RULES)
def test_failed_trials_count_where_they_reported(rule):
    failed = Trial(0, {}, "failed", 9, (1,), (1.0,), reason="it broke")
    silent = Trial(1, {}, "failed", 9, reason="it broke at once")
    own = Trial(2, {}, "running", 9, (1,), (2.0,))
    (decision,) = once(Run(SPACE, max_epochs=9, trials=(failed, silent, own)), LADDERS, 3, rule)
    assert (decision.bound, decision.stops) == (1.0, True)


@pytest.mark.parametrize("rule", RULES)
def test_a_study_says_the_same_whether_anything_is_kept(rule):
    scenario = DRAWN[7]

    def said(*, forgetful: bool):
        study = Study(SPACE, strategy_of(scenario, rule), max_epochs=scenario["max_epochs"])
        study.ask(scenario["trials"])
        running = set(range(scenario["trials"]))
        for trial, epoch, value in scenario["events"][:150]:
            if forgetful:
                forget(study.trials)
            if trial in running and not study.report(trial, epoch, value):
                running.discard(trial)
        return study.trials, running

    kept, clean = said(forgetful=False), said(forgetful=True)
    strip = [[replace(t, seconds=0.0) for t in trials] for trials, _ in (kept, clean)]
    assert strip[0] == strip[1] and kept[1] == clean[1]


def test_a_study_that_is_opened_again_knows_the_order_of_reports(tmp_path):
    scenario = DRAWN[0]
    options = {"max_epochs": scenario["max_epochs"], "path": tmp_path / "study"}
    strategy, events = strategy_of(scenario, "ray"), scenario["events"][:40]
    for begin in range(0, len(events), 10):
        with Study(SPACE, strategy, **options) as study:
            if not study.trials:
                study.ask(scenario["trials"])
            letters = [
                "g" if study.report(trial, epoch, value) else "s"
                for trial, epoch, value in events[begin : begin + 10]
                if study.trials[trial].is_running
            ]
        expected = scenario["ray"][begin : begin + 10].replace("-", "")
        assert "".join(letters) == expected
    with Study(SPACE, strategy, **options) as study:
        came = sorted(number for trial in study.trials for number in trial.arrivals)
        assert came == list(range(sum(letter != "-" for letter in scenario["ray"][:40])))


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
def test_in_an_experiment_who_was_stopped_is_who_a_plain_loop_stops(tmp_path, execution):
    """The stored run, read again, in the order in which its reports came."""
    experiment = hpo.Experiment(
        name="stored",
        problems=[hpo.problem("curves", max_epochs=9, agreement=0.3)],
        strategies={rule: ASHA("stop", eta=2, rule=rule) for rule in RULES},
        seeds=[0],
        budget=hpo.Budget(evaluations=8),
        parallel=3,
        execution=execution,
    )
    hpo.run(experiment, out=tmp_path, device="cpu")
    for name, run in hpo.Result.read(tmp_path).runs.items():
        reports = [
            (at, trial.id, epoch, value)
            for trial in run.trials
            for at, epoch, value in zip(trial.arrivals, trial.epochs, trial.values, strict=True)
        ]
        came, *_ = zip(*sorted(reports), strict=True)
        assert came == tuple(range(len(reports)))
        rows = [report for _, *report in sorted(reports)]
        stopped = plainly(rows, (1, 2, 4, 8), 2, name.strategy, 9)
        assert {t.id: t.reached for t in run.trials if t.status == "stopped"} == {
            trial: rows[at][1] for trial, at in stopped.items()
        }
        assert len(stopped) >= 4
