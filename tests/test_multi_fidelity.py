"""Other people's multi-fidelity searches: their tables, the protocol, the record, the page."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import hpo_research as hpo
from benchmarks.multi_fidelity import record, table
from benchmarks.multi_fidelity.__main__ import NAMES, RIVALS
from benchmarks.multi_fidelity.record import Line, Record, lines, read
from benchmarks.multi_fidelity.snapped import Snapped, nearest
from benchmarks.multi_fidelity.told import CHILDREN, Child, Told, _Told
from hpo_research.errors import StoreError, StrategyError
from hpo_research.problems.tabulated import Tabulated
from hpo_research.space import Categorical, SearchSpace

TABLE = Tabulated("digits-mlp")

CHILD = """
import json, random, sys
sys.path.insert(0, {children!r})
from exchange import serve

class Doubling:
    def __init__(self, axes, seed, epochs):
        self.axes, self.count, self.paused, self.log = axes, 0, [], open({log!r}, "a")
    def ask(self):
        if self.paused:
            trial, reached = self.paused.pop()
            return {{"trial": trial, "point": [], "until": 2 * reached}}
        self.count += 1
        point = [random.randrange(a["size"]) if "size" in a else random.random() for a in self.axes]
        print("this is no answer")
        return {{"trial": self.count - 1, "point": point, "until": 1}}
    def tell(self, trial, epochs, losses):
        self.log.write(json.dumps([trial, epochs, losses]) + "\\n")
        self.log.flush()
        if losses[-1] is not None and trial % 2 == 0 and epochs[-1] < 4:
            self.paused.append((trial, epochs[-1]))

