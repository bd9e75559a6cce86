"""COCO's format and running times, against what cocopp says of the files that are written."""

import json

import numpy as np
import pandas as pd
import pytest
from handmade import histories, made

from hpo_research.analysis import coco, export
from hpo_research.analysis.running_times import COCO_TARGETS, running_times
from hpo_research.errors import StoreError
from hpo_research.store import RunName
from tests.analysis.coco_data import SAID, SCALES, digest, result

KNOWN = json.loads(SAID.read_text(encoding="utf-8"))
FUNCTION = {"sphere": [1], "rastrigin": [3], "rastrigin again": [3]}


def said(function, strategy):
    """What cocopp said: a row an instance, NaN for what was not reached."""
    (own,) = (d for d in KNOWN["data"] if (d["function"], d["strategy"]) == (function, strategy))
    times = np.array(own["times"], dtype=float)
    ert = np.array([np.inf if e is None else e for e in own["ert"]])
    return np.where(np.isnan(times), np.inf, times), ert


def test_the_files_are_those_that_cocopp_has_read(tmp_path):
    files = coco.write(result(), tmp_path)
    assert digest(files, tmp_path) == KNOWN["digest"]
    assert KNOWN["cocopp"].startswith("2.9")
    np.testing.assert_array_equal(KNOWN["targets"], COCO_TARGETS)


@pytest.mark.parametrize("strategy", SCALES)
def test_running_times_and_their_expectation_are_those_of_cocopp(strategy):
    own = {o.problem: o for o in running_times(result())}
    i = list(SCALES).index(strategy)
    assert {o.rule for o in own.values()} == {"COCO"}
    times, ert = said(1, strategy)
    np.testing.assert_array_equal(own["sphere"].times[i], times)
    np.testing.assert_array_equal(own["sphere"].expected[i], ert)
    # cocopp has both instances of a function in one data set.
    times, ert = said(3, strategy)
    both = [own["rastrigin"].times[i], own["rastrigin again"].times[i]]
    np.testing.assert_array_equal(np.concatenate(both), times)
    assert np.isinf(times).any()
    if strategy != "stuck":
        assert np.isfinite(ert).sum() > 10


def test_each_run_is_an_instance_of_its_own_and_a_file_says_which(tmp_path):
    coco.write(result(), tmp_path)
    rows = pd.read_csv(tmp_path / "fast" / "runs.csv")
    assert not rows.duplicated(["function", "dimension", "instance"]).any()
    own = rows[rows.function == 3]
    assert own.instance.tolist() == list(range(1, 9))
    assert own.problem.tolist() == ["rastrigin"] * 4 + ["rastrigin again"] * 4


def test_what_has_no_place_is_said_and_nothing_at_all_is_refused(tmp_path):
    whole, cut = RunName("p", "a", 0), RunName("p", "a", 1)
    found = made({whole: [(0, 1, 2.0)], cut: []}, optimum=1.0)
    assert coco.left_out(found) == ["a on p, seed 1: it has no value"]
    assert len(coco.write(found, tmp_path)) == 4
    with pytest.raises(StoreError, match="holds distances from a known optimum, and no finished"):
        coco.write(made(histories()), tmp_path)
    running = made({whole: [(0, 1, 2.0)]}, optimum=1.0, over=False)
    with pytest.raises(StoreError, match="a on p, seed 0: it is not finished"):
        coco.write(running, tmp_path)


def test_other_problems_are_numbered_and_epochs_counted(tmp_path):
    found = made(histories(("p", "q"), ("a/b", "a b")), optimum=0.0)
    files = export.export(found, tmp_path, "coco")
    folders = {path.relative_to(tmp_path / "coco").parts[0] for path in files}
    assert folders == {"a-b", "a-b-2"}
    text = (tmp_path / "coco" / "a-b" / "bbobexp_f2.info").read_text(encoding="utf-8")
    assert "funcId = 2, DIM = 1," in text
    assert "1:20|" in text
