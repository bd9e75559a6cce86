"""Parents of a warm start: found in a folder of jobs, and held against the new one."""

import json
import shutil
from pathlib import Path

import pytest
from tuning_jobs.examples import CONFIG, DEFINITION, GONE, SEVERAL, changed

from hpo_research import sagemaker
from hpo_research.errors import DocumentError, DocumentWarning

STORES = Path(__file__).parents[1] / "stores" / "schema2"
STATIC = "TrainingJobDefinition.StaticHyperParameters"
RANGES = "HyperParameterTuningJobConfig.ParameterRanges"
WARM = {
    "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "Parent"}],
    "WarmStartType": "TransferLearning",
}
AT = "WarmStartConfig.ParentHyperParameterTuningJobs[0].HyperParameterTuningJobName = 'Parent': "
NUMBERS = {f"n{i}": str(i) for i in range(11)}
TEXTS = {f"t{i}": "red" for i in range(6)}


def child(*changes):
    return changed("request", ("WarmStartConfig", WARM), *changes)


def grown(root, document, store="finished"):
    """Put a parent's folder into a folder of jobs."""
    home = root / "parent"
    home.mkdir()
    (home / "job.json").write_text(json.dumps(document))
    if store:
        shutil.copytree(STORES / store, home, dirs_exist_ok=True)
    return root


PARENTS = {
    "another objective": (
        [
            ("HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.MetricName", "acc"),
            ("TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions.0.Name", "acc"),
        ],
        [],
        "has the objective acc, this job loss; a warm start keeps the objective metric",
    ),
    "another set of names": (
        [(f"{STATIC}.momentum", GONE), (f"{STATIC}.decay", "0")],
        [],
        "The set of tunable plus static HyperParameter names is not the same across current and "
        "parent tuning jobs; add decay and drop momentum",
    ),
    "another kind": (
        [
            (
                RANGES,
                {
                    **CONFIG["ParameterRanges"],
                    "IntegerParameterRanges": [],
                    "ContinuousParameterRanges": [
                        {"Name": n, "MinValue": "1", "MaxValue": "2"} for n in ("depth", "lr")
                    ],
                },
            )
        ],
        [],
        "has depth as continuous, this job as integer; "
        "a warm start keeps the kind of a hyperparameter",
    ),
    "eleven numbers": (
        [(STATIC, NUMBERS)],
        [(STATIC, {name: "99" for name in NUMBERS})],
        "differs by 11 changes of static hyperparameters, at most 10; "
        "keep more of its values, or search them",
    ),
    "six texts": (
        [(STATIC, TEXTS)],
        [(STATIC, dict.fromkeys(TEXTS, "blue"))],
        "differs by 12 changes of static hyperparameters, at most 10; "
        "keep more of its values, or search them",
    ),
    "a category of eleven": (
        [(f"{RANGES}.CategoricalParameterRanges.0.Values", [str(i) for i in range(11)])],
        [(f"{RANGES}.CategoricalParameterRanges", []), (f"{STATIC}.kind", "0")],
        "differs by 11 changes of static hyperparameters, at most 10; "
        "keep more of its values, or search them",
    ),
}


@pytest.mark.parametrize("case", PARENTS)
def test_a_parent_that_does_not_suit_is_refused(case, tmp_path):
    theirs, ours, line = PARENTS[case]
    root = grown(tmp_path, changed("request", *theirs))
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(child(*ours), root=root)
    assert str(caught.value) == AT + line


SUITABLE = {
    "the same": ([], []),
    "other ranges": ([], [(f"{RANGES}.ContinuousParameterRanges.0.MaxValue", "5")]),
    "what was searched is static": (
        [],
        [
            (f"{RANGES}.ContinuousParameterRanges", []),
            (f"{STATIC}.lr", "0.1"),
            ("HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs", 16),
        ],
    ),
    "what was static is searched": (
        [
            (f"{RANGES}.ContinuousParameterRanges", []),
            (f"{STATIC}.lr", "0.1"),
            ("HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs", 16),
        ],
        [],
    ),
    "ten numbers and what the SDK writes": (
        [(STATIC, {**NUMBERS, "sagemaker_job_name": "a", "_tuning_objective_metric": "loss"})],
        [(STATIC, {**dict.fromkeys(NUMBERS, "99"), "n10": "10", "sagemaker_program": "b"})],
    ),
}


@pytest.mark.parametrize("case", SUITABLE)
def test_a_parent_that_suits_is_taken(case, tmp_path):
    theirs, ours = SUITABLE[case]
    job = sagemaker.load(child(*ours), root=grown(tmp_path, changed("request", *theirs)))
    assert job.warnings == ()


@pytest.mark.parametrize("store", [None, "killed"])
def test_a_parent_that_is_not_over_is_refused(store, tmp_path):
    root = grown(tmp_path, changed("request"), store)
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(child(), root=root)
    assert str(caught.value) == (
        AT + "is not over: a parent is Completed, Stopped or Failed; wait for it, or stop it"
    )


def test_a_parent_with_several_definitions_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="has several definitions, and a warm start takes one"):
        sagemaker.load(child(), root=grown(tmp_path, SEVERAL))


def test_a_parent_whose_document_is_wrong_is_refused_in_words_of_its_own(tmp_path):
    root = grown(tmp_path, changed("request", ("HyperParameterTuningJobName", GONE)))
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(child(), root=root)
    assert str(caught.value) == (
        f"{AT}has a document, {root / 'parent' / 'job.json'}, that breaks rules itself: "
        "HyperParameterTuningJobName is absent: CreateHyperParameterTuningJobRequest requires it; "
        "add it; correct it, or name another parent"
    )


def test_a_parent_that_is_a_pair_is_found(tmp_path):
    root = grown(tmp_path, CONFIG)
    (root / "parent" / "definition.json").write_text(json.dumps(DEFINITION))
    assert sagemaker.load(child(), root=root).warnings == ()


def test_a_parent_that_is_not_there_is_a_warning(tmp_path):
    with pytest.warns(DocumentWarning, match="is no job in .*its results are not known here"):
        sagemaker.load(child(), root=tmp_path)
    with pytest.raises(DocumentError, match="is no job in"):
        sagemaker.load(child(), root=tmp_path, strict=True)
    assert any("root" in note for note in sagemaker.load(child()).notes)
