"""What stopping saved, and which winners it cut: by hand, and in an experiment."""

from dataclasses import replace

import pytest
from handmade import SPACE

import hpo_research as hpo
from hpo_research import tables
from hpo_research.analysis.history import Cost, RunHistory
from hpo_research.analysis.result import Result
from hpo_research.analysis.stops import Stops, stops
from hpo_research.records import Report, Run, Trial
from hpo_research.store import RunName

INNER = {"class": "Random", "kind": "uniform"}
R = 9


def trial(i: int, value: float, reached: int = R, status: str = "finished") -> Trial:
    epochs = tuple(range(1, reached + 1))
    return Trial(i, {"x": i / 100}, status, R, epochs, (value,) * reached, value)


def reports(run: Run) -> list[tuple[Report, int, int]]:
    return [
        (Report(0, trial.id, epoch, {"loss": value}), 0, 0)
        for trial in run.trials
        for epoch, value in zip(trial.epochs, trial.values, strict=True)
    ]


def result(ours: dict[int, list[Trial]], theirs: dict[int, list[Trial]], **options) -> Result:
    """Runs of a rule around a strategy and of that strategy, by seed."""
    direction = options.get("direction", "minimize")
    runs = {
        RunName("p", name, seed): Run(SPACE, direction, max_epochs=R, trials=tuple(trials))
        for name, own in (("rule", ours), ("plain", theirs))
        for seed, trials in own.items()
    }
    facts = {
        "metric": "loss",
        "direction": direction,
        "max_epochs": R,
        "optimum": None,
        "space": {},
    }
    described = {"rule": {"class": "MedianStopping", "inner": INNER}, "plain": INNER}
    return Result(
        {
            "name": "made",
            "problems": {"p": facts},
            "strategies": {k: v for k, v in described.items() if k != options.get("without")},
            "seeds": [],
            "execution": "lock-step",
            "final": "last",
        },
        (),
        {
            name: RunHistory(run, reports(run), (), (), Cost(), options.get("over", True))
            for name, run in runs.items()
        },
    )


# The run trains 0 and 2 to the end (best 3); it stops 1 after 2 epochs and 3 after 4.
OURS = [
    trial(0, 5.0),
    trial(1, 8.0, 2, "stopped"),
    trial(2, 3.0),
    trial(3, 9.0, 4, "stopped"),
    replace(trial(4, 1.0, 3, "failed"), value=None),
]
THEIRS = [trial(0, 5.0), trial(1, 2.0), trial(2, 3.0), trial(3, 4.0)]


def test_what_was_saved_and_cut_by_hand():
    (row,) = stops(result({0: OURS}, {0: THEIRS}))
    assert row == Stops(
        "p",
        "rule",
        "plain",
        runs=1,
        started=4,
        stopped=2,
        paused=0,
        saved=7 + 5,
        whole=36,
        known=2,
        winners=1,  # trial 1 ends at 2 in the other run, below the best of 3
        compared=1,
        lost=1,
    )


def test_where_more_is_better_the_winner_is_the_greatest():
    (row,) = stops(result({0: OURS}, {0: THEIRS}, direction="maximize"))
    assert (row.known, row.winners) == (2, 0)  # neither 2 nor 4 is above the best of 5


def test_equal_to_the_best_is_no_winner():
    (row,) = stops(result({0: OURS}, {0: [trial(1, 3.0)]}))
    assert (row.known, row.winners, row.lost) == (1, 0, 0)


def test_only_what_was_trained_to_the_end_there_is_known():
    theirs = [trial(1, 2.0, 5, "paused"), replace(trial(3, 1.0, 9, "failed"), value=None)]
    row = stops(result({0: OURS}, {0: theirs}))[0]
    assert (row.strategy, row.known, row.compared) == ("rule", 0, 0)
    (row,) = stops(result({0: OURS}, {1: THEIRS}))  # another seed
    assert row.known == 0


def test_without_anything_trained_to_the_end_nothing_is_known():
    (row,) = stops(result({0: [trial(1, 8.0, 2, "stopped")]}, {0: THEIRS}))
    assert (row.stopped, row.known) == (1, 0)


