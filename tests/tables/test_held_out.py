"""The table of test accuracies: of which trial, at which epoch, over which seeds."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import changed, made

from hpo_research import tables
from hpo_research.analysis.held_out import on_test_images
from hpo_research.analysis.result import Result
from hpo_research.store import RunName

# Validation losses by run: two trials of two epochs; the second trial is the best at its end.
LOSSES = [(0, 1, 0.9), (0, 2, 0.8), (1, 1, 0.3), (1, 2, 0.5)]
ACCURACIES = {(0, 1): 0.60, (0, 2): 0.95, (1, 1): 0.85, (1, 2): 0.80}


def result(seeds: int = 5, *, strategies: tuple[str, ...] = ("a", "b")) -> Result:
    histories = {RunName("p", s, k): LOSSES for s in strategies for k in range(seeds)}
    found = made(histories)

    def measured(name: RunName) -> list:
        bonus = 0.01 * name.seed + (0.1 if name.strategy == "b" else 0.0)
        return [
            (
                replace(
                    report,
                    metrics={
                        **report.metrics,
                        "test_accuracy": ACCURACIES[report.trial, report.epoch] + bonus,
                    },
                ),
                spent,
                turn,
            )
            for report, spent, turn in found.history[name]
        ]

    return changed(found, "reports", {name: measured(name) for name in found.history})


def shown(found: Result):
    return next(table for table in tables.tables(found) if table.name == "tested")


def test_it_is_that_of_the_best_trial_by_validation_at_its_last_epoch():
    (finals,) = on_test_images(result())
    assert (finals.metric, finals.direction, finals.is_regret) == (
        "test_accuracy", "maximize", False,
    )  # fmt: skip
    np.testing.assert_allclose(finals.values["a"], 0.80 + 0.01 * np.arange(5))
    np.testing.assert_allclose(finals.values["b"], 0.90 + 0.01 * np.arange(5))


def test_by_the_rule_best_it_is_that_of_the_epoch_that_counts():
    found = result(1)
    best = replace(found, description={**found.description, "final": "best"})
    assert on_test_images(best)[0].values["a"] == pytest.approx([0.85])
    assert "at its best epoch by the same metric" in shown(best).caption


def test_means_and_intervals_are_over_seeds():
    table = shown(result())
    assert table.data["mean"].tolist() == pytest.approx([0.82, 0.92])
    assert (table.data["mean_low"] < table.data["mean"]).all()
    assert (table.data["mean"] < table.data["mean_high"]).all()
    assert table.data["chosen_by"].tolist() == ["log_loss", "log_loss"]
    assert all(cell.mark == "" for row in table.rows for cell in row)
    assert "Nothing is marked: with 5 paired seeds" in table.caption
    marks = [[cell.mark for cell in row] for row in shown(result(6)).rows]
    assert marks == [[""] * 6, ["", "", "", "best", "", ""]]
    assert "that of the mean: 95% percentile bootstrap" in table.caption
    assert "at its last epoch" in table.caption


def test_below_five_seeds_there_is_no_interval():
    table = shown(result(4))
    assert table.data[["mean_low", "mean_high"]].isna().all(axis=None)
    assert "No interval is given for fewer than 5 seeds" in table.caption


def test_a_run_without_a_value_is_left_out_and_counted():
    found = result()
    name = RunName("p", "a", 2)
    found = changed(found, "run", {name: replace(found.runs[name], trials=())})
    table = shown(changed(found, "reports", {name: []}))
    assert table.rows[0][-1].text == "4/5"
    assert table.data["mean"][0] == pytest.approx(0.82)


def test_a_problem_without_test_images_has_no_such_table():
    found = made({RunName("p", "a", 0): LOSSES})
    assert on_test_images(found) == []
    assert "tested" not in [table.name for table in tables.tables(found)]
