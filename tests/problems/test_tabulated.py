"""Recorded trainings as a problem: replay, noise, failures, and that it equals the trainer."""

import shutil
from collections.abc import Mapping

import numpy as np
import pytest
from recorded import file, invented

import hpo_research as hpo
from hpo_research.analysis.noise_free import is_noisy, noise_free
from hpo_research.errors import ExperimentError, ProblemError
from hpo_research.problems import curve_table
from hpo_research.problems.tabulated import Tabulated
from hpo_research.recording import Design, record
from hpo_research.records import Segment
from hpo_research.rng import Stream

TABLE = Tabulated(file())


def replayed(
    problem: Tabulated, config: int, stream: Stream, until: int = 9
) -> list[Mapping[str, float]]:
    segment = Segment(0, 0, problem.space.among[config], until, stream)
    return [dict(report.metrics) for (report,) in problem.evaluate([segment])]


def test_a_trial_replays_one_recorded_seed_with_all_of_its_metrics_and_seconds():
    table = invented()
    for config in (1, 10, 33):
        found = set()
        for seed in range(20):
            segment = Segment(0, 0, table.configurations[config], 9, Stream(seed))
            reports = [report for (report,) in TABLE.evaluate([segment])]
            losses = np.array([report.metrics["log_loss"] for report in reports], np.float32)
            (pick,) = (
                s
                for s in range(2)
                if np.array_equal(table.metrics["log_loss"][config, s], losses, equal_nan=True)
                and table.seconds[config, s] == reports[0].seconds
            )
            accuracies = [report.metrics["accuracy"] for report in reports]
            np.testing.assert_array_equal(table.metrics["accuracy"][config, pick], accuracies)
            assert {report.seconds for report in reports} == {table.seconds[config, pick]}
            found.add(pick)
        assert found == {0, 1}


def test_the_seed_is_the_trial_s_own_at_every_epoch():
    straight = replayed(TABLE, 1, Stream(5))
    segment = Segment(0, 0, TABLE.space.among[1], 9, Stream(5), start=4, state={})
    rest = [dict(report.metrics) for (report,) in TABLE.evaluate([segment])]
    assert rest == straight[4:]


def test_noise_free_is_the_mean_of_the_recorded_seeds():
    expected = invented().metrics["log_loss"][7].astype(float).mean(axis=0)
    for seed in range(5):
        found = [metrics["noise_free"] for metrics in replayed(TABLE, 7, Stream(seed))]
        assert found == pytest.approx(list(expected), rel=1e-15)


def test_noise_free_leaves_out_the_seeds_that_diverged():
    table = invented()
    for seed in range(20):
        metrics = replayed(TABLE, 5, Stream(seed))
        if not np.isnan(metrics[2]["log_loss"]):
            break
    else:
        raise AssertionError("no stream picked the seed that did not diverge")
    assert metrics[-1]["noise_free"] == table.metrics["log_loss"][5, 1, -1]


def test_with_one_seed_there_is_no_noise():
    assert "noise_free" not in replayed(Tabulated(file(seeds=1)), 1, Stream(0))[0]


@pytest.mark.parametrize(("metric", "direction"), [("", "minimize"), ("accuracy", "maximize")])
def test_the_optimum_is_the_best_final_value_without_noise(metric, direction):
    problem = Tabulated(file(), metric=metric)
    assert problem.direction == direction
    finals = [replayed(problem, c, Stream(0))[-1]["noise_free"] for c in range(problem.space.size)]
    best = np.nanmin(finals) if direction == "minimize" else np.nanmax(finals)
    assert problem.optimum == best


def experiment(problem, **options):
    return hpo.Experiment(
        name="table",
        problems=[problem],
        strategies={"random": hpo.Random(), "hyperband": hpo.Hyperband()},
        seeds=range(5),
        parallel=2,
        **{"budget": hpo.Budget(evaluations=8), "execution": "simulated", **options},
    )


