"""Documents for the tests: the five of the reference, a whole request, and changes to them."""

import copy
import json
from pathlib import Path

FOLDER = Path(__file__).parent / "documents"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}
DOCUMENTS = {name: json.loads(path.read_text()) for name, path in FILES.items()}

DEFINITION = {
    "AlgorithmSpecification": {
        "TrainingImage": "example/train:1",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    },
    "StaticHyperParameters": {"epochs": "30", "momentum": "0.9"},
    "RoleArn": "arn:aws:iam::111122223333:role/TunerRole",
    "OutputDataConfig": {"S3OutputPath": "s3://example-bucket/out"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
}
CONFIG = {
    "Strategy": "Random",
    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
    "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
    "ParameterRanges": {
        "ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.001", "MaxValue": "0.1"}],
        "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "9"}],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
    },
}
REQUEST = {
    "HyperParameterTuningJobName": "child",
    "HyperParameterTuningJobConfig": CONFIG,
    "TrainingJobDefinition": DEFINITION,
}
SEVERAL = {
    "HyperParameterTuningJobName": "several",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
    },
    "TrainingJobDefinitions": [
        {
            **DEFINITION,
            "DefinitionName": name,
            "TuningObjective": CONFIG["HyperParameterTuningJobObjective"],
            "HyperParameterRanges": CONFIG["ParameterRanges"],
        }
        for name in ("first", "second")
    ],
}
BASES = {**DOCUMENTS, "config": CONFIG, "request": REQUEST, "several": SEVERAL}
GONE = object()


def changed(base, *changes):
    """Return a document with changes, each (path, value); GONE takes a field away.

    A path is a text with dots, or a tuple where a name holds one.
    """
    document = copy.deepcopy(BASES[base])
    for path, value in changes:
        steps = path.split(".") if isinstance(path, str) else path
        *outer, last = [int(step) if step.isdigit() else step for step in steps]
        place = document
        for step in outer:
            place = place[step] if isinstance(place, list) else place.setdefault(step, {})
        if value is GONE:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return document
