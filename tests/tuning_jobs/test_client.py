"""The client: what is asked and answered, held against botocore's model of the service."""

import copy
import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from doubles import Walk
from tuning_jobs.responses import faults

import hpo_research as hpo
from hpo_research import sagemaker
from hpo_research.errors import (
    DocumentError,
    DocumentWarning,
    MissingPackageError,
    OfflineError,
    StoreEmptyError,
)
from hpo_research.sagemaker import LocalClient
from hpo_research.sagemaker.client import folders, processes, summaries, tuning_jobs
from hpo_research.sagemaker.client.reading import Jobs
from hpo_research.store import Store
from hpo_research.store.connection import FILE, keep_log, writer

SUMMARIES = "HyperParameterTuningJobSummaries"

REQUEST = {
    "HyperParameterTuningJobName": "Walk-1",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 24, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.0", "MaxValue": "1.0"}],
            "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c"]}],
        },
        "TrainingJobEarlyStoppingType": "Auto",
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"epochs": "9"},
        "AlgorithmSpecification": {
            "TrainingImage": "example/walk:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.+)"}],
        },
        "RoleArn": "arn:aws:iam::111122223333:role/TunerRole",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out/"},
        "HyperParameterTuningResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 20,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "Environment": {"MODE": "fast"},
    },
    "Tags": [{"Key": "team", "Value": "red"}],
}


def request(name="Walk-1", **changes):
    """A request by another name; `path__to__field=value` changes it."""
    made = copy.deepcopy(REQUEST) | {"HyperParameterTuningJobName": name}
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = made
        for step in outer:
            place = place[step]
        place[last] = value
    return made


RAN = request(
    HyperParameterTuningJobConfig__ParameterRanges__CategoricalParameterRanges=[
        {"Name": "kind", "Values": ["a", "b", "c"]},
        {"Name": "fixed", "Values": ["one"]},
    ]
)


