"""Jobs that a client begins: scripts in processes of their own, functions in a thread."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tuning_jobs.responses import faults
from tuning_jobs.test_client import request

from hpo_research.sagemaker import LocalClient

SCRIPT = """
import json, os, pathlib, sys, time
place = pathlib.Path(os.environ["MARKS"])
mark = place / f"{os.getpid()}.running"
mark.touch()
print("running", len(list(place.glob("*.running"))), flush=True)
values = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for epoch in range(3):
    print(f"loss={float(values.get('-x') or values['--x']) + 1 / (epoch + 1)}", flush=True)
    time.sleep(float(os.environ["PAUSE"]))
mark.unlink()
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(values.get("-x") or values["--x"])
"""
CREATES = """
import json, sys
from hpo_research.sagemaker import LocalClient
client = LocalClient(sys.argv[1])
client.session().client("s3").upload_file(sys.argv[2], "bucket", "code/source.tar.gz")
client.create_hyper_parameter_tuning_job(**json.loads(sys.argv[3]))
"""


def small(name, tmp_path, *, jobs=3, pause=0.0, **statics):
    marks = tmp_path / "marks"
    marks.mkdir(exist_ok=True)
    made = request(name)
    made["HyperParameterTuningJobConfig"] |= {"TrainingJobEarlyStoppingType": "Off"}
    limits = {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2}
    made["HyperParameterTuningJobConfig"]["ResourceLimits"] = limits
    made["TrainingJobDefinition"] |= {
        "Environment": {"MARKS": str(marks), "PAUSE": str(pause)},
        "StaticHyperParameters": statics,
    }
    return made


def described(client, name):
    found = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert faults("DescribeHyperParameterTuningJob", found) == []
    return found


def listed(client, name):
    found = client.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    assert faults("ListTrainingJobsForHyperParameterTuningJob", found) == []
    return found["TrainingJobSummaries"]


def until(holds, seconds=60):
    by = time.monotonic() + seconds
    while time.monotonic() < by:
        if found := holds():
            return found
        time.sleep(0.2)
    raise AssertionError("it never came to that")


def ended(client, name):
    found = described(client, name)
    return found["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping") and found


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def test_uploaded_code_runs_and_outlives_the_program_that_sent_it(tmp_path, script):
    with tarfile.open(tmp_path / "source.tar.gz", "w:gz") as archive:
        archive.add(script, "inner/train.py")
    sent = small(
        "sent",
        tmp_path,
        sagemaker_submit_directory=json.dumps("s3://bucket/code/source.tar.gz"),
        sagemaker_program=json.dumps("inner/train.py"),
    )
    root = tmp_path / "root"
    arguments = [str(root), str(tmp_path / "source.tar.gz"), json.dumps(sent)]
    subprocess.run([sys.executable, "-c", CREATES, *arguments], check=True)
    client = LocalClient(root)
    assert described(client, "sent")["HyperParameterTuningJobStatus"] == "InProgress"
    found = until(lambda: ended(client, "sent"))
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"]["Completed"] == 3
    jobs = listed(client, "sent")
    values = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] - 1 / 3 for one in jobs]
    assert values == pytest.approx([float(one["TunedHyperParameters"]["x"]) for one in jobs])
    logs = [path.read_text() for path in (root / "sent" / "jobs").glob("*/output.log")]
    assert len(logs) == 3
    assert max(int(log.split()[1]) for log in logs) <= 2
    for one in jobs:
        whole = client.describe_training_job(TrainingJobName=one["TrainingJobName"])
        assert faults("DescribeTrainingJob", whole) == []
        assert one["TrainingStartTime"] >= found["CreationTime"]
        bucket, _, key = whole["ModelArtifacts"]["S3ModelArtifacts"][5:].partition("/")
        client.session().client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
        with tarfile.open(tmp_path / "model.tar.gz") as archive:
            assert (
                archive.extractfile("model.txt").read().decode() == one["TunedHyperParameters"]["x"]
            )


def test_one_job_is_stopped_then_all(tmp_path, script):
    client = LocalClient(tmp_path / "root", {"example/walk:1": [sys.executable, str(script)]})
    client.create_hyper_parameter_tuning_job(**small("long", tmp_path, jobs=9, pause=60))
    first = until(lambda: len(found := listed(client, "long")) == 2 and found)[0]
    name = first["TrainingJobName"]
    assert client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training"
    with pytest.raises(ClientError, match="long is InProgress: stop it, and delete it when"):
        client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    client.stop_training_job(TrainingJobName=name)
    jobs = until(lambda: len(found := listed(client, "long")) == 3 and found)
    assert [one["TrainingJobStatus"] for one in jobs] == ["Stopped", "InProgress", "InProgress"]
    assert described(client, "long")["HyperParameterTuningJobStatus"] == "InProgress"
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    found = until(lambda: ended(client, "long"))
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 3
    assert {one["TrainingJobStatus"] for one in listed(client, "long")} == {"Stopped"}


def test_a_job_whose_process_was_killed_has_failed_and_says_how_to_go_on(tmp_path, script):
    client = LocalClient(tmp_path / "root", {"*": script})
    client.create_hyper_parameter_tuning_job(**small("killed", tmp_path, pause=60))
    until(lambda: len(listed(client, "killed")) == 2)
    noted = json.loads((tmp_path / "root" / "killed" / "process.json").read_text())
    os.kill(noted["pid"], signal.SIGKILL)
    found = until(lambda: ended(client, "killed"))
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert f"process {noted['pid']} has ended before the job" in found["FailureReason"]
    (one,) = client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert one["HyperParameterTuningJobStatus"] == "Failed"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 2
    for key in ("TrainingJobStatusCounters", "ObjectiveStatusCounters"):
        assert one[key] == found[key]
    assert {one["TrainingJobStatus"] for one in listed(client, "killed")} == {"Stopped"}
    until(lambda: not any(is_running(path) for path in (tmp_path / "marks").iterdir()))


def is_running(mark):
    return Path("/proc", mark.stem).exists()


def objective(config):
    return float(config["x"])


def test_a_function_is_run_in_a_thread_of_the_client(tmp_path):
    client = LocalClient(tmp_path, {"*": objective})
    client.create_hyper_parameter_tuning_job(**small("function", tmp_path))
    found = until(lambda: ended(client, "function"))
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    best = found["BestTrainingJob"]
    value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert value == float(best["TunedHyperParameters"]["x"])


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("train.py", "nothing was uploaded there through this client; give the SDK its session"),
        ("other.py", r"sagemaker_program = 'other\.py': is no file of"),
        ("broken", "cannot be unpacked"),
    ],
)
def test_code_that_is_none_is_refused_and_leaves_the_name_free(tmp_path, program, line, script):
    root = tmp_path / "root"
    client, place = LocalClient(root), root / "_s3" / "bucket" / "source.tar.gz"
    place.parent.mkdir(parents=True)
    if program == "other.py":
        with tarfile.open(place, "w:gz") as archive:
            archive.add(script, "train.py")
    elif program == "broken":
        place.write_text("no archive")
    sent = small(
        "sent",
        tmp_path,
        sagemaker_submit_directory="s3://bucket/source.tar.gz",
        sagemaker_program=program,
    )
    with pytest.raises(ClientError, match=line) as caught:
        client.create_hyper_parameter_tuning_job(**sent)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert not (root / "sent").exists()
