"""Lists as callers give them: every door that takes one takes the same, and refuses the rest."""

from collections.abc import Callable
from fractions import Fraction
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
import torch
from doubles import Walk

import hpo_research as hpo
from hpo_research.analysis.arguments import chosen
from hpo_research.errors import StoreError
from hpo_research.lists import LONGEST, items


def experiment(**changes: object) -> hpo.Experiment:
    given = {"problems": [Walk()], "seeds": [0], "budget": hpo.Budget(evaluations=1)}
    return hpo.Experiment(name="e", strategies={"random": hpo.Random()}, **{**given, **changes})


DOORS: dict[str, Callable[[object], object]] = {
    "items": lambda values: items(values, "values", StoreError),
    "seeds": lambda values: experiment(seeds=values),
    "problems": lambda values: experiment(problems=values),
    "Categorical": hpo.Categorical,
    "Grid": lambda values: hpo.Grid({"x": values}),
    "strategies": lambda values: chosen(values, ["a"]),
}
WRONG = {
    "endless": range(10**12),
    "beyond C": range(10**30),
    "one too many": range(LONGEST + 1),
    "string": "abc",
    "bytes": b"abc",
    "generator": (i for i in range(3)),
    "mapping": {"a": 1},
    "masked": np.ma.masked,
    "array without dimensions": np.array(2.5),
    "tensor without dimensions": torch.tensor(0.5),
    "missing": pd.NA,
    "mock": MagicMock(),
    "class": list,
}


@pytest.mark.parametrize("values", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_what_is_no_list_is_refused_at_once(door: Callable[[object], object], values: object):
    with pytest.raises(hpo.HpoError, match="must be a list"):
        door(values)


@pytest.mark.parametrize(
    "values",
    [[3, 4], (3, 4), range(3, 5), np.array([3, 4]), torch.tensor([3, 4]), pd.Series([3, 4])],
    ids=lambda values: type(values).__name__,
)
def test_a_list_of_any_type_has_its_items(values: object):
    assert items(values, "values", StoreError) == [3, 4]
    assert hpo.Categorical([int(v) for v in values]).values == (3, 4)


def test_a_set_of_strategies_is_taken_for_it_needs_no_order():
    assert sorted(chosen({"a", "b"}, ["a", "b", "c"])) == ["a", "b"]


@pytest.mark.parametrize("format", [pd.NA, np.zeros((2, 2)), pd.Series([0.5]), ["csv"], None])
def test_a_format_that_is_no_word_is_refused(tmp_path, format: object):
    from hpo_research.analysis.export import export

    with (
        hpo.Study(hpo.SearchSpace(x=hpo.Float(0, 1)), hpo.Random()) as study,
        pytest.raises(StoreError, match=r"(?s)format=.*: format must be one of csv, parquet"),
    ):
        export(hpo.Result.of(study._store), tmp_path, format)


@pytest.mark.parametrize("parallel", [10**15, 2**53 + 1, 1_000_001, 0, True, 2.5])
def test_more_trials_at_once_than_can_be_are_refused(parallel: object):
    with pytest.raises(hpo.HpoError, match="parallel must be an integer from 1 to 1,000,000"):
        experiment(parallel=parallel)


def test_curves_take_numbers_of_any_type_and_refuse_a_base_without_a_name():
    assert hpo.problem("curves", agreement=Fraction(1, 3)).name == "curves(agreement=0.333333)"
    with pytest.raises(hpo.HpoError, match="name"):
        hpo.problem("curves", base=MagicMock())
