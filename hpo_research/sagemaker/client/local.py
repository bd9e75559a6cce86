"""The client that programs take in place of boto3's."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from hpo_research.errors import DocumentError, MissingPackageError
from hpo_research.options import Mistakes, flag
from hpo_research.paths import Given, place
from hpo_research.sagemaker import client
from hpo_research.sagemaker.client.service import Service
from hpo_research.sagemaker.client.starting import Trainer, Trainers


class LocalClient:
    """A client of SageMaker, of boto3's own making, whose tuning jobs run on this machine.

    It has the methods, exceptions and paginators of `boto3.client("sagemaker")`; answered are
    create, describe, list, stop and delete of tuning jobs, list, describe and stop of training
    jobs, and list of tags. Anything else raises `OfflineError`: nothing is ever sent. `session()`
    is a `boto3.Session` whose clients are answered in the same way.

    A job's folder is `ROOT/NAME`: its document and an ordinary store, which every other tool reads.
    `trainers` says what runs in place of an image, an algorithm or a definition, by its name: a
    script's path, a command as a list of strings, or a function `f(config)` or `f(config, report)`;
    `"*"` is for all others. Code that an SDK uploads for an entry point needs none. Scripts run in
    a process of their own, which outlives the client; functions in a thread of this process, and
    end with it. With `strict` what goes beyond an account's quotas is refused.

    Raises `MissingPackageError` without boto3, `DocumentError` for trainers that are none.
    """

    def __init__(
        self,
        root: Given,
        trainers: Mapping[str, Trainer] | None = None,
        *,
        region: str = "us-east-1",
        strict: bool = False,
    ) -> None:
        if find_spec("boto3") is None:
            raise MissingPackageError(
                "LocalClient needs boto3, whose client it is; pip install boto3"
            )
        if trainers is not None and not isinstance(trainers, Mapping):
            raise DocumentError(f"trainers: expected a dict by name, got {trainers!r}")
        mistakes = Mistakes("LocalClient")
        mistakes.check("region", region, _region)
        mistakes.check("strict", strict, flag)
        mistakes.refuse(DocumentError)
        folder = place(root, "root", DocumentError).resolve()
        if folder.exists() and not folder.is_dir():
            raise DocumentError(f"root: {folder} is a file; expected a folder")
        service = Service(folder, Trainers(dict(trainers or {})), region, strict)
        self._session = client.transport.session(service.answer, region)
        self._client = self._session.client("sagemaker")

    def session(self) -> Any:
        """Return the `boto3.Session` whose clients are all answered here."""
        return self._session

    def __getattr__(self, name: str) -> Any:
        """Return what a client of boto3 has by this name."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._client, name)


def _region(value: object) -> str:
    is_one = isinstance(value, str) and re.fullmatch(r"[a-z0-9-]{1,63}", value)
    return "" if is_one else "the name of a region, such as us-east-1"