serve(Doubling, {{"doubling": "1.0"}})
"""


def searched(problem, child, folder):
    strategies, budget = {"told": Told("told", child)}, hpo.Budget(evaluations=1)
    experiment = hpo.Experiment("m", [problem], strategies, [0], budget, parallel=2)
    return hpo.run(experiment, out=folder / "results", device="cpu")


# --- a table as a function on the box ---


def test_a_point_stands_for_the_nearest_recorded_configuration():
    recorded = TABLE.recorded
    space = SearchSpace(recorded.space.parameters)
    cube = np.random.default_rng(0).random((20, space.dimension))
    points = space.decode(cube)
    rows = space.encode(list(recorded.configurations))
    choices = [
        name
        for name, parameter in space.parameters.items()
        if isinstance(parameter, Categorical) and not parameter.ordered
    ]
    numbers = [i for i, name in enumerate(space.parameters) if name not in choices]
    for point, found in zip(points, nearest(recorded, points), strict=True):
        own = space.encode([point])[0]
        distances = [
            ((row - own)[numbers] ** 2).sum() + sum(config[name] != point[name] for name in choices)
            for row, config in zip(rows, recorded.configurations, strict=True)
        ]
        assert found == recorded.configurations[int(np.argmin(distances))]


def test_a_recorded_configuration_is_the_nearest_to_itself():
    some = TABLE.recorded.configurations[:50]
    assert nearest(TABLE.recorded, some) == list(some)


# --- the protocol ---


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("child")
    script, log = folder / "doubling.py", folder / "log"
    script.write_text(CHILD.format(children=str(CHILDREN), log=str(log)))
    with Child(Path(sys.executable), script) as child:
        result = searched(Snapped(TABLE), child, folder)
        versions = child.versions
    return result, [json.loads(row) for row in log.read_text().splitlines()], versions


def test_a_child_is_told_every_loss_once_and_only_new_epochs_are_trained(told):
    result, said, _ = told
    (history,) = result.histories.values()
    by_trial: dict[int, list] = {}
    for trial, epochs, losses in said:
        by_trial.setdefault(trial, []).extend(zip(epochs, losses, strict=True))
    for trial, pairs in by_trial.items():
        own = history.run.trials[trial]
        known = [(e, v) for e, v in pairs if v is not None]
        assert known == list(zip(own.epochs, own.values, strict=True))[: len(known)]
    assert any(len(pairs) == 4 for pairs in by_trial.values())
    assert len(history.reports) <= 27 == history.cost.epochs


def test_in_a_list_a_point_is_the_nearest_configuration_that_is_left():
    recorded = TABLE.recorded
    known = _Told(recorded.space)
    point = [0.3, 0.5, 0.7, 1, 0.2, 0.9, 2, 0]
    first, second = (known._config(point) for _ in range(2))
    (box,) = nearest(recorded, [_Told(SearchSpace(recorded.space.parameters))._config(point)])
    assert first == box
    assert second != first


def test_what_a_child_prints_is_no_answer_and_its_versions_are_known(told):
    assert told[2] == {"doubling": "1.0"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise SystemExit(3)", "ended with 3 when it was to begin"),
        (
            "serve(lambda a, s, e: type('S', (), {'ask': lambda s: None})(), {})",
            "asked for nothing",
        ),
        (
            "serve(lambda a, s, e: type('S', (), {'ask': lambda s: "
            "{'trial': 5, 'point': [], 'until': 1}})(), {})",
            "expected a new trial 0, got 5",
        ),
    ],
    ids=["ended", "nothing", "a wrong number"],
)
def test_a_child_that_does_not_answer_is_an_error(tmp_path, body, message):
    script = tmp_path / "wrong.py"
    start = f"import sys\nsys.path.insert(0, {str(CHILDREN)!r})\nfrom exchange import serve\n"
    script.write_text(start + body)
    run = hpo.Run(SearchSpace(TABLE.space.parameters), max_epochs=27)
    with Child(Path(sys.executable), script) as child, pytest.raises(StrategyError, match=message):
        child.asked(run, 1)


# --- the record and the page ---


def test_a_line_has_what_was_reported_and_what_a_run_stood_for(told):
    result, _, _ = told
    (line,) = lines(result, "digits-mlp-table-snapped", "told")
    (history,) = result.histories.values()
    values = [value for trial in history.run.trials for value in trial.values]
    assert line.reported[-1] == pytest.approx(min(values), rel=1e-6)
    assert line.observed == line.recommended  # it has no model
    best = history.run.best()
    (at,) = (r for r, _, _ in history.reports if (r.trial, r.epoch) == (best.id, best.reached))
    assert line.observed[-1] == pytest.approx(at.metrics["noise_free"], rel=1e-6)
    assert line.trials == len(history.run.trials)


def line(strategy: str, seed: int, losses: tuple[float, ...]) -> Line:
    return Line("digits-mlp-table-snapped", strategy, seed, losses, losses, losses, 9)


def test_runs_are_read_back_and_no_other_line_is_one(tmp_path):
    own = [line("a", seed, (0.4, 0.3, 0.2, 0.1)) for seed in (0, 1)]
    Record("a", tmp_path).append(own, {"x": "1"})
    assert read("a", tmp_path) == {one.key: one for one in own}
    assert Record("a", tmp_path).lines.keys() == {one.key for one in own}
    with pytest.raises(StoreError, match="no record 'b'; there are a"):
        read("b", tmp_path)
    (tmp_path / "b.jsonl").write_text('{"problem": "x"}\n')
    with pytest.raises(StoreError, match="must hold one run"):
        read("b", tmp_path)


def test_the_page_has_medians_and_ranks_over_the_seeds_that_all_have(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    monkeypatch.setattr(table, "read", lambda name: read(name, tmp_path))
    optimum = TABLE.optimum
    for name, losses in {"a": (1.0, 3.0, 2.0), "b": (2.0, 2.0)}.items():
        own = [line(name, i, (optimum + x,) * 4) for i, x in enumerate(losses)]
        Record(name, tmp_path).append(own, {})
    text = table.page(["a", "b", "c"], ["digits-mlp"])
    assert "`digits-mlp-table-snapped`: 2 searches, 2 paired seeds" in text
    quarters = " | ".join(["2.0000"] * 4)
    assert text.count(f"| a | {quarters} | 1.50, 1.50, 1.50, 1.50 |") == 2
    assert "| a | 1.0000 | 1.0000 |" in text  # reported: from the best of any run
    with pytest.raises(StoreError, match="none of c is recorded"):
        table.page(["c"], ["digits-mlp"])


@pytest.mark.parametrize("path", sorted(record.FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_record_is_of_a_known_search_and_says_what_it_was_made_with(path):
    assert path.stem in NAMES
    made = [json.loads(row) for row in path.read_text().splitlines()]
    for entry in made:
        if "made_with" in entry and path.stem.removesuffix("-listed") in RIVALS:
            assert entry["made_with"]["rival"]
    assert {one.strategy for one in read(path.stem).values()} == {path.stem}
