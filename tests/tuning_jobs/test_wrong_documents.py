"""Wrong documents, each of which breaks one rule, and the one line that it gets."""

import math
from typing import NamedTuple

import pytest
from tuning_jobs.examples import CONFIG, DEFINITION, GONE, changed

from hpo_research import sagemaker
from hpo_research.errors import DocumentError


class Wrong(NamedTuple):
    base: str
    changes: list[tuple[object, object]]
    line: str


WRONG = {
    "a strategy is required": Wrong(
        "config",
        [("Strategy", GONE)],
        ("Strategy is absent: HyperParameterTuningJobConfig requires it; add it"),
    ),
    "limits are required": Wrong(
        "config",
        [("ResourceLimits", GONE)],
        ("ResourceLimits is absent: HyperParameterTuningJobConfig requires it; add it"),
    ),
    "parallel jobs are required": Wrong(
        "config",
        [("ResourceLimits.MaxParallelTrainingJobs", GONE)],
        ("ResourceLimits.MaxParallelTrainingJobs is absent: ResourceLimits requires it; add it"),
    ),
    "a range is named": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.Name", GONE)],
        (
            "ParameterRanges.ContinuousParameterRanges[0].Name is absent: "
            "ContinuousParameterRange requires it; add it"
        ),
    ),
    "a request is named": Wrong(
        "request",
        [("HyperParameterTuningJobName", GONE)],
        (
            "HyperParameterTuningJobName is absent: CreateHyperParameterTuningJobRequest "
            "requires it; add it"
        ),
    ),
    "a definition has a role": Wrong(
        "request",
        [("TrainingJobDefinition.RoleArn", GONE)],
        (
            "TrainingJobDefinition.RoleArn is absent: HyperParameterTrainingJobDefinition "
            "requires it; add it"
        ),
    ),
    "true is no number": Wrong(
        "config",
        [("RandomSeed", True)],
        ("RandomSeed = true: must be an integer; true is no number; write one"),
    ),
    "5.0 is no integer": Wrong(
        "config",
        [("ResourceLimits.MaxParallelTrainingJobs", 5.0)],
        ("ResourceLimits.MaxParallelTrainingJobs = 5.0: must be an integer; write 5"),
    ),
    "null is nothing": Wrong(
        "config",
        [("ResourceLimits.MaxNumberOfTrainingJobs", None)],
        (
            "ResourceLimits.MaxNumberOfTrainingJobs = null: null is no value of any field; "
            "leave the field out"
        ),
    ),
    "a bound is a string": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.MinValue", 0.001)],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MinValue = 0.001: must be a "
            'string; write it as text, "0.001"'
        ),
    ),
    "a count is no string": Wrong(
        "config",
        [("ResourceLimits.MaxNumberOfTrainingJobs", "20")],
        (
            "ResourceLimits.MaxNumberOfTrainingJobs = '20': must be an integer; write it "
            "without quotes"
        ),
    ),
    "a list is a list": Wrong(
        "config",
        [("ParameterRanges.CategoricalParameterRanges.0.Values", "adam")],
        (
            "ParameterRanges.CategoricalParameterRanges[0].Values = 'adam': must be a list;"
            " write it in brackets, as a list of one"
        ),
    ),
    "an object is an object": Wrong(
        "config",
        [("ParameterRanges", [])],
        ("ParameterRanges = []: must be an object; write its fields in braces"),
    ),
    "a boolean is no string": Wrong(
        "request",
        [("TrainingJobDefinition.EnableManagedSpotTraining", "true")],
        (
            "TrainingJobDefinition.EnableManagedSpotTraining = 'true': must be true or "
            "false; write it without quotes"
        ),
    ),
    "a target is finite": Wrong(
        "config",
        [("TuningJobCompletionCriteria.TargetObjectiveMetricValue", math.nan)],
        (
            "TuningJobCompletionCriteria.TargetObjectiveMetricValue = nan: must be a finite"
            " number; write one, or leave the field out"
        ),
    ),
    "an unknown field": Wrong(
        "config",
        [("ResourceLimits.MaxParallelJobs", 2)],
        (
            "ResourceLimits.MaxParallelJobs = 2: ResourceLimits has no field of this name; "
            "write MaxParallelTrainingJobs"
        ),
    ),
    "a misspelled field": Wrong(
        "config",
        [
            ("ParameterRanges.ContinuousParameterRanges.0.MinValu", "1"),
            ("ParameterRanges.ContinuousParameterRanges.0.MinValue", GONE),
        ],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MinValu = '1': "
            "ContinuousParameterRange has no field of this name; write MinValue"
        ),
    ),
    "a field of a state machine": Wrong(
        "config",
        [
            (("ResourceLimits", "MaxParallelTrainingJobs.$"), "$.p"),
            ("ResourceLimits.MaxParallelTrainingJobs", GONE),
        ],
        (
            "ResourceLimits['MaxParallelTrainingJobs.$'] = '$.p': ResourceLimits has no "
            "field of this name; a state machine would fill it in; write the value itself"
        ),
    ),
    "a field of the document in the request": Wrong(
        "request",
        [("Strategy", "Grid")],
        (
            "Strategy = 'Grid': CreateHyperParameterTuningJobRequest has no field of this "
            "name; it belongs in HyperParameterTuningJobConfig"
        ),
    ),
    "a word of the strategy": Wrong(
        "config",
        [("Strategy", "bayesian")],
        (
            "Strategy = 'bayesian': must be 'Bayesian', 'Random', 'Hyperband' or 'Grid'; "
            "write 'Bayesian'"
        ),
    ),
    "a word of early stopping": Wrong(
        "config",
        [("TrainingJobEarlyStoppingType", "On")],
        ("TrainingJobEarlyStoppingType = 'On': must be 'Off' or 'Auto'; choose one of them"),
    ),
    "at least one parallel job": Wrong(
        "config",
        [("ResourceLimits.MaxParallelTrainingJobs", 0)],
        ("ResourceLimits.MaxParallelTrainingJobs = 0: must be an integer >= 1; raise it"),
    ),
    "at least 120 seconds": Wrong(
        "config",
        [("ResourceLimits.MaxRuntimeInSeconds", 60)],
        ("ResourceLimits.MaxRuntimeInSeconds = 60: must be an integer >= 120; raise it"),
    ),
    "at most 182.5 days": Wrong(
        "config",
        [("ResourceLimits.MaxRuntimeInSeconds", 15768001)],
        ("ResourceLimits.MaxRuntimeInSeconds = 15768001: must be an integer <= 15768000; lower it"),
    ),
    "at least three jobs without a better one": Wrong(
        "config",
        [
            (
                "TuningJobCompletionCriteria.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving",
                2,
            )
        ],
        (
            "TuningJobCompletionCriteria.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving"
            " = 2: must be an integer >= 3; raise it"
        ),
    ),
    "a seed is not negative": Wrong(
        "config", [("RandomSeed", -1)], ("RandomSeed = -1: must be an integer >= 0; raise it")
    ),
    "a name has at most 32 characters": Wrong(
        "request",
        [("HyperParameterTuningJobName", "a" * 33)],
        (
            "HyperParameterTuningJobName = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa': must have "
            "at most 32 characters; shorten it"
        ),
    ),
    "a name has a pattern": Wrong(
        "request",
        [("HyperParameterTuningJobName", "a_b")],
        (
            "HyperParameterTuningJobName = 'a_b': must match "
            "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}; correct it"
        ),
    ),
    "at most 30 values": Wrong(
        "config",
        [("ParameterRanges.CategoricalParameterRanges.0.Values", [str(i) for i in range(31)])],
        "ParameterRanges.CategoricalParameterRanges[0].Values = "
        + repr([str(i) for i in range(31)])
        + ": must have at most 30 entries; shorten it",
    ),
    "at least one value": Wrong(
        "config",
        [("ParameterRanges.CategoricalParameterRanges.0.Values", [])],
        (
            "ParameterRanges.CategoricalParameterRanges[0].Values = []: must have at least "
            "1 entry; add one"
        ),
    ),
    "a role has a pattern": Wrong(
        "request",
        [("TrainingJobDefinition.RoleArn", "arn:aws:iam::1:role/TunerRole")],
        (
            "TrainingJobDefinition.RoleArn = 'arn:aws:iam::1:role/TunerRole': must match "
            "arn:aws[a-z\\-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+; correct it"
        ),
    ),
    "a grid takes categories only": Wrong(
        "grid",
        [
            (
                "ParameterRanges.IntegerParameterRanges",
                [{"Name": "n", "MinValue": "1", "MaxValue": "3"}],
            )
        ],
        (
            "ParameterRanges.IntegerParameterRanges[0] = 'n': a grid takes categories only;"
            " list values in CategoricalParameterRanges, or choose another Strategy"
        ),
    ),
    "a grid's total": Wrong(
        "grid",
        [("ResourceLimits.MaxNumberOfTrainingJobs", 25)],
        (
            "ResourceLimits.MaxNumberOfTrainingJobs = 25: the grid has 24 distinct "
            "combinations; write 24, or leave it out"
        ),
    ),
    "enough combinations": Wrong(
        "config",
        [
            ("ParameterRanges.ContinuousParameterRanges", []),
            ("ResourceLimits.MaxNumberOfTrainingJobs", 17),
        ],
        (
            "ResourceLimits.MaxNumberOfTrainingJobs = 17: the ranges have 16 combinations, "
            "and none is tried twice; write at most 16, or widen the ranges"
        ),
    ),
    "a bound is a number": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.MinValue", "small")],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MinValue = 'small': must be a "
            "finite decimal number, as 16, 0.001 or 1e-05; correct it"
        ),
    ),
    "a bound is finite": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.MaxValue", "inf")],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MaxValue = 'inf': must be a "
            "finite decimal number, as 16, 0.001 or 1e-05; correct it"
        ),
    ),
    "a bound has no blanks": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.MaxValue", " 0.1")],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MaxValue = ' 0.1': must be a "
            "finite decimal number, as 16, 0.001 or 1e-05; remove the blanks"
        ),
    ),
    "bounds are in order": Wrong(
        "config",
        [("ParameterRanges.ContinuousParameterRanges.0.MinValue", "0.5")],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MaxValue = '0.1': must be at "
            "least MinValue, 0.5; swap the bounds"
        ),
    ),
    "integers are whole": Wrong(
        "config",
        [("ParameterRanges.IntegerParameterRanges.0.MaxValue", "9.5")],
        (
            "ParameterRanges.IntegerParameterRanges[0].MaxValue = '9.5': must be a whole "
            "number; round it, or move the range to ContinuousParameterRanges"
        ),
    ),
    "logarithmic above 0": Wrong(
        "config",
        [
            ("ParameterRanges.ContinuousParameterRanges.0.MinValue", "0"),
            ("ParameterRanges.ContinuousParameterRanges.0.ScalingType", "Logarithmic"),
        ],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MinValue = '0': must be above 0 "
            "on a logarithmic scale; raise it, or write Linear"
        ),
    ),
    "reverse logarithmic below 1": Wrong(
        "config",
        [
            ("ParameterRanges.ContinuousParameterRanges.0.MaxValue", "1"),
            ("ParameterRanges.ContinuousParameterRanges.0.ScalingType", "ReverseLogarithmic"),
        ],
        (
            "ParameterRanges.ContinuousParameterRanges[0].MaxValue = '1': must be in [0, 1)"
            " on a reverse logarithmic scale; move it, or write Linear"
        ),
    ),
    "reverse logarithmic for integers": Wrong(
        "config",
        [("ParameterRanges.IntegerParameterRanges.0.ScalingType", "ReverseLogarithmic")],
        (
            "ParameterRanges.IntegerParameterRanges[0].ScalingType = 'ReverseLogarithmic': "
            "is for continuous ranges in [0, 1); write Linear, Logarithmic or Auto"
        ),
    ),
    "integers that are exact": Wrong(
        "config",
        [("ParameterRanges.IntegerParameterRanges.0.MaxValue", "1e30")],
        (
            "ParameterRanges.IntegerParameterRanges[0].MaxValue = '1e30': high must lie "
            "within ±2^50 to be exact in float64; narrow the range"
        ),
    ),
    "one name once": Wrong(
        "config",
        [("ParameterRanges.IntegerParameterRanges.0.Name", "lr")],
        (
            "ParameterRanges.ContinuousParameterRanges[0].Name = 'lr': a hyperparameter has"
            " one range; remove one, or rename it"
        ),
    ),
    "searched or static": Wrong(
        "request",
        [("TrainingJobDefinition.StaticHyperParameters.lr", "0.1")],
        (
            "TrainingJobDefinition.StaticHyperParameters.lr = '0.1': is searched as well; "
            "keep the range or the value"
        ),
    ),
    "an objective is needed": Wrong(
        "config",
        [("HyperParameterTuningJobObjective", GONE)],
        (
            "HyperParameterTuningJobObjective is absent: a job needs an objective; add it, "
            'as {"Type": "Minimize", "MetricName": "loss"}'
        ),
    ),
    "something is searched": Wrong(
        "config",
        [("ParameterRanges", GONE)],
        ("ParameterRanges is absent: a job needs a range to search; add one"),
    ),
    "something ends the job": Wrong(
        "config",
        [("ResourceLimits.MaxNumberOfTrainingJobs", GONE)],
        (
            "ResourceLimits.MaxNumberOfTrainingJobs is absent: only a grid knows its number"
            " of jobs; add it, or MaxRuntimeInSeconds"
        ),
    ),
    "the objective is defined": Wrong(
        "request",
        [("HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.MetricName", "accuracy")],
        (
            "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.MetricName = "
            "'accuracy': A metric is required for this hyperparameter tuning job objective;"
            " define it in MetricDefinitions, or name one that is there: loss"
        ),
    ),
    "an expression compiles": Wrong(
        "request",
        [
            (
                "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions.0.Regex",
                "loss=([0-9.]+",
            )
        ],
        (
            "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[0].Regex = "
            "'loss=([0-9.]+': must be a regular expression: missing ), unterminated "
            "subpattern at position 5; correct it"
        ),
    ),
    "an expression has a group": Wrong(
        "request",
        [
            (
                "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions.0.Regex",
                "loss=[0-9.]+",
            )
        ],
        (
            "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[0].Regex = "
            "'loss=[0-9.]+': must have a group, which holds the number; put the number in "
            "parentheses, as loss=([0-9.]+)"
        ),
    ),
    "a metric is defined once": Wrong(
        "request",
        [
            (
                "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions",
                [
                    {"Name": "loss", "Regex": "loss=([0-9.]+)"},
                    {"Name": "loss", "Regex": "loss=([0-9.]+)"},
                ],
            )
        ],
        (
            "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[1].Name = "
            "'loss': a metric has one expression; remove one, or rename it"
        ),
    ),
    "Hyperband stops by itself": Wrong(
        "hyperband",
        [("TrainingJobEarlyStoppingType", "Auto")],
        ("TrainingJobEarlyStoppingType = 'Auto': Hyperband stops jobs by itself; write Off"),
    ),
    "resources are in order": Wrong(
        "hyperband",
        [("StrategyConfig.HyperbandStrategyConfig.MinResource", 82)],
        (
            "StrategyConfig.HyperbandStrategyConfig.MaxResource = 81: must be at least "
            "MinResource, 82; raise it, or lower MinResource"
        ),
    ),
    "a resource has an end": Wrong(
        "hyperband",
        [("StrategyConfig.HyperbandStrategyConfig.MaxResource", 20001)],
        (
            "StrategyConfig.HyperbandStrategyConfig.MaxResource = 20001: must be at most "
            "20,000; lower it"
        ),
    ),
    "a resource is known": Wrong(
        "hyperband",
        [("StrategyConfig", GONE)],
        (
            "StrategyConfig.HyperbandStrategyConfig.MaxResource is absent: MaxResource "
            "parameter is not provided and could not be inferred from provided static "
            "hyperparameters of TrainingJobDefinition; add it, or a static epochs"
        ),
    ),
    "a static resource is a count": Wrong(
        "request",
        [
            ("HyperParameterTuningJobConfig.Strategy", "Hyperband"),
            ("TrainingJobDefinition.StaticHyperParameters.epochs", "many"),
        ],
        (
            "TrainingJobDefinition.StaticHyperParameters.epochs = 'many': must be an "
            "integer >= 1 to be Hyperband's MaxResource; correct it, or add MaxResource"
        ),
    ),
    "Hyperband's options are its own": Wrong(
        "config",
        [("StrategyConfig.HyperbandStrategyConfig.MinResource", 1)],
        (
            "StrategyConfig = {'HyperbandStrategyConfig': {'MinResource': 1}}: is for "
            "Hyperband alone, and the Strategy is Random; leave it out"
        ),
    ),
    "a request has a definition": Wrong(
        "request",
        [("TrainingJobDefinition", GONE)],
        ("TrainingJobDefinition is absent: a request says what its jobs run; add it"),
    ),
    "a definition or several": Wrong(
        "request",
        [("TrainingJobDefinitions", [{**DEFINITION, "DefinitionName": "one"}])],
        (
            "TrainingJobDefinitions = 1 of them: stands instead of TrainingJobDefinition; "
            "leave one of them out"
        ),
    ),
    "an image or an algorithm": Wrong(
        "request",
        [("TrainingJobDefinition.AlgorithmSpecification.AlgorithmName", "mine")],
        (
            "TrainingJobDefinition.AlgorithmSpecification.AlgorithmName = 'mine': stands "
            "instead of TrainingImage; leave one of them out"
        ),
    ),
    "neither image nor algorithm": Wrong(
        "request",
        [("TrainingJobDefinition.AlgorithmSpecification.TrainingImage", GONE)],
        (
            "TrainingJobDefinition.AlgorithmSpecification.TrainingImage is absent: a job "
            "needs TrainingImage or AlgorithmName; add one of them"
        ),
    ),
    "definitions are named": Wrong(
        "several",
        [("TrainingJobDefinitions.1.DefinitionName", GONE)],
        (
            "TrainingJobDefinitions[1].DefinitionName is absent: a definition in a list has"
            " a name; add it"
        ),
    ),
    "definitions are distinct": Wrong(
        "several",
        [("TrainingJobDefinitions.1.DefinitionName", "first")],
        (
            "TrainingJobDefinitions[1].DefinitionName = 'first': 2 definitions have this "
            "name; rename all but one"
        ),
    ),
    "no warm start of several": Wrong(
        "several",
        [
            (
                "WarmStartConfig",
                {
                    "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "p"}],
                    "WarmStartType": "TransferLearning",
                },
            )
        ],
        (
            "WarmStartConfig = 'TransferLearning': several definitions have no warm start; "
            "leave it out"
        ),
    ),
    "no early stopping of several": Wrong(
        "several",
        [("HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType", "Auto")],
        (
            "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType = 'Auto': several "
            "definitions have no early stopping; write Off"
        ),
    ),
    "ranges of several are their own": Wrong(
        "several",
        [("HyperParameterTuningJobConfig.ParameterRanges", {"AutoParameters": []})],
        (
            "HyperParameterTuningJobConfig.ParameterRanges = {'AutoParameters': []}: "
            "belongs to each definition where there is a list of them; move it into each as"
            " HyperParameterRanges"
        ),
    ),
    "waiting is at least running": Wrong(
        "request",
        [("TrainingJobDefinition.StoppingCondition.MaxWaitTimeInSeconds", 60)],
        (
            "TrainingJobDefinition.StoppingCondition.MaxWaitTimeInSeconds = 60: must be at "
            "least MaxRuntimeInSeconds, 7200; raise it"
        ),
    ),
    "a list of machines alone": Wrong(
        "request",
        [
            (
                "TrainingJobDefinition.HyperParameterTuningResourceConfig",
                {
                    "InstanceConfigs": [
                        {"InstanceType": "ml.c5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
                    ],
                    "InstanceCount": 1,
                },
            )
        ],
        (
            "TrainingJobDefinition.HyperParameterTuningResourceConfig.InstanceCount = 1: "
            "stands instead of InstanceConfigs; move it into InstanceConfigs"
        ),
    ),
    "variables of all definitions": Wrong(
        "several",
        [
            ("TrainingJobDefinitions.0.Environment", {f"V{k}": "" for k in range(25)}),
            ("TrainingJobDefinitions.1.Environment", {f"V{k}": "" for k in range(25)}),
        ],
        (
            "TrainingJobDefinitions = 50 variables: definitions may have 48 variables of "
            "Environment together; remove some"
        ),
    ),
    "a parent has a name": Wrong(
        "request",
        [
            (
                "WarmStartConfig",
                {"ParentHyperParameterTuningJobs": [{}], "WarmStartType": "TransferLearning"},
            )
        ],
        (
            "WarmStartConfig.ParentHyperParameterTuningJobs[0].HyperParameterTuningJobName "
            "is absent: a parent is known by its name; add it"
        ),
    ),
    "a parent once": Wrong(
        "request",
        [
            (
                "WarmStartConfig",
                {
                    "ParentHyperParameterTuningJobs": [
                        {"HyperParameterTuningJobName": "p"},
                        {"HyperParameterTuningJobName": "P"},
                    ],
                    "WarmStartType": "TransferLearning",
                },
            )
        ],
        (
            "WarmStartConfig.ParentHyperParameterTuningJobs[1].HyperParameterTuningJobName "
            "= 'P': a parent is named once; remove one"
        ),
    ),
    "a job is no parent of itself": Wrong(
        "request",
        [
            (
                "WarmStartConfig",
                {
                    "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "Child"}],
                    "WarmStartType": "TransferLearning",
                },
            )
        ],
        (
            "WarmStartConfig.ParentHyperParameterTuningJobs[0].HyperParameterTuningJobName "
            "= 'Child': a job is no parent of itself; rename the job"
        ),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_document_gets_one_line(case):
    base, changes, line = WRONG[case]
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(changed(base, *changes))
    assert str(caught.value) == line
    assert isinstance(caught.value, ValueError)


def test_there_are_sixty_wrong_documents_and_none_is_said_in_another_s_words():
    assert len(WRONG) >= 60
    assert len({wrong.line for wrong in WRONG.values()}) == len(WRONG)


FIVE = [
    ("HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs", 0),
    ("HyperParameterTuningJobConfig.Strategy", "Best"),
    ("HyperParameterTuningJobConfig.ParameterRanges.ContinuousParameterRanges.0.MinValue", "0.5"),
    ("TrainingJobDefinition.RoleArn", GONE),
    ("TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions.0.Regex", "loss=.*"),
]


def test_five_mistakes_are_five_lines():
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(changed("request", *FIVE))
    assert sorted(line.partition(" ")[0] for line in str(caught.value).splitlines()) == sorted(
        [
            "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
            "HyperParameterTuningJobConfig.Strategy",
            "HyperParameterTuningJobConfig.ParameterRanges.ContinuousParameterRanges[0].MaxValue",
            "TrainingJobDefinition.RoleArn",
            "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[0].Regex",
        ]
    )


WHOLE = [
    "Strategy",
    "ResourceLimits",
    "ParameterRanges",
    "ParameterRanges.ContinuousParameterRanges",
    "ParameterRanges.ContinuousParameterRanges.0",
    "ParameterRanges.CategoricalParameterRanges.0.Values",
    "ParameterRanges.CategoricalParameterRanges.0.Values.0",
    "HyperParameterTuningJobObjective",
    "HyperParameterTuningJobObjective.MetricName",
]


@pytest.mark.parametrize("value", [None, 5], ids=["null", "5"])
@pytest.mark.parametrize("path", WHOLE)
def test_what_cannot_be_read_is_one_mistake_however_much_it_takes_along(path, value):
    with pytest.raises(DocumentError) as caught:
        sagemaker.load(changed("config", (path, value)))
    assert len(str(caught.value).splitlines()) == 1


FIVE_RANGES = {"ContinuousParameterRanges": [{"Name": f"x{i}", "MinValue": "1"} for i in range(5)]}


def test_a_mistake_that_is_made_five_times_is_said_five_times():
    with pytest.raises(DocumentError) as caught:
        sagemaker.load({**CONFIG, "ParameterRanges": FIVE_RANGES})
    assert len(str(caught.value).splitlines()) == 5
