"""The ledger of cost: its parts add up, by hand and in experiments."""

import math

import pytest
from doubles import Halving, Walk

import hpo_research as hpo
from hpo_research import tables
from hpo_research.analysis.spending import ledger
from hpo_research.store import RunName

PARTS = ["finished", "stopped", "paused", "running", "failed", "unreported"]


def run(folder, execution="simulated", parallel=3, **options):
    experiment = hpo.Experiment(
        name="walks",
        problems=[Walk(), Walk(name="restarting", can_resume=False)],
        strategies={
            "random": hpo.Random(),
            "asha": hpo.ASHA(),
            "stopping": Halving(),
            **options,
        },
        seeds=range(2),
        budget=hpo.Budget(evaluations=8),
        parallel=parallel,
        execution=execution,
    )
    return hpo.run(experiment, out=folder, device="cpu")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    return run(tmp_path_factory.mktemp("walks"))


def test_every_epoch_that_was_charged_has_its_place(walked):
    frame = ledger(walked)
    assert (frame[PARTS].sum(axis=1) == frame["epochs"]).all()
    for row in frame.itertuples():
        name = RunName(row.problem, row.strategy, row.seed)
        trials = walked.runs[name].trials
        assert row.epochs == walked.costs[name].epochs
        for status in PARTS[:-1]:
            own = [len(trial.epochs) for trial in trials if trial.status == status]
            assert getattr(row, status) == sum(own)


def test_only_what_is_resumed_continues_and_only_without_resuming_is_it_trained_again(walked):
    frame = ledger(walked).set_index(["problem", "strategy", "seed"])
    failures = {
        name: sum(trial.status == "failed" for trial in own.trials)
        for name, own in walked.runs.items()
    }
    for name, row in frame.iterrows():
        trials = walked.runs[RunName(*name)].trials
        climbed = [t.reached - 1 for t in trials if t.reached > 1]
        assert row["continued"] == (sum(climbed) if name[1] == "asha" else 0)
        # A failure costs the epoch it failed in; a restart, the epochs before the pause.
        again = row["unreported"] - failures[RunName(*name)]
        assert (again > 0) == (name[0] == "restarting" and name[1] == "asha")
        assert again >= 0


def test_slots_train_or_wait_on_a_simulated_clock(walked):
    frame = ledger(walked)
    for row in frame.itertuples():
        name = RunName(row.problem, row.strategy, row.seed)
        slots = 3 * walked.costs[name].clock
        assert row.training_seconds + row.waiting_seconds == pytest.approx(slots)
        assert row.waiting_seconds >= 0
        assert row.training_seconds == sum(t.seconds for t in walked.runs[name].trials)


@pytest.mark.parametrize(("execution", "parallel"), [("lock-step", 3), ("simulated", None)])
def test_where_no_slot_is_refilled_alone_nothing_is_said_to_wait(tmp_path, execution, parallel):
    result = run(tmp_path, execution, parallel, bracket=hpo.SuccessiveHalving())
    frame = ledger(result).set_index("strategy")
    assert frame.loc["bracket", "waiting_seconds"].isna().all()
    is_open = execution == "simulated"  # ASHA says how many train at once; the others do not
    assert (not frame.loc["asha", "waiting_seconds"].isna().any()) == is_open


def test_what_waits_is_what_the_table_says(walked):
    shown = next(t for t in tables.tables(walked) if t.name == "seconds").data
    assert not math.isnan(shown["waiting_seconds"].sum())
    assert shown["waiting_seconds"].sum() == pytest.approx(ledger(walked)["waiting_seconds"].sum())
