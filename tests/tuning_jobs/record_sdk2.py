"""Record the requests that the Python SDK 2 sends: `python record_sdk2.py sdk2.json`.

In an environment of its own, `pip install sagemaker==2.257.7`. Nothing is sent: the client keeps
what it is given, and so does the session of boto3.
"""

import json
import sys
import tempfile
from pathlib import Path
from unittest.mock import MagicMock

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.pytorch import PyTorch
from sagemaker.tuner import (
    CategoricalParameter,
    ContinuousParameter,
    HyperbandStrategyConfig,
    HyperparameterTuner,
    IntegerParameter,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
    WarmStartConfig,
    WarmStartTypes,
)

sent = []
client = MagicMock()
client.create_hyper_parameter_tuning_job = lambda **request: sent.append(request)
session = sagemaker.Session(
    boto_session=MagicMock(region_name="eu-west-1"),
    sagemaker_client=client,
    default_bucket="bucket",
)
COMMON = {"role": "arn:aws:iam::111122223333:role/TunerRole", "instance_count": 1}
COMMON |= {"instance_type": "ml.m5.large", "sagemaker_session": session}
COMMON |= {"hyperparameters": {"epochs": 3, "note": "x"}}
METRICS = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
RANGES = {
    "lr": ContinuousParameter(1e-5, 0.1, scaling_type="Logarithmic"),
    "n": IntegerParameter(2, 9),
    "k": CategoricalParameter(["a", "b"]),
}
JOBS = {"objective_type": "Minimize", "max_jobs": 20, "max_parallel_jobs": 2}
DATA = {"train": "s3://bucket/train"}


def image():
    return Estimator("example/train:1", output_path="s3://bucket/out", **COMMON)


def tuner(estimator, ranges=RANGES, **options):
    options = {**JOBS, **options}
    return HyperparameterTuner(estimator, "loss", ranges, METRICS, **options)


def framework():
    folder = Path(tempfile.mkdtemp())
    (folder / "train.py").write_text("print('loss=1')\n")
    return PyTorch(
        "train.py",
        source_dir=str(folder),
        image_uri="example/torch:2",
        framework_version="2.0",
        py_version="py310",
        **COMMON,
    )


def recorded():
    hyperband = StrategyConfig(HyperbandStrategyConfig(max_resource=27, min_resource=1))
    complete = TuningJobCompletionCriteriaConfig(5, True, 0.1)
    warm = WarmStartConfig(WarmStartTypes.TRANSFER_LEARNING, parents={"parent"})
    names = ("one", "two")
    several = HyperparameterTuner.create(
        {name: image() for name in names},
        dict.fromkeys(names, "loss"),
        dict.fromkeys(names, RANGES),
        dict.fromkeys(names, METRICS),
        strategy="Random",
        **JOBS,
    )
    tuners = {
        "bayesian": tuner(image(), early_stopping_type="Auto", random_seed=0),
        "hyperband": tuner(image(), strategy="Hyperband", strategy_config=hyperband),
        "grid": tuner(image(), {"k": RANGES["k"]}, strategy="Grid", max_jobs=None),
        "framework": tuner(framework(), strategy="Random", completion_criteria_config=complete),
        "warm start": tuner(image(), warm_start_config=warm),
        "autotune": tuner(image(), {}, autotune=True, hyperparameters_to_keep_static=["epochs"]),
    }
    for name, one in tuners.items():
        one.fit(DATA, wait=False)
        yield name, sent.pop()
    quiet = dict.fromkeys(names, False)
    several.fit(dict.fromkeys(names, DATA), include_cls_metadata=quiet, wait=False)
    yield "several", sent.pop()


if __name__ == "__main__":
    document = {"sdk": f"sagemaker {sagemaker.__version__}", "requests": dict(recorded())}
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1) + "\n")
