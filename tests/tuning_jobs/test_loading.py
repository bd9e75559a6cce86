"""What a document becomes: the space, the strategy, the limits; and what is only a warning."""

import copy
import enum
import json
import subprocess
import sys
import time
import warnings
from decimal import Decimal

import numpy as np
import pytest
from tuning_jobs.examples import BASES, CONFIG, DEFINITION, DOCUMENTS, FILES, GONE, changed

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.errors import DocumentError, DocumentWarning

FORMS = {
    "bayesian": (hpo.Completion, 60, 4, 86400, 7, "val_accuracy", "maximize"),
    "grid": (hpo.Grid, 24, 4, 43200, None, "val_f1", "maximize"),
    "hyperband": (hpo.ASHA, 150, 8, None, 0, "val_loss", "minimize"),
    "random": (hpo.Completion, 200, 10, None, 20240607, "validation:rmse", "minimize"),
    "request_with_warm_start": (hpo.Bayesian, 20, 2, None, None, "val_accuracy", "maximize"),
}
HYPERBAND = {"ResourceLimits.MaxParallelTrainingJobs": 1}


def quiet(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sagemaker.load(*arguments)


@pytest.mark.parametrize("name", FILES)
def test_the_five_documents_load_without_a_warning(name):
    job = quiet(FILES[name])
    strategy, jobs, parallel, seconds, seed, metric, direction = FORMS[name]
    assert isinstance(job.strategy, strategy)
    assert (job.jobs, job.parallel, job.seconds, job.seed) == (jobs, parallel, seconds, seed)
    assert (job.metric, job.direction) == (metric, direction)
    assert job.budget == hpo.Budget(trials=jobs)


@pytest.mark.parametrize("base", BASES)
def test_the_document_is_what_came_in_and_loads_again(base):
    job = sagemaker.load(BASES[base])
    assert job.document() == BASES[base]
    assert sagemaker.load(job.document()) == job
    job.document().clear()
    assert job.document() == BASES[base]


def test_a_document_is_held_apart_from_the_callers():
    document = copy.deepcopy(CONFIG)
    job = sagemaker.load(document)
    document["ParameterRanges"]["ContinuousParameterRanges"][0]["MaxValue"] = "9"
    assert job.document() == CONFIG
    assert job.space.parameters["lr"] == hpo.Float(0.001, 0.1, "auto")


def test_ranges_become_a_space_on_their_scales():
    assert sagemaker.load(DOCUMENTS["bayesian"]).space == hpo.SearchSpace(
        hidden_units=hpo.Integer(32, 1024, "log"),
        learning_rate=hpo.Float(1e-5, 0.1, "log"),
        momentum=hpo.Float(0.5, 0.999, "reverse_log"),
        dropout=hpo.Float(0, 0.6, "auto"),
        activation=hpo.Categorical(("relu", "gelu", "silu")),
    )


def test_strategies_are_ours():
    hyperband = sagemaker.load(DOCUMENTS["hyperband"])
    assert hyperband.strategy == hpo.ASHA(kind="stop", rule="syne-tune", eta=3, min_epochs=2)
    assert hyperband.max_resource == 81
    random = sagemaker.load(DOCUMENTS["random"])
    stopping = hpo.MedianStopping(hpo.Random(), kind="sagemaker")
    assert random.strategy == hpo.Completion(stopping, target=0.118)
    assert sagemaker.load(DOCUMENTS["bayesian"]).strategy == hpo.Completion(
        hpo.MedianStopping(hpo.Bayesian()), target=0.965, not_improving=15, convergence=0.01
    )
    assert sagemaker.load(DOCUMENTS["grid"]).strategy == hpo.Grid()


@pytest.mark.parametrize("text", ["30", '"30"'])
def test_the_largest_resource_is_read_from_the_statics(text):
    changes = [
        ("HyperParameterTuningJobConfig.Strategy", "Hyperband"),
        ("TrainingJobDefinition.StaticHyperParameters", {"n_epochs": "9", "numepochs": text}),
    ]
    job = sagemaker.load(changed("request", *changes))
    assert job.max_resource == 30
    assert job.strategy.min_epochs == 1
    assert "MaxResource is 30, from the static hyperparameter numepochs" in job.notes


def test_a_grid_counts_its_jobs_and_others_may_be_ended_otherwise():
    no_total = ("ResourceLimits.MaxNumberOfTrainingJobs", GONE)
    assert sagemaker.load(changed("grid", no_total)).jobs == 24
    job = sagemaker.load(changed("config", no_total, ("ResourceLimits.MaxRuntimeInSeconds", 600)))
    assert (job.jobs, job.budget) == (None, hpo.Budget(seconds=15_768_000))


PAIRS = {
    "one": DEFINITION,
    "a list": [
        {
            **DEFINITION,
            "DefinitionName": "one",
            "TuningObjective": CONFIG["HyperParameterTuningJobObjective"],
            "HyperParameterRanges": CONFIG["ParameterRanges"],
        }
    ],
}


@pytest.mark.parametrize("form", PAIRS)
def test_the_pair_of_the_command_line_loads(form, tmp_path):
    config = dict(CONFIG)
    if form == "a list":
        del config["HyperParameterTuningJobObjective"], config["ParameterRanges"]
    paths = tmp_path / "config.json", tmp_path / "definition.json"
    for path, document in zip(paths, (config, PAIRS[form]), strict=True):
        path.write_text(json.dumps(document), encoding="utf-8-sig")
    job = quiet(*paths)
    assert (job.document(), job.definition()) == (config, PAIRS[form])
    assert job == sagemaker.load(str(paths[0]), PAIRS[form])
    assert job.space == sagemaker.load(CONFIG).space
    assert job.statics == DEFINITION["StaticHyperParameters"]
    assert job.name is None


def test_mistakes_of_a_pair_have_the_paths_of_their_own_files():
    wrong = {**DEFINITION, "RoleArn": None}
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(changed("config", ("Strategy", "Best")), wrong)
    assert [line.partition(" =")[0] for line in str(caught.value).splitlines()] == [
        "TrainingJobDefinition.RoleArn",
        "Strategy",
    ]


PROSE = [
    ("config", "TrainingJobEarlyStoppingType", "AUTO", "Auto"),
    ("config", "Strategy", "RANDOM", "Random"),
    ("config", "HyperParameterTuningJobObjective.Type", "MINIMIZE", "Minimize"),
    (
        "request_with_warm_start",
        "WarmStartConfig.WarmStartType",
        "IDENTICAL_DATA_AND_ALGORITHM",
        "IdenticalDataAndAlgorithm",
    ),
    (
        "config",
        "ParameterRanges.ContinuousParameterRanges.0.ScalingType",
        "REVERSE_LOGARITHMIC",
        "ReverseLogarithmic",
    ),
]


@pytest.mark.parametrize(("base", "path", "prose", "wire"), PROSE)
def test_the_guides_spelling_is_taken_and_the_wire_form_kept(base, path, prose, wire):
    document = changed(base, (path, prose))
    job = sagemaker.load(document)
    assert job.request == sagemaker.load(changed(base, (path, wire))).request
    assert job.document() == document


def test_what_programs_build_is_taken_as_botocore_does():
    document = changed(
        "config",
        ("ParameterRanges.CategoricalParameterRanges.0.Values", ("a", "b")),
        ("ParameterRanges.ContinuousParameterRanges.0.MinValue", "1e-05"),
        ("TuningJobCompletionCriteria", {"TargetObjectiveMetricValue": Decimal("0.5")}),
        ("RandomSeed", 2**40),
    )
    job = quiet(document)
    assert job.space.parameters["lr"] == hpo.Float(1e-5, 0.1, "auto")
    assert job.config.TuningJobCompletionCriteria.TargetObjectiveMetricValue == 0.5
    assert job.seed == 2**40


class Word(enum.StrEnum):
    RANDOM = "Random"


def test_what_comes_out_is_plain_json():
    target = {"TargetObjectiveMetricValue": np.float64(0.5)}
    job = quiet(
        changed("config", ("Strategy", Word.RANDOM), ("TuningJobCompletionCriteria", target))
    )
    document = job.document()
    assert type(document["Strategy"]) is str
    assert type(document["TuningJobCompletionCriteria"]["TargetObjectiveMetricValue"]) is float
    assert json.loads(json.dumps(document)) == document


TARGET = "TuningJobCompletionCriteria.TargetObjectiveMetricValue"
BOUND = "ParameterRanges.IntegerParameterRanges.0.MaxValue"
ODD = {
    "an integer of NumPy": ("RandomSeed", np.int64(2), "must be an integer"),
    "a short float of NumPy": (TARGET, np.float32(0.5), "must be a number"),
    "bytes": ("Strategy", b"Random", "must be 'Bayesian'"),
    "a set": ("ParameterRanges.CategoricalParameterRanges.0.Values", {"a"}, "must be a list"),
    "more than a float": (TARGET, 10**400, "must be a"),
    "half a character": ("HyperParameterTuningJobObjective.MetricName", "\ud800", "UTF-8"),
    "a million digits": (BOUND, "1e1000000", "must be a finite decimal number"),
    "an endless exponent": (BOUND, "1e99999999999999999999", "must be a finite decimal number"),
    "Arabic digits": (BOUND, "٩", "must be a finite decimal number"),
    "underlined": (BOUND, "1_0", "must be a finite decimal number"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_values_are_refused_in_one_line(case):
    path, value, rule = ODD[case]
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(changed("config", (path, value)))
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


LIMITS = "ResourceLimits."
RANGES = "ParameterRanges."
VALUES = RANGES + "CategoricalParameterRanges.0.Values"
METRICS = "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions"
WARNED = {
    "751 jobs": (
        "config",
        (LIMITS + "MaxNumberOfTrainingJobs", 751),
        "ResourceLimits.MaxNumberOfTrainingJobs = 751: the quota is 750; "
        "the service asks for an increase",
    ),
    "11 at once": (
        "config",
        (LIMITS + "MaxParallelTrainingJobs", 11),
        "ResourceLimits.MaxParallelTrainingJobs = 11: the quota is 10; "
        "the service asks for an increase",
    ),
    "31 days": (
        "config",
        (LIMITS + "MaxRuntimeInSeconds", 31 * 86400),
        "ResourceLimits.MaxRuntimeInSeconds = 2678400: the quota is 2,592,000; "
        "the service asks for an increase",
    ),
    "31 ranges": (
        "config",
        (
            RANGES + "IntegerParameterRanges",
            [{"Name": f"n{i}", "MinValue": "1", "MaxValue": "9"} for i in range(29)],
        ),
        "ParameterRanges = 31 searched hyperparameters: the quota is 30; "
        "the service would refuse them",
    ),
    "100 hyperparameters": (
        "request",
        ("TrainingJobDefinition.StaticHyperParameters", {f"s{i}": "" for i in range(97)}),
        "HyperParameterTuningJobConfig.ParameterRanges = 101 hyperparameters with the static ones "
        "and the objective: the quota is 100; the service would refuse them",
    ),
    "21 metrics": (
        "request",
        (METRICS, [{"Name": n, "Regex": "(.)"} for n in ["loss", *map(str, range(20))]]),
        "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions = 21 metrics: "
        "the quota is 20; the service would refuse them",
    ),
    "29 days of a job": (
        "request",
        ("TrainingJobDefinition.StoppingCondition.MaxRuntimeInSeconds", 29 * 86400),
        "TrainingJobDefinition.StoppingCondition.MaxRuntimeInSeconds = 2505600: "
        "the quota is 2,419,200, 28 days; the service would refuse it",
    ),
    "a single number": (
        "bayesian",
        (RANGES + "ContinuousParameterRanges.2.MinValue", "0.60"),
        "ParameterRanges.ContinuousParameterRanges[2].MaxValue = '0.6': "
        "is a range of a single value; it is taken as a constant",
    ),
    "a single category": (
        "config",
        (VALUES, ["a"]),
        "ParameterRanges.CategoricalParameterRanges[0].Values = ['a']: "
        "is a range of a single value; it is taken as a constant",
    ),
    "a tuple of the SDK": (
        "config",
        (VALUES, ["('a', 'b')"]),
        "ParameterRanges.CategoricalParameterRanges[0].Values = [\"('a', 'b')\"]: is a range of a "
        "single value; it is taken as a constant; it looks like a sequence of Python's: "
        "give the SDK a list of values",
    ),
    "a repeated category": (
        "config",
        (VALUES, ["a", "b", "a"]),
        "ParameterRanges.CategoricalParameterRanges[0].Values = ['a', 'b', 'a']: "
        "holds 3 values, 2 of them distinct; each is taken once",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_what_only_an_account_forbids_is_a_warning_and_refused_if_strict(case):
    base, change, line = WARNED[case]
    document = changed(base, change)
    with pytest.warns(DocumentWarning) as caught:
        job = sagemaker.load(document)
    assert [str(one.message) for one in caught] == [line] == list(job.warnings)
    assert caught[0].filename == __file__
    with pytest.raises(DocumentError) as refused:
        sagemaker.load(document, strict=True)
    assert str(refused.value) == line


def test_a_single_value_is_a_constant_of_its_type():
    document = changed(
        "config",
        (RANGES + "ContinuousParameterRanges.0.MinValue", "0.1"),
        (RANGES + "IntegerParameterRanges.0.MinValue", "9"),
    )
    with pytest.warns(DocumentWarning):
        job = sagemaker.load(
            {
                **document,
                "ResourceLimits": {**CONFIG["ResourceLimits"], "MaxNumberOfTrainingJobs": 2},
            }
        )
    assert job.constants == {"depth": 9, "lr": 0.1}
    assert job.space == hpo.SearchSpace(kind=hpo.Categorical(("a", "b")))


def test_a_space_of_single_values_has_one_configuration():
    grid = changed(
        "grid",
        (
            RANGES[:-1],
            {
                "CategoricalParameterRanges": [
                    {"Name": "a", "Values": ["1"]},
                    {"Name": "b", "Values": ["2", "2"]},
                ]
            },
        ),
        (LIMITS + "MaxNumberOfTrainingJobs", 1),
    )
    with pytest.warns(DocumentWarning):
        job = sagemaker.load(grid)
    assert (job.space, job.constants) == (hpo.SearchSpace(a=hpo.Categorical(("1",))), {"b": "2"})


def test_several_definitions_and_autotune_load_and_say_what_is_missing():
    several = sagemaker.load(BASES["several"])
    assert [one.searched.space().names for one in several.searches] == [("depth", "lr", "kind")] * 2
    with pytest.raises(DocumentError, match="the job has 2 definitions"):
        _ = several.space
    auto = {"AutoParameters": [{"Name": "lr", "ValueHint": "0.1"}]}
    tuned = changed(
        "request",
        ("Autotune", {"Mode": "Enabled"}),
        ("HyperParameterTuningJobConfig.ParameterRanges", auto),
    )
    with pytest.raises(DocumentError, match="Autotune chooses the range of lr"):
        _ = sagemaker.load(tuned).space
    del tuned["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert any("Autotune" in note for note in sagemaker.load(tuned).notes)


def test_infrastructure_is_listed_as_ignored():
    job = sagemaker.load(DOCUMENTS["request_with_warm_start"])
    assert job.ignored == tuple(
        f"TrainingJobDefinition.{name}"
        for name in (
            "RoleArn",
            "OutputDataConfig",
            "ResourceConfig",
            "AlgorithmSpecification.TrainingInputMode",
        )
    )
    assert sagemaker.load(CONFIG).ignored == ()


BAD_FILES = {
    "no file": (None, "cannot be read (No such file or directory); check the path"),
    "no JSON": (b'{"Strategy": }', "is not JSON: Expecting value, line 1 column 14"),
    "no text": (b"\xff\xfe{}", "is not UTF-8 text; save it as UTF-8"),
    "too deep": (b"[" * 100_000, "is no tuning-job document"),
    "a list": (b"[]", "the document = []: must be an object; write its fields in braces"),
    "a name twice": (
        b'{"ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxParallelTrainingJobs": 2}}',
        "ResourceLimits.MaxParallelTrainingJobs = 2: a name stands once in an object; "
        "it stands twice; remove one",
    ),
    "an endless integer": (b'{"RandomSeed": ' + b"9" * 5000 + b"}", "is no tuning-job document"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_holds_no_document_is_refused(case, tmp_path):
    content, message = BAD_FILES[case]
    path = tmp_path / "job.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(path)
    assert message in str(caught.value)


BAD_ARGUMENTS = {
    "JSON text": (("{}",), "expected a path or a dict, got JSON text; use json.loads"),
    "a number": ((5,), "path_or_dict: expected a path as a string or a Path, got 5"),
    "two definitions": (
        (BASES["request"], DEFINITION),
        "definition = the argument, beside TrainingJobDefinition: stands in the request already; "
        "leave one of them out",
    ),
    "names that are numbers": (({**CONFIG, 5: 1},), "names are strings, got 5; rename it"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_an_argument_that_is_no_document_is_refused(case):
    arguments, message = BAD_ARGUMENTS[case]
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(*arguments)
    assert message in str(caught.value)


def test_a_document_loads_in_20_milliseconds():
    sagemaker.load(DOCUMENTS["bayesian"])
    began = time.process_time()
    for name in DOCUMENTS:
        sagemaker.load(FILES[name])
    assert (time.process_time() - began) / len(DOCUMENTS) < 0.02


def test_the_import_takes_less_than_four_tenths_of_a_second():
    code = "import time; import hpo_research.sagemaker as s; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 0.4


def test_without_pydantic_the_extra_is_named():
    code = "import sys; sys.modules['pydantic'] = None; import hpo_research.sagemaker"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "needs pydantic; pip install 'hpo_research[service]'" in done.stderr
