"""What training jobs saved, as the objects that the service would have put into a bucket."""

import re
import tarfile
from pathlib import Path

from hpo_research.sagemaker.client.reading import Look, TrainingJob
from hpo_research.sagemaker.client.training_jobs import artifacts

_OBJECT = re.compile(r"(?:.*/)?([^/]+)/output/model\.tar\.gz", re.DOTALL)


def job_in(key: str) -> str | None:
    """Return the training job whose model an object would be; None for any other object."""
    found = _OBJECT.fullmatch(key)
    return found and found[1]


def packed(look: Look, job: TrainingJob, bucket: str, key: str, place: Path) -> None:
    """Pack what an ended job left in its model folder, where the object is that of the job."""
    model = look.folder / "jobs" / f"{job.id:03d}" / "model"
    address = artifacts(look, look.name_of(job))
    if job.ended is None or address != f"s3://{bucket}/{key}" or not model.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f"{place.name}.part")
    with tarfile.open(beside, "w:gz") as archive:
        for path in sorted(model.iterdir()):
            archive.add(path, path.name)
    beside.replace(place)
