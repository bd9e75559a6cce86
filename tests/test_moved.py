"""Old paths go on to work: each name imports, warns of the new one, and is the same object."""

import importlib
import pickle

import pytest

import hpo_research as hpo
from hpo_research import moved
from hpo_research.analysis.rebuild import strategy_of
from hpo_research.experiment.description import describe

# Written by hand: what programs for version 0.1.0 import, and by which paths stores know classes.
WRITTEN = {
    "acquisition": ["Found", "GPSurface", "MixedSurface", "PathSurface", "Rescored", "Surface"],
    "acquisition.surface": ["GPSurface", "Surface", "Screen"],
    "analysis.curves": ["Band", "Curve", "LEAST_SEEDS", "at", "band", "curve", "regret"],
    "device": ["Place"],
    "executors.batches": ["Batches", "Simulated"],
    "executors.workers": ["Workers"],
    "gp": ["CurveFit", "Curves", "condition_curves", "fit_curves"],
    "gp.curves": ["CurveHyperparameters", "Curves"],
    "gp.curve_fit": ["CurvePriors", "curve_evidence", "fit_curves"],
    "gp.curve_posterior": ["CurvePosterior"],
    "gp.dressed": ["Dressed"],
    "ledger": ["Open"],
    "problems.synthetic": ["Analytic", "in_step"],
    "strategies.encoding": ["Encoding"],
    "strategies.recommend": ["recommended"],
    "strategies.surrogate": ["Surrogate", "surrogate"],
    "tables.tested": ["Row"],
    "training": ["Result"],
}
STORED = {
    "strategies.asha": ["ASHA", "AsynchronousHyperband"],
    "strategies.bayesian": ["Bayesian"],
    "strategies.curve_stopping": ["CurveStopping"],
    "strategies.early_discarding": ["EarlyDiscarding"],
    "strategies.freeze_thaw": ["FreezeThaw"],
    "strategies.grid": ["Grid"],
    "strategies.hyperband": ["Hyperband"],
    "strategies.median_stopping": ["MedianStopping"],
    "strategies.model_hyperband": ["ModelHyperband"],
    "strategies.random": ["Random"],
    "strategies.successive_halving": ["SuccessiveHalving"],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(module, name) for module, names in table.items() for name in names]


@pytest.mark.parametrize(("module", "name"), pairs(WRITTEN))
def test_an_old_name_is_the_new_one_and_says_so(module, name):
    old = f"hpo_research.{module}.{name}"
    new = moved.current_path(old)
    home, _, last = new.rpartition(".")
    assert new != old
    with pytest.warns(DeprecationWarning, match=f"{old} is {new} now"):
        found = getattr(importlib.import_module(f"hpo_research.{module}"), name)
    assert found is getattr(importlib.import_module(home), last)


@pytest.mark.parametrize("old", [*moved.NAMES, *(f"{old}.__name__" for old in moved.MODULES)])
def test_no_line_of_the_table_leads_nowhere(old):
    module, _, name = old.rpartition(".")
    if name == "__name__":
        importlib.import_module(f"hpo_research.{moved.MODULES[module]}")
        assert not module.startswith(tuple(moved.MODULES.values()))
        return
    with pytest.warns(DeprecationWarning):
        assert getattr(importlib.import_module(f"hpo_research.{module}"), name) is not None


def test_the_warning_points_at_the_line_that_uses_the_old_name():
    code = "\nfrom hpo_research.executors.batches import Batches"
    with pytest.warns(DeprecationWarning, match="executors.batches.Batches is") as warned:
        exec(compile(code, "theirs.py", "exec"), {})
    assert [(found.filename, found.lineno) for found in warned] == [("theirs.py", 2)]


def test_a_name_that_never_was_is_none_of_an_old_module():
    old = importlib.import_module("hpo_research.executors.batches")
    with pytest.raises(AttributeError, match="no attribute 'Never'"):
        _ = old.Never
    with pytest.raises(AttributeError, match="no attribute 'Never'"):
        _ = hpo.device.Never
    with pytest.raises(ImportError):
        importlib.import_module("hpo_research.executors.never")


def test_what_was_pickled_by_an_old_path_is_loaded():
    with pytest.warns(DeprecationWarning, match="strategies.halving.hyperband.Hyperband"):
        assert pickle.loads(b"chpo_research.strategies.hyperband\nHyperband\n.") is hpo.Hyperband


@pytest.mark.parametrize(("module", "name"), pairs(STORED))
def test_a_store_knows_a_strategy_by_its_first_path(module, name):
    kind = getattr(hpo, name)
    inner = {"inner": hpo.Random()} if name in ("MedianStopping", "CurveStopping") else {}
    strategy = kind(**inner)
    described = describe(strategy, "strategy")
    assert described["class"] == f"hpo_research.{module}.{name}"
    assert strategy_of(described) == strategy


def test_paths_of_others_stay():
    for path in ("mine.strategies.hyperband.Mine", "hpo_research.strategies.halving.asha.ASHA"):
        assert moved.current_path(path) == path
    for path in ("mine.Hyperband", "strategies.halving.hyperband.Hyperband", "builtins.dict"):
        assert moved.first_path(path) == path
