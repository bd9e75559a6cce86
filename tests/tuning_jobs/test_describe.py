"""`hpo describe`, and documents of any form whatever."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning_jobs.examples import CONFIG, DEFINITION, DOCUMENTS, FILES, REQUEST, changed
from typer.testing import CliRunner

from hpo_research import sagemaker
from hpo_research.cli import app
from hpo_research.errors import DocumentError

SHOWN = {
    "bayesian": [
        "Bayesian, early stopping, 60 jobs, 4 at a time, 86,400 seconds, seed 7",
        "objective: Maximize val_accuracy",
        "reverse_log",
        "relu, gelu, silu",
        "dropout: ScalingType Auto is linear here",
    ],
    "grid": ["Grid, 24 jobs", "a seed to be drawn", "32, 64, 128, 256"],
    "hyperband": ["Hyperband, 150 jobs, 8 at a time, seed 0"],
    "random": ["3 to 12"],
    "request_with_warm_start": [
        "resnet-tune-round2: Bayesian, 20 jobs",
        "ignored: TrainingJobDefinition.RoleArn",
    ],
}


@pytest.mark.parametrize("name", FILES)
def test_a_document_is_described(name):
    done = CliRunner().invoke(app, ["describe", str(FILES[name])])
    assert done.exit_code == 0, done.output
    assert [text for text in SHOWN[name] if text not in done.output] == []


def test_a_wrong_document_is_refused_with_its_lines(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(changed("config", ("Strategy", "Best"), ("RandomSeed", -1))))
    done = CliRunner().invoke(app, ["describe", str(path)])
    assert done.exit_code == 1
    assert "Strategy = 'Best': must be" in done.stderr
    assert "RandomSeed = -1: must be an integer >= 0" in done.stderr


def test_a_warning_is_printed_and_refused_if_strict(tmp_path):
    path, beside = tmp_path / "job.json", tmp_path / "definition.json"
    path.write_text(json.dumps(changed("config", ("ResourceLimits.MaxParallelTrainingJobs", 11))))
    beside.write_text(json.dumps(DEFINITION))
    done = CliRunner().invoke(app, ["describe", str(path), str(beside)])
    assert done.exit_code == 0
    assert "MaxParallelTrainingJobs = 11: the quota is 10" in done.stderr
    assert CliRunner().invoke(app, ["describe", str(path), "--strict"]).exit_code == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else ()
    for name, inner in enumerate(value) if isinstance(value, list) else items:
        yield from paths(inner, (*at, name))


PLACES = [
    (base, tuple(map(str, path)))
    for base, document in (("config", CONFIG), ("request", REQUEST), *DOCUMENTS.items())
    for path in paths(document)
    if path
]


@pytest.mark.filterwarnings("ignore::hpo_research.errors.DocumentWarning")
@settings(max_examples=80, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_whatever_stands_in_a_document_it_loads_or_is_refused(place, value):
    base, path = place
    document = changed(base, (path, value))
    try:
        job = sagemaker.load(document)
    except DocumentError as error:
        assert str(error)
    else:
        assert job.strategy is not None


@settings(max_examples=30, deadline=None)
@given(JSON)
def test_whatever_a_document_is_it_is_refused(value):
    if isinstance(value, dict | list):
        with pytest.raises(DocumentError):
            sagemaker.load(value)
