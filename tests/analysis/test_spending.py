"""The ledger of cost: its parts add up, by hand and in experiments."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from doubles import Halving, Walk

import hpo_research as hpo
from hpo_research import tables
from hpo_research.analysis.spending import ledger
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Segment
from hpo_research.store import RunName

PARTS = ["finished", "stopped", "paused", "running", "failed", "unreported"]


@dataclass(frozen=True)
class Sparse(Walk):
    """A walk that reports at the end of every segment alone."""

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        ends = {segment.key: segment.until for segment in segments}
        for reports in super().evaluate(segments, device):
            if last := [report for report in reports if report.epoch == ends[report.key]]:
                yield last


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


def test_a_report_stands_for_all_epochs_since_the_one_before(tmp_path):
    experiment = hpo.Experiment(
        "sparse",
        [Sparse(fails_above=2.0)],
        {"random": hpo.Random(), "halving": hpo.SuccessiveHalving()},
        range(2),
        hpo.Budget(evaluations=8),
        parallel=3,
    )
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    frame = ledger(result).set_index("strategy")
    assert (frame["unreported"] == 0).all()
    assert (frame[PARTS].sum(axis=1) == frame["epochs"]).all()
    assert (frame.loc["random", "finished"] == 72).all()
    assert (frame.loc["random", "continued"] == 0).all()
    assert (frame.loc["halving", "continued"] > 0).all()


@pytest.mark.parametrize("rule", [hpo.MedianStopping, hpo.CurveStopping])
def test_a_rule_waits_with_the_slots_of_the_strategy_within(rule, tmp_path):
    result = run(tmp_path, parallel=None, ruled=rule(hpo.ASHA(batch=3)))
    frame = ledger(result).set_index("strategy")
    waited = frame.loc["ruled"]
    clocks = [result.costs[name].clock for name in sorted(result.runs) if name[1] == "ruled"]
    assert (waited["training_seconds"] + waited["waiting_seconds"]).tolist() == pytest.approx(
        [3 * clock for clock in clocks]
    )
    assert frame.loc["random", "waiting_seconds"].isna().all()


def test_epochs_that_a_stop_sets_free_beside_the_last_trials_stay_unspent(tmp_path):
    experiment = hpo.Experiment(
        "stops",
        [Walk(fails_above=2.0)],
        {"stopping": Halving(), "random": hpo.Random()},
        range(4),
        hpo.Budget(epochs=72),
        parallel=4,
    )
    result = hpo.run(experiment, out=tmp_path, device="cpu")
    frame = ledger(result).set_index("strategy")
    assert (frame.loc["random", "epochs"] == 72).all()
    assert frame.loc["stopping", "epochs"].max() < 72
    for name, own in result.runs.items():
        assert sum(trial.reached for trial in own.trials) == result.costs[name].epochs
