"""Record the requests that the Python SDK 3 sends: `python record_sdk3.py sdk3.json`.

In an environment of its own, `pip install sagemaker==3.27.0`. Nothing is sent: an event of
botocore answers the session's clients, and what is uploaded is dropped.
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.shapes import HyperbandStrategyConfig, HyperParameterTuningJobStrategyConfig
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, OutputDataConfig, SourceCode, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner

ROLE = "arn:aws:iam::111122223333:role/TunerRole"
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:hyper-parameter-tuning-job/recorded"
RANGES = {
    "lr": ContinuousParameter(1e-5, 0.1, scaling_type="Logarithmic"),
    "n": IntegerParameter(2, 9),
    "k": CategoricalParameter(["a", "b"]),
}
METRICS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
sent = []


def described():
    last = sent[-1]
    return {
        "HyperParameterTuningJobName": last["HyperParameterTuningJobName"],
        "HyperParameterTuningJobArn": ARN,
        "HyperParameterTuningJobConfig": last["HyperParameterTuningJobConfig"],
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": datetime.now(UTC),
        "TrainingJobStatusCounters": {},
        "ObjectiveStatusCounters": {},
    }


def answer(model, params, **_):
    operation, fields = model.name, {}
    if operation == "CreateHyperParameterTuningJob":
        sent.append(json.loads(params["body"]))
        fields = {"HyperParameterTuningJobArn": ARN}
    elif operation == "DescribeHyperParameterTuningJob":
        fields = described()
    elif operation == "SimulatePrincipalPolicy":
        fields = {"EvaluationResults": []}
    elif operation == "GetRole":
        fields = {"Role": {"Arn": ROLE}}
    elif operation == "ListBuckets":
        fields = {"Buckets": [{"Name": "bucket"}]}
    metadata = {"ResponseMetadata": {"HTTPStatusCode": 200}}
    return AWSResponse("local:", 200, {}, None), {**fields, **metadata}


core = botocore.session.Session()
core.set_credentials("none", "none")
core.register("before-call", answer)
session = Session(
    boto3.Session(botocore_session=core, region_name="eu-west-1"), default_bucket="bucket"
)


def tuner(ranges=RANGES, source=None, **options):
    trainer = ModelTrainer(
        training_image="example/train:1",
        role=ROLE,
        sagemaker_session=session,
        base_job_name="recorded",
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"epochs": 3, "note": "x"},
        source_code=source,
        stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        output_data_config=OutputDataConfig(s3_output_path="s3://bucket/out"),
    )
    jobs = {"objective_type": "Minimize", "max_jobs": 20, "max_parallel_jobs": 2}
    return HyperparameterTuner(trainer, "loss", ranges, METRICS, **(jobs | options))


def source():
    folder = Path(tempfile.mkdtemp())
    (folder / "train.py").write_text("print('loss=1')\n")
    return SourceCode(source_dir=str(folder), entry_script="train.py")


def tuners():
    hyperband = HyperParameterTuningJobStrategyConfig(
        hyperband_strategy_config=HyperbandStrategyConfig(max_resource=27, min_resource=1)
    )
    static = {"autotune": True, "hyperparameters_to_keep_static": ["epochs"]}
    yield "bayesian", tuner(early_stopping_type="Auto", random_seed=7)
    yield "seed 0", tuner(strategy="Random", random_seed=0)
    yield "hyperband", tuner(strategy="Hyperband", strategy_config=hyperband)
    yield "grid", tuner({"k": RANGES["k"]}, strategy="Grid", max_jobs=None)
    yield "tuple", tuner({"k": CategoricalParameter(("a", "b"))}, strategy="Grid", max_jobs=None)
    yield "crossed", tuner({"lr": ContinuousParameter(0.1, 0.001)})
    yield "unknown strategy", tuner(strategy="Annealing")
    yield "source", tuner(source=source(), strategy="Random")
    yield "autotune", tuner({}, **static)


if __name__ == "__main__":
    requests = {}
    for name, one in tuners():
        one.tune(wait=False)
        requests[name] = sent.pop()
    document = {"sdk": f"sagemaker {version('sagemaker')}", "requests": requests}
    text = json.dumps(document, indent=1)
    Path(sys.argv[1]).write_text(text + "\n")
