"""Several results as one comparison, and a part of a result under other names."""

from dataclasses import replace

import pytest
from handmade import histories, made

from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.figures.draw import pictures
from hpo_research.store import RunName
from hpo_research.tables import tables


def described(result: Result, **changes) -> Result:
    return replace(result, description={**result.description, **changes})


def strategies(**options) -> dict[str, object]:
    return {name: {"class": "own.Tuned", **own} for name, own in options.items()}


def of(*names: str, seeds: int = 2, problems=("p",), **changes) -> Result:
    return described(made(histories(problems, names, seeds=seeds), **changes))


def seeds_of(result: Result, lowest: int) -> Result:
    """The same runs under other seeds."""
    moved = {n._replace(seed=n.seed + lowest): own for n, own in result.histories.items()}
    return replace(result, histories=moved)


def test_strategies_of_other_stores_join_on_the_same_problem():
    both = of("a", "b").merge(of("c", "a"))
    assert list(both.facts.strategies) == ["a", "b", "c"]
    assert len(both.runs) == 6
    assert both.runs[RunName("p", "c", 1)] == of("c").runs[RunName("p", "c", 1)]
    assert [table.name for table in tables(both)][:2] == ["summary", "finals"]


def test_seeds_of_other_stores_join():
    both = of("a", "b").merge(seeds_of(of("a", "b"), 2))
    assert {name.seed for name in both.runs} == {0, 1, 2, 3}
    assert len(both.runs) == 8


def test_problems_of_other_stores_join_in_their_order():
    both = of("a", "b", problems=("q",)).merge(of("a", "b", problems=("p",)))
    assert list(both.facts.problems) == ["q", "p"]


def test_one_name_for_other_options_is_told_apart():
    one = described(of("a", "gp"), strategies=strategies(a={}, gp={"starts": 16}))
    other = described(of("a", "gp"), strategies=strategies(a={}, gp={"starts": 32}))
    both = one.merge(other)
    assert list(both.facts.strategies) == ["a", "gp (starts=16)", "gp (starts=32)"]
    assert len(both.runs) == 6


def test_options_that_no_name_can_hold_are_told_apart_by_folder(tmp_path):
    parts = [
        replace(described(of("gp"), strategies={"gp": {"of": [i] * 50}}), folder=tmp_path / label)
        for i, label in enumerate("xy")
    ]
    assert list(parts[0].merge(parts[1]).facts.strategies) == ["gp (x)", "gp (y)"]


def test_another_number_of_parallel_trials_is_another_strategy():
    one, four = (described(of("a"), parallel=number) for number in (1, 4))
    both = one.merge(four)
    assert list(both.facts.strategies) == ["a (parallel=1)", "a (parallel=4)"]
    assert both.facts.parallel is None


def test_two_versions_are_told_apart_by_folder_where_that_is_asked_for(tmp_path):
    old, new = (replace(of("a"), folder=tmp_path / name / "store") for name in ("old", "new"))
    both = old.merge(new, apart=True)
    assert list(both.facts.strategies) == ["a (old/store)", "a (new/store)"]
    assert list(both.parts) == ["old/store", "new/store"]


def test_everything_that_cannot_be_compared_is_told_at_once():
    one = of("a", problems=("p", "q", "r"))
    problems = one.description["problems"]
    changed = {
        "p": {**problems["p"], "direction": "maximize"},
        "q": {**problems["q"], "optimum": 1.0, "max_epochs": 3},
        "r": problems["r"],
    }
    moved = {name: own for name, own in one.histories.items() if name.problem == "r"}
    shifted = {name: moved[name._replace(seed=1 - name.seed)] for name in moved}
    budget = {**one.description["budget"], "epochs": 7}
    other = replace(
        described(one, problems=changed, budget=budget, final="best"), histories=shifted
    )
    with pytest.raises(StoreError) as raised:
        one.merge(other)
    told = str(raised.value)
    assert "problem 'p' of made and of made (2): minimize and maximize" in told
    assert "problem 'q' of made and of made (2) differ in max_epochs, optimum" in told
    assert "the budget of a run on p, q, r is 40 epochs in one and 7 epochs in the other" in told
    assert "final='last' and final='best'" in told
    assert "a on r, seed 0, is in both with other trials or values" in told


def test_runs_that_are_the_same_in_two_stores_count_once():
    both = of("a", "b").merge(of("a", "b"), of("b"))
    assert both.histories == of("a", "b").histories


def test_seconds_of_parts_executed_differently_are_not_compared():
    both = of("a", "b").merge(described(of("c"), execution="asynchronous"))
    assert both.facts.execution == "mixed"
    assert "incumbent-seconds" not in [picture.name for picture in pictures(both)]
    assert "incumbent-seconds" in [picture.name for picture in pictures(of("a", "b"))]


def test_budgets_may_differ_where_no_problem_is_shared():
    one, other = of("a"), described(of("a", problems=("q",)), budget=None)
    assert one.merge(other).facts.budget is None


def test_one_result_is_itself_and_none_is_refused():
    from hpo_research.analysis.merging import merged

    assert merged([one := of("a")]) is one
    with pytest.raises(StoreError, match="expected results, got none"):
        merged([])


# --- a part of it, arranged ---


def test_a_part_is_in_the_order_and_under_the_names_asked_for():
    result = of("a", "b", "c", problems=("p", "q"))
    own = result.arrange(only=["c", "a", "q"], order=["c"], labels={"c": "Ours", "q": "Task 2"})
    assert list(own.facts.strategies) == ["Ours", "a"]
    assert list(own.facts.problems) == ["Task 2"]
    assert {tuple(name) for name in own.runs} == {
        ("Task 2", name, seed) for name in ("Ours", "a") for seed in (0, 1)
    }
    assert own.runs[RunName("Task 2", "Ours", 1)] == result.runs[RunName("q", "c", 1)]


def test_names_may_be_swapped():
    own = of("a", "b").arrange(labels={"a": "b", "b": "a"})
    assert own.runs[RunName("p", "b", 0)] == of("a", "b").runs[RunName("p", "a", 0)]


def test_every_wrong_name_and_label_is_told():
    with pytest.raises(StoreError) as raised:
        of("a", "b").arrange(only=["x"], order=["a", "a"], labels={"a": "b", "y": "", "b": "b"})
    for told in (
        "only: no strategy or problem 'x'; there are problems: p; strategies: a, b",
        "labels: no strategy or problem 'y'",
        "labels: the label of y must be a non-empty string",
        "labels: two strategies would be called 'b'",
        "order: a is named twice",
    ):
        assert told in str(raised.value)
