"""Requests that the Python SDKs send, as recorded beside these tests."""

import json
import warnings
from pathlib import Path

import pytest

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.errors import DocumentError

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
}


@pytest.mark.parametrize(("sdk", "name"), sorted(SENT.keys() - REFUSED.keys()))
def test_what_the_sdk_sends_loads_without_a_warning(sdk, name):
    request = SENT[sdk, name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = sagemaker.load(request)
    assert job.document() == request
    assert (job.jobs, job.parallel) == (20, 2)


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
