"""Requests that the Python SDKs send, as recorded beside these tests."""

import json
import warnings
from pathlib import Path

import pytest

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.errors import DocumentError, DocumentWarning

SENT = {
    (path.stem, name): request
    for path in sorted((Path(__file__).parent / "sent").glob("*.json"))
    for name, request in json.loads(path.read_text())["requests"].items()
}
REFUSED = {
    # SDK 2 sends null for the number of jobs of a grid, which botocore refuses as well.
    (
        "sdk2",
        "grid",
    ): "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs = null: "
    "null is no value of any field; leave the field out",
    # SDK 3 sends whatever it is given.
    ("sdk3", "crossed"): "HyperParameterTuningJobConfig.ParameterRanges."
    "ContinuousParameterRanges[0].MaxValue = '0.001': must be at least MinValue, 0.1; "
    "swap the bounds",
    ("sdk3", "unknown strategy"): "HyperParameterTuningJobConfig.Strategy = 'Annealing': must be "
    "'Bayesian', 'Random', 'Hyperband' or 'Grid'; choose one of them",
}
TUPLE = ("sdk3", "tuple")
GRIDS = {("sdk3", "grid"): 2}  # nobody says how many jobs a grid has


@pytest.mark.parametrize(("sdk", "name"), sorted(SENT.keys() - REFUSED.keys() - {TUPLE}))
def test_what_the_sdk_sends_loads_without_a_warning(sdk, name):
    request = SENT[sdk, name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = sagemaker.load(request)
    assert job.document() == request
    assert (job.jobs, job.parallel) == (GRIDS.get((sdk, name), 20), 2)


@pytest.mark.parametrize(("sdk", "name"), REFUSED)
def test_what_the_sdk_sends_wrongly_is_refused_with_the_line_that_helps(sdk, name):
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(SENT[sdk, name])
    assert str(caught.value) == REFUSED[sdk, name]


def test_a_request_of_the_sdk_becomes_a_search():
    job = sagemaker.load(SENT["sdk2", "bayesian"])
    assert job.strategy == hpo.MedianStopping(hpo.Bayesian(), kind="sagemaker")
    assert job.seed == 0
    assert job.space == hpo.SearchSpace(
        n=hpo.Integer(2, 9, "auto"),
        lr=hpo.Float(1e-5, 0.1, "log"),
        k=hpo.Categorical(("a", "b")),
    )


def test_a_tuple_of_categories_is_one_category_to_sdk_3():
    with pytest.warns(DocumentWarning, match="looks like a sequence of Python's: give the SDK a"):
        job = sagemaker.load(SENT[TUPLE])
    assert job.space == hpo.SearchSpace(k=hpo.Categorical(("('a', 'b')",)))


def test_sdk_3_sends_ranges_as_python_prints_them_and_never_the_seed_0():
    job = sagemaker.load(SENT["sdk3", "bayesian"])
    assert job.space.parameters["lr"] == hpo.Float(1e-5, 0.1, "log")
    assert job.seed == 7
    assert sagemaker.load(SENT["sdk3", "seed 0"]).seed is None
