#!/usr/bin/env bash
# The tuner of SageMaker's Python SDK 3 does not use the client that its session was given: it makes one
# of its own, which sends.
#
# sagemaker 3.27.0. Expected, as documented ("sagemaker_client: Client which makes Amazon SageMaker
# service calls") and as SDK 2.257.7 does: the job is created through Session(sagemaker_client=client).
# Seen: tune() never calls that client; a new one, made of the boto session, gets the request, while
# analytics() of the same tuner asks the client that was given. A client for tests, a recording one or
# one with another endpoint is passed by, and the job is created in the real account.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv --clear "$folder/env"
"$folder/env/bin/pip" install --quiet 'sagemaker==3.27.0' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
SAGEMAKER_VALIDATE_ROLE=false "$folder/env/bin/python" - <<'PY'
from unittest.mock import MagicMock

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, OutputDataConfig
from sagemaker.train.tuner import HyperparameterTuner

asked = []

def answer(model, **_):
    """Note what would be sent, in place of the network, and end the program's call there."""
    asked.append(model.name)
    error = {"Error": {"Code": "ValidationException", "Message": "noted"}}
    return AWSResponse("local:", 400, {}, None), {**error, "ResponseMetadata": {}}

core = botocore.session.Session()
core.set_credentials("none", "none")
core.register("before-call.sagemaker", answer)
given = MagicMock()
session = Session(
    boto3.Session(botocore_session=core, region_name="us-east-1"),
    sagemaker_client=given,
    default_bucket="b",
)
trainer = ModelTrainer(
    training_image="example/train:1",
    role="arn:aws:iam::111122223333:role/TunerRole",
    sagemaker_session=session,
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    output_data_config=OutputDataConfig(s3_output_path="s3://b/out"),
)
metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
tuner = HyperparameterTuner(trainer, "loss", {"rate": ContinuousParameter(0.1, 1.0)}, metrics)
try:
    tuner.tune(wait=False)
except Exception as error:
    assert "noted" in str(error), error
print("calls of the client that was given:", [call[0] for call in given.method_calls])
print("calls of a client that nobody gave:", asked)
assert session.sagemaker_client is given
assert not given.method_calls
assert asked == ["CreateHyperParameterTuningJob"]
PY
echo "seen: the job is created by another client than the session's"