def test_what_still_trains_and_what_was_not_reported_is_not_saved():
    gaps = replace(trial(2, 8.0, 6, "stopped"), epochs=(3, 6), values=(9.0, 8.0))
    left = [trial(0, 5.0), trial(1, 8.0, 2, "running"), gaps]
    (row,) = stops(result({0: left}, {0: THEIRS}, over=False))
    assert (row.started, row.saved) == (3, R - 6)


def test_seeds_add_up():
    harmless = [trial(0, 1.0), trial(1, 8.0, 2, "stopped")]
    (row,) = stops(result({0: OURS, 1: harmless}, {0: THEIRS, 1: THEIRS}))
    assert (row.runs, row.known, row.winners) == (2, 3, 1)
    assert (row.compared, row.lost) == (2, 1)


@pytest.mark.parametrize("over", [True, False])
def test_what_is_left_paused_is_cut_once_the_run_is_over(over):
    left = [trial(0, 5.0), trial(1, 8.0, 2, "paused"), trial(2, 8.0, 2, "stopped")]
    (row,) = stops(result({0: left}, {0: THEIRS}, over=over))
    assert (row.stopped, row.paused, row.known) == (1, int(over), 1 + over)


def test_without_the_strategy_inside_nothing_is_compared():
    (row,) = stops(result({0: OURS}, {}, without="plain"))
    assert (row.reference, row.known, row.saved) == ("", 0, 12)


def test_where_nothing_is_cut_there_is_no_row_and_no_table():
    whole = result({0: [trial(0, 1.0)]}, {0: THEIRS})
    assert stops(whole) == []
    assert "stops" not in [table.name for table in tables.tables(whole)]


def test_the_table_says_it_in_counts_and_the_file_in_rates():
    shown = next(t for t in tables.tables(result({0: OURS}, {0: THEIRS})) if t.name == "stops")
    assert [cell.text for cell in shown.rows[0]] == [
        "p", "rule", "4", "2", "0", "33%", "plain", "1 of 2", "1 of 1"
    ]  # fmt: skip
    row = shown.data.iloc[0]
    assert (row["saved_share"], row["winners_rate"], row["lost_rate"]) == (12 / 36, 0.5, 1.0)


def test_in_an_experiment_the_inner_strategy_is_the_paired_run(tmp_path):
    experiment = hpo.Experiment(
        name="stops",
        problems=[hpo.problem("curves", base="hartmann6", agreement=0.0, max_epochs=9)],
        strategies={
            "random": hpo.Random(),
            "median": hpo.MedianStopping(hpo.Random(), min_trials=2),
            "1-epoch": hpo.EarlyDiscarding(candidates=8, top=1),
        },
        seeds=range(4),
        budget=hpo.Budget(evaluations=8),
        parallel=2,
        execution="simulated",
    )
    found = hpo.run(experiment, out=tmp_path, device="cpu")
    rows = {row.strategy: row for row in stops(found)}
    assert set(rows) == {"median", "1-epoch"}
    for name, row in rows.items():
        assert row.reference == "random"
        expected = [expected_winners(found, name, seed) for seed in range(4)]
        assert (row.known, row.winners) == tuple(map(sum, zip(*expected, strict=True)))
        assert row.lost == sum(winners > 0 for _, winners in expected)
    # A first epoch that says nothing: one look loses a winner somewhere.
    assert rows["1-epoch"].winners > 0


def expected_winners(found: Result, strategy: str, seed: int) -> tuple[int, int]:
    """By trial number, which pairs configurations: known ones, and those that would have won."""
    problem = next(iter(found.description["problems"]))
    ours, theirs = (found.runs[RunName(problem, s, seed)] for s in (strategy, "random"))
    ends = [t.value for t in ours.trials if t.status == "finished"]
    others = [
        theirs.trials[t.id].value
        for t in ours.trials
        if t.status in ("stopped", "paused") and t.id < len(theirs.trials)
    ]
    return (len(others), sum(value < min(ends) for value in others)) if ends else (0, 0)
