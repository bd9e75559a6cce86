"""Suites: what they hold, their baselines and cards, and scores between the two."""

import math
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

import hpo_research as hpo
from benchmarks.baselines import PLACE as STORED
from benchmarks.baselines import TRAINED, baseline
from benchmarks.suites import PLACE as PAGE
from hpo_research.analysis.baselines import TARGETS, Baseline, stored, written
from hpo_research.cli import app
from hpo_research.problems.function import FunctionProblem
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.suites.card import page
from hpo_research.suites.measured import design, key, measured
from hpo_research.tables.scores import scores_table

NAMES = [own.name for own in hpo.suites()]
# A problem of each kind whose baseline takes a moment.
RECOMPUTED = {
    "bbob-2d": "bbob-f03-i02-d02",
    "bbob-5d": "bbob-f24-i03-d05",
    "bbob-noisy-5d": "bbob-noisy-f117-i01-d05",
    "bbob-mixint-5d": "bbob-mixint-f08-i01-d05",
    "bbob-constrained-2d": "bbob-constrained-f24-i01-d02",
    "synthetic": "levy-5d",
    "hpobench": "hpobench-car",
    "multi-fidelity": "curves(agreement=0.6)",
    "curve-tables": "digits-mlp-table",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_holds_problems_of_different_names_with_stored_baselines(name):
    own = hpo.suite(name)
    assert own == hpo.suite(name)
    assert len({problem.name for problem in own}) == len(own) > 1
    assert own.has_stored_baselines or name in TRAINED  # whose optima are unknown
    assert own.source.licence
    assert own.budget.evaluations


@pytest.mark.parametrize(("name", "problem"), RECOMPUTED.items())
def test_a_stored_baseline_is_what_is_measured(name, problem):
    own = hpo.suite(name)
    (member,) = [one for one in own if one.name == problem]
    assert stored()[key(member)] == baseline(member, own.scale)


def test_the_file_of_baselines_is_as_it_is_written():
    assert STORED.read_text(encoding="utf-8") == written(stored())


def test_any_dimension_and_instance_can_be_had_and_is_measured_then():
    own = hpo.suite("bbob-4d", instances=[77], functions=[1, 5])
    assert [problem.name for problem in own] == ["bbob-f01-i77-d04", "bbob-f05-i77-d04"]
    assert not own.has_stored_baselines
    assert own.baselines == {p.name: measured(p, "log") for p in own}
    assert own == hpo.suite("bbob", dimension=4, instances=[77], functions=[1, 5])


def test_a_start_is_the_mean_of_the_best_of_five_points_that_strategies_begin_with():
    problem = hpo.problem("branin")
    best = []
    for seed in range(50):
        strategy = hpo.Random(kind="sobol")
        study = hpo.Study(problem.space, strategy, seed=seed, direction="minimize")
        configs = [trial.config for trial in study.ask(5)]
        assert configs == design(problem, seed)
        best.append(min(_value(problem, config) for config in configs))
    own = measured(problem, "linear")
    assert own.start == pytest.approx(np.mean(best), rel=1e-12)
    geometric = np.exp(np.log(np.array(best) - problem.optimum).mean())
    assert measured(problem, "log").start == pytest.approx(geometric + problem.optimum, rel=1e-12)


def _value(problem, config):
    ((report,),) = problem.evaluate([Segment(0, 0, config, 1, Stream(0))])
    return report.metrics[problem.metric]


def test_a_score_is_0_at_the_start_and_100_at_the_best():
    up = Baseline("p", "maximize", 0.6, 0.9, True, "linear")
    assert [up.score(v) for v in (0.6, 0.9, 0.75)] == pytest.approx([0, 100, 50])
    assert up.score(0.3) == pytest.approx(-100)
    down = Baseline("p", "minimize", 110.0, 10.0, True, "log")
    assert [down.score(v) for v in (110, 10, 10 + 1e-3)] == pytest.approx([0, 100, 50])
    assert down.score(10 - 1e-14) == 100
    assert math.isnan(down.score(math.nan))
    assert math.isnan(down.targets(math.nan))
    for scale, start in (("linear", 1.0), ("log", 1.0 + 1e-9)):
        assert math.isnan(Baseline("p", "minimize", start, 1.0, True, scale).score(0.5))


def test_cocos_targets_are_51_from_100_to_1e_minus_8():
    assert (len(TARGETS), TARGETS[0], TARGETS[-1]) == (51, 100.0, pytest.approx(1e-8))
    assert {round(a / b, 9) for a, b in pairwise(TARGETS)} == {round(10**0.2, 9)}
    down = Baseline("p", "minimize", 110.0, 10.0, True, "log")
    assert [down.targets(v) for v in (1000, 110, 11, 10)] == [0, 1 / 51, 11 / 51, 1]


def test_scores_do_not_depend_on_who_else_is_compared(tmp_path):
    problems = [*hpo.suite("bbob-2d", functions=[1, 21], instances=[1]), _unknown()]
    noisy = hpo.problem("bbob-noisy-f107", dimension=2)

    def scored(*strategies):
        result = hpo.run(
            hpo.Experiment(
                "scores",
                problems=[*problems, noisy],
                strategies={name: hpo.Random(kind=name) for name in strategies},
                seeds=range(3),
                budget=hpo.Budget(evaluations=8),
            ),
            out=tmp_path / "-".join(strategies),
        )
        return result, result.scores()

    _, alone = scored("sobol")
    result, both = scored("sobol", "uniform")
    assert [own.problem for own in both] == [problems[0].name, problems[1].name, noisy.name]
    for one, other in zip(alone, both, strict=True):
        np.testing.assert_array_equal(one.values["sobol"], other.values["sobol"])
        assert set(other.values) == {"sobol", "uniform"}
    best = result.best(problems[0].name, strategy="sobol", seed=1).value
    assert both[0].values["sobol"][1] == both[0].baseline.score(best)
    table = scores_table(both, ["mine"])
    assert table.head == [
        "Strategy",
        "Mean score",
        "s.e.",
        "Worst",
        "Median",
        "Targets",
        "Problems",
    ]
    means = [own.values["sobol"].mean() for own in both]
    assert float(table.rows[0][1].text) == pytest.approx(np.mean(means), rel=1e-3)
    assert len(table.data) == 3 * 2 * 3
    assert "Without baselines, and left out: mine." in table.caption


def _unknown():
    return FunctionProblem(_sum, hpo.SearchSpace(x1=hpo.Float(0, 1)), name="mine")


def _sum(x1):
    return x1


def test_the_noise_free_value_counts_where_values_are_noisy(tmp_path):
    noisy = hpo.problem("bbob-noisy-f107", dimension=2)
    result = hpo.run(
        hpo.Experiment(
            "scores",
            problems=[noisy],
            strategies={"random": hpo.Random()},
            seeds=[0],
            budget=hpo.Budget(evaluations=6),
        ),
        out=tmp_path / "out",
    )
    ((name, run),) = result.runs.items()
    value = noisy.noise_free(run.best().config)
    (own,) = result.scores()
    assert own.values[name.strategy][0] == own.baseline.score(value)


def test_the_page_of_suites_is_what_the_suites_say():
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", ["bbob-mixint-5d", "classifiers", "models"])
def test_a_card_says_what_a_suite_is(name):
    done = CliRunner().invoke(app, ["suites", name])
    assert done.exit_code == 0
    for word in ("source", "licence", "budget", "noise", "optimum known", "baselines", "cite"):
        assert f"- **{word}**: " in done.stdout
    for problem in hpo.suite(name):
        assert f"| {problem.name} | " in done.stdout


def test_every_suite_is_listed():
    text = CliRunner().invoke(app, ["suites"]).stdout
    for name in NAMES:
        assert f"\n {name} " in text


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bbobs-5d", {}, "did you mean bbob-5d"),
        ("bbob-41d", {}, "dimension must be an integer from 2 to 40, got 41"),
        ("bbob-5d", {"dimension": 3}, "the name has the dimension; leave it out"),
        ("bbob-5d", {"instances": 3}, "instances must be a list of integers"),
        ("bbob-5d", {"instances": []}, "instances must be a list of integers"),
        ("bbob-5d", {"instances": [0]}, "instance must be an integer from 1 to"),
        ("bbob-5d", {"seeds": 3}, "no option seeds; it has dimension, instances, functions"),
        ("curve-tables", {"noise": 1}, "no option noise; it has none"),
        ("synthetic", {"noise": -1}, "noise must be a finite number >= 0"),
        ("hpobench", {"protocol": "both"}, "protocol must be one of mean, one seed"),
        ("hpobench-5d", {}, "did you mean hpobench"),
        (5, {}, "expected one of bbob-2d"),
    ],
)
def test_what_is_no_suite_is_refused(name, options, message):
    with pytest.raises(hpo.HpoError, match=message):
        hpo.suite(name, **options)


def test_noise_is_as_much_for_functions_of_any_scale():
    clean, noisy = hpo.suite("synthetic"), hpo.suite("synthetic", noise=0.1)
    starts = clean.baselines
    for own, one in zip(clean, noisy, strict=True):
        known = starts[own.name]
        assert one.sd == pytest.approx(0.1 * (known.start - known.best), rel=0.005)
        assert one.optimum == own.optimum
    assert "0.1 of the regret of a simple start" in noisy.source.noise
