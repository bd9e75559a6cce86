"""Sessions and clients of boto3 whose calls are answered in this process.

A handler of botocore's event `before-call` that returns an answer takes the place of the network.
So what is sent is checked by botocore itself, errors are its own classes, and its paginators page.
The session reads no configuration and no credentials of the machine, and everything that is not
answered raises `OfflineError`: nothing is ever sent.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.configprovider import ConstantProvider
from botocore.loaders import create_loader

from hpo_research.sagemaker.client.calls import Answer, Call
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.sagemaker.client.request_model import broken

_SENT = "hpo_research.sent"


def session(answer: Answer, region: str) -> Any:
    """Return a `boto3.Session` of which every client, also of other services, is answered so."""
    core = botocore.session.Session()
    settings = core.get_component("config_store")
    for name in ("profile", "config_file", "credentials_file"):
        settings.set_config_provider(
            name, ConstantProvider(None if name == "profile" else os.devnull)
        )
    core.register_component("data_loader", _models())
    core.set_credentials("local", "local")
    core.register("before-parameter-build", _keep)
    core.register("before-call", _Handler(answer))
    return boto3.Session(botocore_session=core, region_name=region)


@cache  # a model is megabytes of JSON, and every session would read its own
def _models() -> Any:
    """Return what reads the models of services: those that botocore comes with."""
    return create_loader()


def _keep(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
    """Keep what the caller gave until the call is answered."""
    context[_SENT] = params


class _Handler:
    """Answers the calls of all clients of a session."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(
        self, model: Any, params: Mapping[str, Any], context: Mapping[str, Any], **_: object
    ) -> tuple[Any, dict[str, Any]]:
        body = params.get("body")
        plain = json.loads(body) if isinstance(body, bytes) and body[:1] == b"{" else None
        sent = context.get(_SENT, {})
        service = model.service_model.service_name
        call = Call(service, model.name, sent, plain)
        try:
            if service == "sagemaker" and model.name != "CreateHyperParameterTuningJob":
                _check(model.input_shape, sent)
            return _response(200, dict(self._answer(call)))
        except Refusal as refusal:
            status = 404 if refusal.code == "404" else 400
            return _response(status, {"Error": {"Code": refusal.code, "Message": str(refusal)}})


def _check(shape: Any, sent: Mapping[str, Any]) -> None:
    """Refuse what the service's model forbids and botocore lets pass."""
    found: Iterator[str] = broken(shape, sent)
    if lines := list(found):
        raise Refusal("ValidationException", "\n".join(lines))


def _response(status: int, fields: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    said = {
        "RequestId": str(uuid.uuid4()),
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }
    return AWSResponse("local:", status, {}, None), {**fields, "ResponseMetadata": said}
