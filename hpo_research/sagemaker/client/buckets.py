"""Buckets of S3 as folders: what a program uploads lies below the root of its jobs.

`ROOT/_s3/BUCKET/KEY`; no tuning job has such a name. Large files come in parts and are joined.
"""

import hashlib
import io
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from hpo_research.errors import OfflineError
from hpo_research.sagemaker.client.arns import ACCOUNT
from hpo_research.sagemaker.client.refusals import Refusal

BUCKETS = "_s3"

_PARTS = "_parts"  # no bucket has such a name
Fields = Mapping[str, Any]


def place_of(root: Path, bucket: str, key: str) -> Path:
    """Return where an object lies; steps upwards are names like others."""
    parts = [part for part in key.split("/") if part]
    return root.joinpath(BUCKETS, bucket, *(_plain(part) for part in parts))


def located(root: Path, uri: str) -> Path | None:
    """Return where the object of an `s3://BUCKET/KEY` lies; None for any other address."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return place_of(root, bucket, key) if scheme == "s3" and bucket else None


def _plain(part: str) -> str:
    return part.replace(".", "%2E") if part in (".", "..") else part


@dataclass(frozen=True)
class Buckets:
    """The buckets below a root; every bucket exists."""

    root: Path

    def answer(self, operation: str, sent: Fields) -> Fields:
        """Answer a call of S3. Raises `OfflineError` for one that has no answer here."""
        known = _OPERATIONS.get(operation)
        if known is None:
            raise OfflineError(f"s3.{operation}: not answered here, and nothing is sent")
        return known(self, sent)

    def _head_bucket(self, sent: Fields) -> Fields:
        return {}

    def _list_buckets(self, sent: Fields) -> Fields:
        home = self.root / BUCKETS
        names = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
        wanted = [n for n in names if n != _PARTS and n.startswith(sent.get("Prefix", ""))]
        return {"Buckets": [{"Name": name} for name in wanted], "Owner": {"ID": ACCOUNT}}

    def _create_bucket(self, sent: Fields) -> Fields:
        (self.root / BUCKETS / sent["Bucket"]).mkdir(parents=True, exist_ok=True)
        return {"Location": f"/{sent['Bucket']}"}

    def _put(self, sent: Fields) -> Fields:
        path = self._path(sent)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, sent.get("Body", b""))
        return {"ETag": _tag(path)}

    def _head(self, sent: Fields) -> Fields:
        path = self._there(sent)
        found = path.stat()
        changed = datetime.fromtimestamp(found.st_mtime, UTC)
        return {"ContentLength": found.st_size, "LastModified": changed, "ETag": _tag(path)}

    def _get(self, sent: Fields) -> Fields:
        head, content = dict(self._head(sent)), self._path(sent).read_bytes()
        if given := sent.get("Range"):
            begin, _, end = str(given).removeprefix("bytes=").partition("-")
            content = content[int(begin or 0) : int(end) + 1 if end else None]
            head["ContentLength"] = len(content)
        return {**head, "Body": io.BytesIO(content)}

    def _list(self, sent: Fields) -> Fields:
        home = self.root / BUCKETS / sent["Bucket"]
        keys = {p.relative_to(home).as_posix(): p for p in sorted(home.rglob("*")) if p.is_file()}
        rows = [
            {"Key": key, "Size": path.stat().st_size, "ETag": _tag(path)}
            for key, path in keys.items()
            if key.startswith(sent.get("Prefix", ""))
        ]
        found = {"Name": sent["Bucket"], "IsTruncated": False, "KeyCount": len(rows)}
        return {**found, **({"Contents": rows} if rows else {})}

    def _delete(self, sent: Fields) -> Fields:
        self._path(sent).unlink(missing_ok=True)
        return {}

    def _begin_parts(self, sent: Fields) -> Fields:
        number = uuid.uuid4().hex
        self._parts(number).mkdir(parents=True)
        return {"Bucket": sent["Bucket"], "Key": sent["Key"], "UploadId": number}

    def _part(self, sent: Fields) -> Fields:
        path = self._parts(sent["UploadId"]) / f"{sent['PartNumber']:05d}"
        _write(path, sent["Body"])
        return {"ETag": _tag(path)}

    def _join_parts(self, sent: Fields) -> Fields:
        parts, path = self._parts(sent["UploadId"]), self._path(sent)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for part in sorted(parts.iterdir()):
                file.write(part.read_bytes())
        shutil.rmtree(parts)
        return {"Bucket": sent["Bucket"], "Key": sent["Key"], "ETag": _tag(path)}

    def _abort_parts(self, sent: Fields) -> Fields:
        shutil.rmtree(self._parts(sent["UploadId"]))
        return {}

    def _path(self, sent: Fields) -> Path:
        return place_of(self.root, sent["Bucket"], sent["Key"])

    def _there(self, sent: Fields) -> Path:
        path = self._path(sent)
        if not path.is_file():
            raise Refusal("404", f"s3://{sent['Bucket']}/{sent['Key']}: nothing lies there")
        return path

    def _parts(self, number: str) -> Path:
        return self.root / BUCKETS / _PARTS / number


_OPERATIONS: Mapping[str, Callable[[Buckets, Fields], Fields]] = {
    "HeadBucket": Buckets._head_bucket,
    "ListBuckets": Buckets._list_buckets,
    "CreateBucket": Buckets._create_bucket,
    "PutObject": Buckets._put,
    "HeadObject": Buckets._head,
    "GetObject": Buckets._get,
    "ListObjects": Buckets._list,
    "ListObjectsV2": Buckets._list,
    "DeleteObject": Buckets._delete,
    "CreateMultipartUpload": Buckets._begin_parts,
    "UploadPart": Buckets._part,
    "CompleteMultipartUpload": Buckets._join_parts,
    "AbortMultipartUpload": Buckets._abort_parts,
}


def _write(path: Path, body: str | bytes | bytearray | BinaryIO) -> None:
    """Write an object beside its place and move it there, so that nobody reads half of it."""
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with beside.open("wb") as file:
        if isinstance(body, str):
            file.write(body.encode())
        elif isinstance(body, bytes | bytearray):
            file.write(body)
        else:
            shutil.copyfileobj(body, file)
    beside.replace(path)


def _tag(path: Path) -> str:
    with path.open("rb") as file:
        return f'"{hashlib.file_digest(file, "md5").hexdigest()}"'