def ran(root, name="Walk-1", *, seed=0, trials=24):
    """A job that has run here, by our loop, whatever ran its training jobs."""
    home = root / name
    home.mkdir(parents=True)
    (home / "job.json").write_text(json.dumps(RAN | {"HyperParameterTuningJobName": name}))
    experiment = hpo.Experiment(
        "job",
        [Walk(fails_above=0.3)],
        {"job": hpo.MedianStopping(hpo.Random(), kind="sagemaker")},
        seeds=[seed],
        budget=hpo.Budget(trials=trials),
        parallel=2,
    )
    hpo.run(experiment, out=home, progress=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ran(folder)
        ran(folder, "small-00", trials=2)
    for i in range(1, 12):
        shutil.copytree(folder / "small-00", folder / f"small-{i:02d}")
    return folder


@pytest.fixture(scope="module")
def client(root):
    return LocalClient(root)


@pytest.fixture(scope="module")
def run(root):
    return next(iter(hpo.Result.read(root / "Walk-1").runs.values()))


def answered(client, operation, **sent):
    """Ask and hold the answer against the service's model."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
    response = getattr(client, snake)(**sent)
    assert faults(operation, response) == []
    return response


def described(client, name="Walk-1"):
    return answered(client, "DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)


def listed(client, **sent):
    sent = {"HyperParameterTuningJobName": "Walk-1", **sent}
    return answered(client, "ListTrainingJobsForHyperParameterTuningJob", **sent)


def code_of(caught):
    return caught.value.response["Error"]["Code"]


def test_a_described_job_is_what_was_sent_and_what_the_store_holds(client, run):
    found = described(client)
    ended = [t for t in run.trials if t.value is not None]
    statuses = [t.status for t in run.trials]
    best = min(ended, key=lambda t: t.value)
    assert found["HyperParameterTuningJobConfig"] == RAN["HyperParameterTuningJobConfig"]
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert "FailureReason" not in found
    assert {"stopped", "failed", "finished"} == set(statuses)
    assert found["TrainingJobStatusCounters"] == {
        "Completed": statuses.count("finished"),
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": statuses.count("failed"),
        "Stopped": statuses.count("stopped"),
    }
    assert found["ObjectiveStatusCounters"] == {
        "Succeeded": len(ended),
        "Pending": 0,
        "Failed": len(statuses) - len(ended),
    }
    final = found["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert final == {"Type": "Minimize", "MetricName": "loss", "Value": best.value}
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {
        "fixed": "one",
        "kind": best.config["kind"],
        "x": repr(best.config["x"]),
    }
    assert "OverallBestTrainingJob" not in found


def test_a_described_job_holds_what_the_sdk_asks_it_for(client):
    definition = described(client)["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"]["_tuning_objective_metric"] == "loss"
    machines = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 20}
    assert definition["ResourceConfig"] == machines


def test_a_training_job_is_told_whole(client, run):
    names = [
        one["TrainingJobName"]
        for page in client.get_paginator(
            "list_training_jobs_for_hyper_parameter_tuning_job"
        ).paginate(HyperParameterTuningJobName="Walk-1")
        for one in page["TrainingJobSummaries"]
    ]
    assert len(names) == len(run.trials) == 24
    for trial, name in zip(run.trials, names, strict=True):
        found = answered(client, "DescribeTrainingJob", TrainingJobName=name)
        artifact = f"s3://bucket/out/{name}/output/model.tar.gz"
        assert found["ModelArtifacts"] == {"S3ModelArtifacts": artifact}
        assert found["OutputDataConfig"]["KmsKeyId"] == ""
        assert found["HyperParameters"] == {
            "_tuning_objective_metric": "loss",
            "epochs": "9",
            "fixed": "one",
            "kind": trial.config["kind"],
            "x": repr(trial.config["x"]),
        }
        assert found["Environment"] == {"MODE": "fast"}
        finals = {one["MetricName"]: one["Value"] for one in found["FinalMetricDataList"]}
        assert finals["double"] == 2 * finals["loss"]
        if trial.status != "failed":
            assert finals["loss"] == trial.value
        else:
            assert found["FailureReason"] == trial.reason


# --- lists ---


def test_training_jobs_come_in_the_order_that_is_asked_for(client, run):
    def names(**sent):
        return [
            one["TrainingJobName"]
            for one in listed(client, MaxResults=100, **sent)["TrainingJobSummaries"]
        ]

    by_name = names()
    assert by_name == sorted(by_name)
    assert names(SortOrder="Descending") == by_name[::-1]
    assert names(SortBy="CreationTime") == by_name
    values = {name: t.value for name, t in zip(by_name, run.trials, strict=True)}
    known = sorted((n for n in by_name if values[n] is not None), key=lambda n: (values[n], n))
    assert names(SortBy="FinalObjectiveMetricValue") == known
    assert names(SortBy="FinalObjectiveMetricValue", SortOrder="Descending") == known[::-1]
    stopped = [n for n, t in zip(by_name, run.trials, strict=True) if t.status == "stopped"]
    assert names(StatusEquals="Stopped") == stopped
    assert names(SortBy="Status")[-len(stopped) :] == stopped


def test_the_first_page_is_of_ten_and_the_last_has_no_token(client):
    first = listed(client)
    assert len(first["TrainingJobSummaries"]) == 10
    second = listed(client, NextToken=first["NextToken"])
    third = listed(client, NextToken=second["NextToken"])
    assert len(third["TrainingJobSummaries"]) == 4
    assert "NextToken" not in third


@pytest.mark.parametrize("change", ["cut", "edited", "another order", "text"])
def test_a_token_that_is_not_of_the_request_is_refused(client, change):
    token = listed(client)["NextToken"]
    sent = {"NextToken": token}
    if change == "cut":
        sent["NextToken"] = token[:-4]
    elif change == "edited":
        sent["NextToken"] = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    elif change == "another order":
        sent["SortOrder"] = "Descending"
    else:
        sent["NextToken"] = "ü[]"
    with pytest.raises(ClientError, match="NextToken: is not one") as caught:
        listed(client, **sent)
    assert code_of(caught) == "ValidationException"


def test_tuning_jobs_are_listed_by_name_and_filtered(client):
    def names(**sent):
        pages = client.get_paginator("list_hyper_parameter_tuning_jobs").paginate(**sent)
        found = [one for page in pages for one in page["HyperParameterTuningJobSummaries"]]
        return [one["HyperParameterTuningJobName"] for one in found]

    every = names()
    assert every == sorted(every) and len(every) == 13
    assert names(NameContains="SMALL-0") == [f"small-{i:02d}" for i in range(10)]
    assert names(StatusEquals="Failed") == []
    now = datetime.now(UTC)
    assert names(CreationTimeAfter=now + timedelta(hours=1)) == []
    assert (
        names(
            CreationTimeBefore=now + timedelta(hours=1),
            LastModifiedTimeAfter=now - timedelta(days=1),
        )
        == every
    )
    assert names(SortBy="CreationTime", SortOrder="Descending")[-1] == "Walk-1"


def test_a_listed_job_counts_as_a_described_one(client):
    found = answered(client, "ListHyperParameterTuningJobs", NameContains="Walk")
    (one,) = found["HyperParameterTuningJobSummaries"]
    whole = described(client)
    for key in one.keys() & whole.keys():
        assert one[key] == whole[key], key
    assert one["ResourceLimits"] == REQUEST["HyperParameterTuningJobConfig"]["ResourceLimits"]


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        ({"SortBy": "Age"}, "SortBy = 'Age': must be one of Name, Status, CreationTime"),
        ({"MaxResults": 101}, "MaxResults = 101: must be at most 100"),
        ({"NameContains": "a b"}, r"NameContains = 'a b': must match"),
    ],
)
def test_what_the_model_forbids_is_refused(client, sent, line):
    with pytest.raises(ClientError, match=line) as caught:
        client.list_hyper_parameter_tuning_jobs(**sent)
    assert code_of(caught) == "ValidationException"


def test_botocore_itself_checks_what_is_sent(client):
    with pytest.raises(ParamValidationError, match="Unknown parameter"):
        client.list_hyper_parameter_tuning_jobs(Nonsense=1)


# --- what is refused ---


@pytest.mark.parametrize("name", ["Walk-1", "WALK-1"])
def test_a_taken_name_is_refused_whatever_its_case(root, name):
    client = LocalClient(root, {"*": ["true"]})
    with pytest.raises(client.exceptions.ResourceInUse, match="the name is taken by a tuning job"):
        client.create_hyper_parameter_tuning_job(**request(name))


def test_what_load_refuses_is_refused_with_its_lines(tmp_path):
    wrong = request(
        HyperParameterTuningJobConfig__Strategy="Annealing",
        HyperParameterTuningJobConfig__HyperParameterTuningJobObjective={
            "Type": "Minimize",
            "MetricName": "other",
        },
    )
    with pytest.raises(ClientError) as caught:
        LocalClient(tmp_path, {"*": ["true"]}).create_hyper_parameter_tuning_job(**wrong)
    lines = caught.value.response["Error"]["Message"].splitlines()
    with pytest.raises(DocumentError) as alone:
        sagemaker.load(wrong)
    assert lines == str(alone.value).splitlines()
    assert len(lines) == 2
    assert code_of(caught) == "ValidationException"
    assert not list(tmp_path.iterdir())


def test_what_is_beyond_a_quota_is_refused_where_that_is_asked_for(tmp_path):
    large = request(
        HyperParameterTuningJobConfig__ResourceLimits={
            "MaxNumberOfTrainingJobs": 751,
            "MaxParallelTrainingJobs": 2,
        }
    )
    client = LocalClient(tmp_path, {"*": ["true"]}, strict=True)
    with pytest.raises(client.exceptions.ResourceLimitExceeded, match="the quota is 750"):
        client.create_hyper_parameter_tuning_job(**large)


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="gone"),
        lambda c: c.describe_training_job(TrainingJobName="Walk-1-001-00000000"),
        lambda c: c.describe_training_job(TrainingJobName="gone"),
        lambda c: c.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="gone"),
    ],
)
def test_what_is_not_there_is_not_found(client, ask):
    with pytest.raises(ClientError, match="there is no t") as caught:
        ask(client)
    assert code_of(caught) == "ResourceNotFound"


def test_what_has_ended_cannot_be_stopped(client):
    with pytest.raises(ClientError, match="Walk-1 is Completed: what has ended") as caught:
        client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="Walk-1")
    assert code_of(caught) == "ValidationException"
    name = listed(client)["TrainingJobSummaries"][0]["TrainingJobName"]
    with pytest.raises(ClientError, match="what has ended cannot be stopped"):
        client.stop_training_job(TrainingJobName=name)


def test_a_job_without_a_trainer_says_whose_is_missing(tmp_path):
    with pytest.raises(ClientError, match="no trainer is known for 'example/walk:1'; give"):
        LocalClient(tmp_path).create_hyper_parameter_tuning_job(**request())


def test_trainers_that_are_none_are_refused_together(tmp_path):
    with pytest.raises(DocumentError) as caught:
        LocalClient(tmp_path, {"one": tmp_path / "gone.py", "two": 3})
    first, second = str(caught.value).splitlines()
    assert first == f"trainers['one']: there is no script {tmp_path / 'gone.py'}"
    assert second.startswith("trainers['two']: must be a script's path, a command")


def test_a_client_loads_boto3_when_it_is_made(tmp_path):
    program = (
        "import sys; from hpo_research.sagemaker import LocalClient, analytics; "
        "print({'boto3', 'botocore', 'torch', 'pandas'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_without_boto3_a_client_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("hpo_research.sagemaker.client.local.find_spec", lambda name: None)
    with pytest.raises(
        MissingPackageError, match=r"LocalClient needs boto3, .*; pip install boto3"
    ):
        LocalClient(tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"region": 3}, "LocalClient(region=3): region must be the name of a region, such as"),
        ({"region": ""}, "LocalClient(region=''): region must be the name of a region, such as"),
        ({"region": "a b"}, "LocalClient(region='a b'): region must be the name of a region"),
        ({"strict": "no"}, "LocalClient(strict='no'): strict must be True or False"),
    ],
)
def test_options_that_are_none_are_refused(given, message, tmp_path):
    with pytest.raises(DocumentError) as caught:
        LocalClient(tmp_path, **given)
    assert message in str(caught.value)


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DocumentError, match="file is a file; expected a folder"):
        LocalClient(tmp_path / "file")


def test_a_document_that_somebody_broke_is_said_by_its_lines(root, tmp_path):
    shutil.copytree(root / "small-00", tmp_path / "small-00")
    (tmp_path / "small-00" / "job.json").write_text('{"Strategy": "Annealing"}')
    for ask in (
        LocalClient(tmp_path).list_hyper_parameter_tuning_jobs,
        lambda: described(LocalClient(tmp_path), "small-00"),
    ):
        with pytest.raises(DocumentError, match=r"Strategy = 'Annealing': must be (.|\n)*absent"):
            ask()


def test_what_has_no_answer_is_never_sent(client):
    with pytest.raises(OfflineError, match=r"sagemaker\.ListModels: not answered here"):
        client.list_models()
    with pytest.raises(OfflineError, match=r"ec2\.DescribeInstances: not answered here"):
        client.session().client("ec2").describe_instances()


# --- tags, deleting, sessions ---


def test_tags_are_those_of_the_job_and_of_its_training_jobs(client):
    tags = [{"Key": "team", "Value": "red"}]
    arn = described(client)["HyperParameterTuningJobArn"]
    assert answered(client, "ListTags", ResourceArn=arn)["Tags"] == tags
    one = listed(client)["TrainingJobSummaries"][0]["TrainingJobArn"]
    assert answered(client, "ListTags", ResourceArn=one)["Tags"] == tags


def test_deleting_removes_the_record_alone(root, tmp_path):
    shutil.copytree(root / "small-00", tmp_path / "small-00")
    client = LocalClient(tmp_path)
    sent = {"HyperParameterTuningJobName": "small-00"}
    (first, _) = listed(client, **sent)["TrainingJobSummaries"]
    for number in (1, 2):
        answered(client, "DeleteHyperParameterTuningJob", **sent)
        with pytest.raises(client.exceptions.ResourceNotFound):
            client.describe_hyper_parameter_tuning_job(**sent)
        answered(client, "DescribeTrainingJob", TrainingJobName=first["TrainingJobName"])
        assert (tmp_path / "_deleted" / f"small-00.{number}" / "store.sqlite").is_file()
        shutil.copytree(root / "small-00", tmp_path / "small-00")


def test_a_job_that_is_deleted_while_it_is_read_is_not_there(root, tmp_path, monkeypatch):
    shutil.copytree(root / "small-00", tmp_path / "small-00")
    (tmp_path / "_deleted").mkdir()
    (tmp_path / "_deleted" / "gone.txt").touch()  # somebody else's
    client, gone = LocalClient(tmp_path), tmp_path / "gone"
    there = folders.jobs(tmp_path)
    monkeypatch.setattr(folders, "jobs", lambda root: {"gone": gone, **there})
    for sort in ("Name", "Status", "CreationTime"):
        found = answered(client, "ListHyperParameterTuningJobs", SortBy=sort)
        names = [one["HyperParameterTuningJobName"] for one in found[SUMMARIES]]
        assert names == ["small-00"]
    monkeypatch.setattr(folders, "home", lambda root, name: gone)
    for ask in (client.describe_hyper_parameter_tuning_job, client.stop_hyper_parameter_tuning_job):
        with pytest.raises(client.exceptions.ResourceNotFound, match=r"of this name .* any more"):
            ask(HyperParameterTuningJobName="gone")
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_training_job(TrainingJobName="gone-001-00000000")


def test_a_job_that_is_made_anew_while_it_is_read_is_read_whole(root, tmp_path, monkeypatch):
    client, home, ended = LocalClient(tmp_path), tmp_path / "small-00", []
    shutil.copytree(root / "small-00", home)
    look = processes.stands

    def replaced(folder, seen):
        found = look(folder, seen)
        if not ended:  # it is deleted just now, and another begins to be made
            ended.append(found.status)
            folders.remove(tmp_path, home)
            folders.enter(
                tmp_path, "small-00", json.loads((root / "small-00/job.json").read_text())
            )
            (home / FILE).touch()
        return found

    monkeypatch.setattr(summaries, "stands", replaced)
    (one,) = answered(client, "ListHyperParameterTuningJobs")[SUMMARIES]
    assert (ended, one["HyperParameterTuningJobStatus"]) == (["Completed"], "InProgress")


def test_a_job_whose_store_is_being_made_is_in_progress(root, tmp_path):
    home = tmp_path / "small-00"
    home.mkdir()
    shutil.copy(root / "small-00" / "job.json", home)
    with closing(writer(home / FILE)) as connection:
        keep_log(connection)  # the file has a header, and no tables
        client = LocalClient(tmp_path)
        (one,) = answered(client, "ListHyperParameterTuningJobs")[SUMMARIES]
        assert one["HyperParameterTuningJobStatus"] == "InProgress"
        sent = {"HyperParameterTuningJobName": "small-00"}
        told = answered(client, "DescribeHyperParameterTuningJob", **sent)
        assert told["HyperParameterTuningJobStatus"] == "InProgress"
        with pytest.raises(StoreEmptyError, match="is about to fill it, or was killed before: run"):
            Store.read(home)


def test_the_session_reads_nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "gone")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "gone"))
    session = LocalClient(tmp_path).session()
    assert session.client("sts").get_caller_identity()["Account"] == "000000000000"
    assert session.get_credentials().access_key == "local"


@pytest.mark.parametrize("size", [0, 5, 20 * 2**20])
def test_an_upload_lands_below_the_root_and_comes_back(tmp_path, size):
    session = LocalClient(tmp_path / "root").session()
    content = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
    (tmp_path / "file").write_bytes(content)
    session.resource("s3").Object("bucket", "a/../b.bin").upload_file(str(tmp_path / "file"))
    (found,) = [p for p in (tmp_path / "root").rglob("*") if p.is_file()]
    assert found.is_relative_to(tmp_path / "root" / "_s3" / "bucket")
    session.client("s3").download_file("bucket", "a/../b.bin", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    with pytest.raises(ClientError, match="404"):
        session.client("s3").head_object(Bucket="bucket", Key="gone")


def test_a_job_that_converged_says_when(root):
    look = Jobs().look(root / "Walk-1")
    details = tuning_jobs.described(look, "us-east-1", [])["TuningJobCompletionDetails"]
    assert "ConvergenceDetectedTime" not in details
    place = look.best.place
    later = sum(job.has_value and job.place > place for job in look.jobs)
    assert details["NumberOfTrainingJobsObjectiveNotImproving"] == later
    seen = replace(look.standing.seen, ended="converged: at 3 asks", ended_by="strategy")
    converged = replace(look, standing=replace(look.standing, seen=seen))
    details = tuning_jobs.described(converged, "us-east-1", [])["TuningJobCompletionDetails"]
    assert details["ConvergenceDetectedTime"] == look.standing.ended


def test_the_overall_best_is_that_of_the_job_and_its_parents(root, tmp_path):
    for name in ("small-00", "Walk-1"):
        shutil.copytree(root / name, tmp_path / name)
    child = json.loads((tmp_path / "small-00" / "job.json").read_text())
    start = {"WarmStartType": "IdenticalDataAndAlgorithm"}
    start["ParentHyperParameterTuningJobs"] = [{"HyperParameterTuningJobName": "Walk-1"}]
    child["WarmStartConfig"] = start
    (tmp_path / "small-00" / "job.json").write_text(json.dumps(child))
    found = described(LocalClient(tmp_path), "small-00")["OverallBestTrainingJob"]
    with pytest.warns(DocumentWarning):
        job = sagemaker.load(tmp_path / "small-00" / "job.json", root=tmp_path)
    known = sagemaker.overall_best(job, tmp_path / "small-00", tmp_path)
    assert found["TuningJobName"] == known.tuning_job == "Walk-1"
    assert found["TunedHyperParameters"]["x"] == repr(known.trial.config["x"])


# --- the frame ---


def test_the_frame_has_the_columns_of_the_service_and_every_value(root, run):
    frame = sagemaker.analytics(root / "Walk-1")
    assert list(frame.columns[:9]) == [
        *("fixed", "x", "kind", "TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue"),
        *("TrainingStartTime", "TrainingEndTime", "TrainingElapsedTimeSeconds"),
    ]
    assert frame["x"].tolist() == [t.config["x"] for t in run.trials]
    assert frame["ObjectiveValues"].tolist() == [list(t.values) for t in run.trials]
    assert frame["Origin"].tolist() == [t.origin for t in run.trials]
    assert frame.attrs["scales"] == {"x": "linear"}
    assert (frame["TrainingElapsedTimeSeconds"] > 0).all()
    stops = {t.id: t for t in run.trials if t.status == "stopped"}
    assert {i for i, text in enumerate(frame["Stop"]) if text} == stops.keys()
    for i, trial in stops.items():
        epoch = trial.reached
        compared = frame["Stop"][i].removeprefix(f"median at epoch {epoch}: ").split(" against ")
        value, bound = map(float, compared)
        means = [
            sum(t.values[:epoch]) / epoch
            for t in run.trials[:i]
            if t.status == "finished" and len(t.values) >= epoch
        ]
        assert value == trial.values[-1] > bound
        assert min(means) <= bound


def test_a_frame_of_no_job_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="there is no such folder"):
        sagemaker.analytics(tmp_path / "gone")
