"""IOHprofiler's format, against the files that ioh itself writes of the same evaluations."""

import json

import pytest
from handmade import histories, made

from hpo_research.analysis import export, iohprofiler
from hpo_research.errors import StoreError
from hpo_research.store import RunName
from tests.analysis import coco_data, ioh_data

KNOWN = json.loads(ioh_data.SAID.read_text(encoding="utf-8"))
OWN = ("suite", "function_id", "algorithm", "experiment_attributes")
"""What says who wrote it, or which number a function has."""


def read(texts):
    """The indices, without paths and what is a writer's own, and the data with numbers as such."""
    (index,) = (json.loads(text) for name, text in texts.items() if name.endswith(".json"))
    (scenario,) = index["scenarios"]
    lines = [line.split(" ") for line in texts[scenario.pop("path")].splitlines()]
    rows = [line if line[0] == "evaluations" else [float(x) for x in line] for line in lines]
    for run in scenario["runs"]:
        del run["best"]["x"]
    return {key: value for key, value in index.items() if key not in OWN}, rows


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_files_are_those_that_ioh_writes(direction, tmp_path):
    files = iohprofiler.write(ioh_data.result(direction), tmp_path)
    assert {path.suffix for path in files} == {".json", ".dat"}
    ours = ioh_data.texts(tmp_path / "fast")
    assert read(ours) == read(KNOWN[direction])
    assert [name.count("/") for name in ours] == [name.count("/") for name in KNOWN[direction]]


def test_distances_from_a_known_optimum_are_minimized_in_either_direction(tmp_path):
    run = {RunName("p", "a", 3): [(0, 1, 0.5), (1, 1, 0.75), (2, 1, 0.25)]}
    found = made(run, optimum=1.0, direction="maximize", max_epochs=1)
    iohprofiler.write(found, tmp_path)
    index, rows = read(ioh_data.texts(tmp_path / "a"))
    assert index["maximization"] is False
    assert rows[1:] == [[1, 0.5, 0.5], [2, 0.25, 0.25], [3, 0.75, 0.25]]
    assert index["scenarios"][0]["runs"] == [
        {"instance": 1, "evals": 3, "best": {"evals": 2, "y": 0.25}, "seed": 3}
    ]


def test_functions_of_coco_keep_their_numbers_and_instances(tmp_path):
    files = export.export(coco_data.result(), tmp_path, "iohprofiler")
    path = tmp_path / "iohprofiler" / "fast" / "IOHprofiler_f3_coco-f3.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    assert (index["function_id"], index["function_name"]) == (3, "coco-f3")
    (scenario,) = index["scenarios"]
    assert scenario["dimension"] == 5
    assert [run["instance"] for run in scenario["runs"]] == [2] * 4 + [5] * 4
    assert {path.suffix for path in files} == {
        ".json",
        ".dat",
    }  # a CSV is another format to readers


def test_what_has_no_place_is_said_and_nothing_at_all_is_refused(tmp_path):
    whole, cut = RunName("p", "a", 0), RunName("p", "a", 1)
    assert iohprofiler.left_out(made({whole: [(0, 1, 2.0)], cut: []})) == [
        "a on p, seed 1: it has no value"
    ]
    with pytest.raises(StoreError, match="none: a on p, seed 0: it is not finished"):
        iohprofiler.write(made({whole: [(0, 1, 2.0)]}, over=False), tmp_path)


def test_folders_of_alike_strategies_and_names_of_problems_stay_apart(tmp_path):
    files = iohprofiler.write(made(histories(("p/q", "p q"), ("a/b", "a b"))), tmp_path)
    indices = {p.relative_to(tmp_path).as_posix() for p in files if p.suffix == ".json"}
    assert indices == {
        f"{folder}/IOHprofiler_f{number}_p-q.json"
        for folder in ("a-b", "a-b-2")
        for number in (1, 2)
    }
