"""The code that an SDK has uploaded for a job: unpacked into the job's folder, and run from there.

Both SDKs pack the folder of an entry point into an archive, put it into a bucket, and name both in
static hyperparameters, SDK 2 as JSON texts.
"""

import json
import tarfile
from pathlib import Path

from hpo_research.sagemaker.client.buckets import located
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.sagemaker.job import TuningJob

ARCHIVE, PROGRAM = "sagemaker_submit_directory", "sagemaker_program"
FOLDER = "code"


def has_code(job: TuningJob) -> bool:
    """Whether a job names a program and where it was put."""
    return {ARCHIVE, PROGRAM} <= job.statics.keys()


def archive_of(job: TuningJob, root: Path) -> Path:
    """Return the uploaded archive. Raises `Refusal` where there is none below the root."""
    address = _plain(job.statics[ARCHIVE])
    path = located(root, address)
    if path is None or not path.is_file():
        raise Refusal(
            "ValidationException",
            f"StaticHyperParameters.{ARCHIVE} = {address!r}: nothing was uploaded there through "
            "this client; give the SDK its session, client.session(), or name a trainer",
        )
    return path


def unpacked(job: TuningJob, root: Path, folder: Path) -> Path:
    """Unpack a job's code into its folder and return the program's path."""
    home, path = folder / FOLDER, archive_of(job, root)
    try:
        with tarfile.open(path) as archive:
            archive.extractall(home, filter="data")
    except tarfile.TarError as error:
        why = f"StaticHyperParameters.{ARCHIVE}: {path} cannot be unpacked ({error})"
        raise Refusal("ValidationException", why) from error
    program = home / _plain(job.statics[PROGRAM])
    if not program.is_file():
        why = f"StaticHyperParameters.{PROGRAM} = {program.name!r}: is no file of {path}"
        raise Refusal("ValidationException", why)
    return program


def _plain(text: str) -> str:
    """Return a static value without the quotes that SDK 2 puts around it."""
    return str(json.loads(text)) if text.startswith('"') else text
