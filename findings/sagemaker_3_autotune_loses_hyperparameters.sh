#!/usr/bin/env bash
# With autotune=True the tuner of SageMaker's Python SDK 3 sends only the hyperparameters that are kept
# static: the others are in no part of the request.
#
# sagemaker 3.27.0. Expected, as documented and as SDK 2.257.7 does: every hyperparameter that is not in
# hyperparameters_to_keep_static becomes an AutoParameter with its value as the hint. Seen: the request
# has "epochs" among its static hyperparameters, no AutoParameters, and no trace of "depth" and "rate",
# so the training jobs would run with the script's own defaults. No error and no warning.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv --clear "$folder/env"
"$folder/env/bin/pip" install --quiet 'sagemaker==3.27.0' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
SAGEMAKER_VALIDATE_ROLE=false "$folder/env/bin/python" - <<'PY'
import json

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, OutputDataConfig
from sagemaker.train.tuner import HyperparameterTuner

sent = []

def answer(model, params, **_):
    """Keep what would be sent, in place of the network, and end the program's call there."""
    sent.append(json.loads(params["body"]))
    error = {"Error": {"Code": "ValidationException", "Message": "kept"}}
    return AWSResponse("local:", 400, {}, None), {**error, "ResponseMetadata": {}}

core = botocore.session.Session()
core.set_credentials("none", "none")
core.register("before-call.sagemaker", answer)
session = Session(boto3.Session(botocore_session=core, region_name="us-east-1"), default_bucket="b")
trainer = ModelTrainer(
    training_image="example/train:1",
    role="arn:aws:iam::111122223333:role/TunerRole",
    sagemaker_session=session,
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"epochs": 3, "depth": 4, "rate": 0.1},
    output_data_config=OutputDataConfig(s3_output_path="s3://b/out"),
)
tuner = HyperparameterTuner(
    trainer, "loss", {}, [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    autotune=True, hyperparameters_to_keep_static=["epochs"],
)
try:
    tuner.tune(wait=False)
except Exception as error:
    assert "kept" in str(error), error
(request,) = sent
print("static:", request["TrainingJobDefinition"]["StaticHyperParameters"])
text = json.dumps(request)
print("Autotune:", request["Autotune"], "AutoParameters" in text, "depth" in text, "rate" in text)
assert request["TrainingJobDefinition"]["StaticHyperParameters"] == {"epochs": "3"}
assert "AutoParameters" not in text and '"depth"' not in text and '"rate"' not in text
PY
echo "seen: hyperparameters to be tuned automatically are not sent"