def test_it_runs_on_the_simulated_clock_and_diverged_trials_fail(tmp_path):
    result = hpo.run(experiment(TABLE), out=tmp_path, device="cpu")
    frame = result.frame()
    table = invented()
    rows = [table.space.positions[table.space.identity(t.config)]
            for name in sorted(result.runs) for t in result.runs[name].trials]  # fmt: skip
    diverging = frame[np.isin(rows, range(0, 60, 10))]
    reached = diverging[diverging["until"] > 4]
    assert len(reached) and set(reached["status"]) == {"failed"}
    assert reached["reason"].str.contains("log_loss").all()
    assert is_noisy(result, TABLE.name)
    (found,) = noise_free(result)
    assert found.recommended.is_regret
    assert all((values >= 0).all() for values in found.recommended.values.values())
    for name, run in result.runs.items():
        total = sum(trial.seconds for trial in run.trials)
        assert result.costs[name].clock == pytest.approx(total / 2, rel=0.5)


def test_a_table_that_moved_is_the_same_problem_and_another_table_is_not(tmp_path):
    shutil.copy(file(), tmp_path / "moved.npz")
    shutil.copy(file(seeds=1), tmp_path / "other.npz")
    first = Tabulated(file(), name="table")
    hpo.run(experiment(first, budget=hpo.Budget(evaluations=1)), out=tmp_path / "out")
    moved = Tabulated(str(tmp_path / "moved.npz"), name="table")
    longer = hpo.run(experiment(moved), out=tmp_path / "out")
    assert longer.is_finished
    other = Tabulated(str(tmp_path / "other.npz"), name="table")
    with pytest.raises(ExperimentError, match=r"identity\.digest"):
        hpo.run(experiment(other), out=tmp_path / "out")


def test_a_table_that_changes_under_a_problem_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    shutil.copy(file(), path)
    problem = Tabulated(str(path))
    curve_table.write(invented(seeds=1), path)
    with pytest.raises(ProblemError, match=r"a\.npz: holds another table \(.*make the problem ag"):
        list(problem.evaluate([]))


def test_an_unknown_metric_is_refused():
    with pytest.raises(ProblemError, match="metric must be one of log_loss, accuracy"):
        Tabulated(file(), metric="train_loss")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": ["accuracy"]}, "metric must be one of log_loss, accuracy"),
        ({"name": 3}, r"name must be a non-empty string, got 3"),
    ],
)
def test_an_option_that_is_no_text_is_refused(options, message):
    with pytest.raises(ProblemError, match=message):
        Tabulated("digits-mlp", **options)


def test_its_name_is_that_of_the_file_unless_it_is_given():
    assert TABLE.name == "invented-2-9-table"
    assert Tabulated(file(), name="mine").name == "mine"


# --- the law of recorded trainings ---


def test_what_is_replayed_is_what_the_trainer_gives(tmp_path):
    """To the last bit of float32, for every metric and epoch, whatever the batch-mates."""
    trained = hpo.problem("digits-mlp", max_epochs=2)
    record(Design(trained, 12, 2), tmp_path / "a.npz", facts={})
    problem = Tabulated(str(tmp_path / "a.npz"))
    assert (problem.metric, problem.max_epochs, problem.name) == ("log_loss", 2, "a-table")
    for config in (0, 7, 11):
        expected = {}
        for seed in range(2):
            stream = Stream(seed).at("trial", config)
            segment = Segment(0, 0, problem.space.among[config], 2, stream)
            reports = [report for (report,) in trained.evaluate([segment])]
            expected[seed] = [
                {name: np.float32(value) for name, value in report.metrics.items()}
                for report in reports
            ]
        for seed in range(5):
            found = replayed(problem, config, Stream(seed), until=2)
            for metrics in found:
                metrics.pop("noise_free")
            assert [{k: np.float32(v) for k, v in own.items()} for own in found] in (
                expected[0],
                expected[1],
            )
