"""The tables of a result, and their files."""

import numpy as np
import pandas as pd
import pytest
from doubles import Walk
from handmade import made

import hpo_research as hpo
from hpo_research import tables
from hpo_research.analysis.bootstrap import band
from hpo_research.analysis.incumbents import Curve
from hpo_research.analysis.noise_free import noise_free
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreWriteError
from hpo_research.problems.wrappers import Noisy
from hpo_research.store import RunName

SEEDS = (0, 1, 2, 3, 4)
VALUES = {"a_1": [3.0, 1.0, 2.0, 1.5, 2.5], "b": [5.0, 4.0, 6.0, 4.5, 5.5]}


def result(**options):
    histories = {
        RunName("p&q", strategy, seed): [(0, 1, value)]
        for strategy, own in VALUES.items()
        for seed, value in zip(SEEDS, own, strict=True)
    }
    return made(histories, **options)


def table(found, name):
    return next(table for table in tables.tables(found) if table.name == name)


def run(folder):
    experiment = hpo.Experiment(
        name="walks",
        problems=[Walk(), Walk(name="other", max_epochs=3)],
        strategies={"random": hpo.Random(), "hyperband": hpo.Hyperband()},
        seeds=range(3),
        budget=hpo.Budget(evaluations=4),
    )
    return hpo.run(experiment, out=folder, device="cpu")


def test_each_table_is_csv_markdown_and_latex(tmp_path):
    written = tables.write(result(), tmp_path)
    names = ["summary", "finals", "ranks", "comparisons", "improvement", "interquartile"]
    names += ["running-times", "profiles", "speed-ups", "spent", "seconds"]
    assert [own.name for own in written] == names
    assert [[path.name for path in own.paths] for own in written] == [
        [f"{name}.csv", f"{name}.md", f"{name}.tex"] for name in names
    ]
    assert all(path.exists() for own in written for path in own.paths)
    assert all(own.title and own.caption.endswith(".") for own in written)


def test_statistics_are_those_of_numpy_and_of_the_bands_of_the_figures():
    row = table(result(), "finals").data.iloc[0]
    values = np.array(VALUES["a_1"])
    assert (row["median"], row["mean"]) == (2.0, 2.0)
    assert (row["lower_quartile"], row["upper_quartile"]) == (1.5, 2.5)
    shown = band(
        Curve("p", "a_1", "epochs", "minimize", SEEDS, cost=np.zeros(1), values=values[:, None])
    )
    np.testing.assert_array_equal(row["median_low"], shown.low[0])
    np.testing.assert_array_equal(row["median_high"], shown.high[0])


def test_values_are_regret_where_the_optimum_is_known():
    found = table(result(optimum=0.5), "finals")
    assert found.data["median"].tolist() == [1.5, 4.5]
    assert found.data["is_regret"].all()
    assert found.rows[0][1].text == "log loss regret ↓"
    assert "Regret is the distance from the known optimum." in found.caption


@pytest.mark.parametrize(("direction", "best"), [("minimize", "a"), ("maximize", "b")])
def test_the_best_median_of_a_problem_is_bold_where_the_test_allows(direction, best):
    values = {"a": 0.0, "b": 1.0}
    entries = {
        RunName("p", name, seed): [(0, 1, own + seed / 9)]
        for name, own in values.items()
        for seed in range(6)
    }
    shown = tables.tables(made(entries, direction=direction))
    for own in (one for one in shown if one.name in ("summary", "finals", "ranks")):
        marked = [row for row in own.rows if any(cell.mark for cell in row)]
        assert [best in [cell.text for cell in row] for row in marked] == [True]
        assert "at 5% by the two-sided Wilcoxon signed-rank test" in own.caption
    (finals,) = (own for own in shown if own.name == "finals")
    assert finals.data["p_best"].dropna().tolist() == [2 / 2**6]


def test_with_five_seeds_nothing_is_marked_and_the_caption_says_why():
    for own in tables.tables(result()):
        assert not any(cell.mark for row in own.rows for cell in row)
        if own.name in ("summary", "finals", "ranks"):
            assert "Nothing is marked: with 5 paired seeds no difference" in own.caption


def test_a_single_strategy_is_compared_with_nothing():
    found = made({RunName("p", "only", 0): [(0, 1, 1.0)]})
    assert [own.name for own in tables.tables(found)] == ["trials"]
    found = made({RunName("p", "only", seed): [(0, 1, 1.0)] for seed in range(2)})
    assert [own.name for own in tables.tables(found)] == ["trials", "finals"]


@pytest.mark.parametrize("seeds", range(2, 5))
def test_fewer_than_five_seeds_have_no_interval(seeds):
    found = made({RunName("p", "only", k): [(0, 1, 1.0 + k)] for k in range(seeds)})
    shown = table(found, "finals")
    bounds = ["median_low", "median_high", "mean_low", "mean_high"]
    assert shown.data[bounds].isna().all(axis=None)
    assert shown.rows[0][4].text == "–"
    assert "No interval is given for fewer than 6 seeds with a value." in shown.caption
    assert "order statistics" not in shown.caption


def test_where_some_strategies_have_too_few_seeds_for_an_interval_is_said():
    histories = {
        RunName("p", strategy, seed): [] if (strategy, seed) == ("a", 0) else [(0, 1, float(seed))]
        for strategy in ("a", "b")
        for seed in range(6)
    }
    shown = table(made(histories), "finals")
    assert shown.data["median_low"].isna().tolist() == [True, False]
    assert "at least 95%; none for fewer than 6 seeds with a value." in shown.caption
    assert "none below" not in table(result(), "finals").caption


def test_seeds_without_a_value_are_counted_and_said():
    names = [RunName("p", "a", seed) for seed in (0, 1)]
    found = table(made({names[0]: [(0, 1, 1.0)], names[1]: []}), "finals")
    assert found.rows[0][-1].text == "1/2"
    assert "On p, seeds without a value are left out: 1 of a." in found.caption


def test_what_is_not_over_is_said():
    assert "10 of 10 runs are not finished." in table(result(over=False), "summary").caption
    assert "not finished" not in table(result(), "summary").caption


def test_a_result_without_runs_has_no_tables():
    assert tables.tables(made({})) == []


def test_costs_are_those_of_the_result(tmp_path):
    found = run(tmp_path)
    frame = found.frame()
    for row in table(found, "spent").data.itertuples():
        own = frame[(frame["problem"] == row.problem) & (frame["strategy"] == row.strategy)]
        assert row.trials == len(own)
        assert row.failed == (own["status"] == "failed").sum()
        pair = (row.problem, row.strategy)
        costs = [cost for name, cost in found.costs.items() if name[:2] == pair]
        assert row.epochs == sum(cost.epochs for cost in costs)
        whole = found.description["problems"][row.problem]["max_epochs"]
        assert row.evaluations_per_run == pytest.approx(row.epochs / whole / 3)
    seconds = table(found, "seconds").data
    total = seconds["search_seconds"] + seconds["training_seconds"]
    assert total.sum() == pytest.approx(sum(cost.seconds for cost in found.costs.values()))


def test_equal_runs_give_equal_bytes_seconds_apart(tmp_path):
    for name in ("one", "two"):
        tables.write(run(tmp_path / name), tmp_path / name / "tables")
    files = sorted(path.name for path in (tmp_path / "one/tables").iterdir())
    differing = {
        name
        for name in files
        if (tmp_path / "one/tables" / name).read_bytes()
        != (tmp_path / "two/tables" / name).read_bytes()
    }
    assert differing <= {"seconds.csv", "seconds.md", "seconds.tex"}


def test_the_csv_has_every_digit(tmp_path):
    found = run(tmp_path)
    written = {own.name: own for own in tables.write(found, tmp_path / "tables")}
    read = pd.read_csv(written["finals"].paths[0])
    assert read["median"].tolist() == table(found, "finals").data["median"].tolist()


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match="could not be written"):
        tables.write(result(), tmp_path / "file")


def test_a_written_result_is_read_again_with_the_same_tables(tmp_path):
    first = run(tmp_path)
    again = Result.read(tmp_path)
    for one, two in zip(tables.tables(first), tables.tables(again), strict=True):
        assert one.data.equals(two.data)


# --- noise ---


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    experiment = hpo.Experiment(
        name="noise",
        problems=[Noisy(hpo.problem("branin"), 20.0), hpo.problem("branin")],
        strategies={"random": hpo.Random(), "model": hpo.Bayesian(samples=8, starts=4)},
        seeds=range(6),
        parallel=4,
        budget=hpo.Budget(evaluations=8),
    )
    return hpo.run(experiment, out=tmp_path_factory.mktemp("noise"), device="cpu")


def test_a_noisy_problem_has_a_table_of_recommended_and_best_observed_trials(noisy):
    shown, (known,) = table(noisy, "noise_free"), noise_free(noisy)
    assert [head for head in shown.head if "95%" not in head] == [
        "Problem",
        "Value",
        "Strategy",
        "Recommended",
        "Best observed",
        "Seeds",
    ]
    for row in shown.data.itertuples():
        assert row.problem == "branin+noise(20)"
        assert row.is_regret
        assert row.recommended == np.median(known.recommended.values[row.strategy])
        assert row.best_observed == np.median(known.observed.values[row.strategy])
        assert row.recommended_low <= row.recommended <= row.recommended_high
    assert shown.data["strategy"].tolist() == ["random", "model"]
    assert "best posterior mean under the strategy's own model" in shown.caption
    assert "Regret is the distance from the known optimum." in shown.caption


def test_the_other_tables_say_which_values_are_noisy(noisy):
    said = "On branin+noise(20), values are as reported, with noise; “Values without noise” has"
    for name in ("summary", "finals"):
        assert said in table(noisy, name).caption
        assert "noise" not in table(result(), name).caption
