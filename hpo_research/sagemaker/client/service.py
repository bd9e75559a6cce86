"""The operations of the service on the jobs below a folder."""

import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hpo_research.errors import DocumentError, DocumentWarning, OfflineError
from hpo_research.sagemaker import loading, names
from hpo_research.sagemaker.client import artifacts, folders, identities, training_jobs, tuning_jobs
from hpo_research.sagemaker.client.arns import tuning_arn
from hpo_research.sagemaker.client.buckets import Buckets, place_of
from hpo_research.sagemaker.client.calls import Call
from hpo_research.sagemaker.client.pages import Keyed, page
from hpo_research.sagemaker.client.reading import Jobs, Look, TrainingJob
from hpo_research.sagemaker.client.refusals import Code, Refusal
from hpo_research.sagemaker.client.starting import Trainers, start
from hpo_research.sagemaker.client.stops import stop_run, stop_trial
from hpo_research.sagemaker.client.summaries import Summaries
from hpo_research.sagemaker.job import TuningJob

Fields = dict[str, Any]
Request = Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """Answers what a client asks of the service; its memory is the folder of the jobs."""

    root: Path
    trainers: Trainers
    region: str
    strict: bool
    _jobs: Jobs = field(default_factory=Jobs)
    _summaries: Summaries = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_summaries", Summaries(self.root, self.region))

    def answer(self, call: Call) -> Mapping[str, Any]:
        """Answer a call of any service. Raises `Refusal`, `OfflineError` for what is not here."""
        match call.service:
            case "sagemaker" if call.operation in _OPERATIONS:
                return _OPERATIONS[call.operation](self, call.body or {})
            case "s3":
                self._pack(call)
                return Buckets(self.root).answer(call.operation, call.sent)
            case "sts":
                return identities.caller(call.operation)
            case "iam":
                return identities.permissions(call.operation, call.sent)
        raise OfflineError(
            f"{call.service}.{call.operation}: not answered here, and nothing is sent; answered "
            f"are {', '.join(_OPERATIONS)}"
        )

    # -- tuning jobs

    def create(self, request: Request) -> Fields:
        """Begin a tuning job, as `CreateHyperParameterTuningJob`."""
        job = self._loaded(request)
        trainer = self.trainers.of(job)
        folder = folders.enter(self.root, str(job.name), dict(request))
        try:
            start(job, trainer, self.root, folder)
        except BaseException:
            shutil.rmtree(folder)  # it has not begun, and its name is free again
            raise
        return {"HyperParameterTuningJobArn": tuning_arn(self.region, folder.name)}

    def describe(self, request: Request) -> Fields:
        """Describe a tuning job, as `DescribeHyperParameterTuningJob`."""

        def told() -> Fields:
            look = self._look(request)
            return tuning_jobs.described(look, self.region, self._parents(look))

        return folders.whole(self._look(request).folder, told)

    def stop(self, request: Request) -> Fields:
        """Ask a tuning job to stop, as `StopHyperParameterTuningJob`."""
        look = self._look(request)
        if look.standing.is_over:
            why = f"{look.name} is {look.standing.status}: what has ended cannot be stopped"
            raise Refusal("ValidationException", why)
        stop_run(look.folder)
        return {}

    def delete(self, request: Request) -> Fields:
        """Remove the record of a tuning job, as `DeleteHyperParameterTuningJob`."""
        look = self._look(request)
        if not look.standing.is_over:
            why = f"{look.name} is {look.standing.status}: stop it, and delete it when it has ended"
            raise Refusal("ValidationException", why)
        folders.remove(self.root, look.folder)
        return {}

    def list_tuning_jobs(self, request: Request) -> Fields:
        """List tuning jobs, as `ListHyperParameterTuningJobs`."""
        return self._summaries.page(request)

    # -- training jobs

    def list_training_jobs(self, request: Request) -> Fields:
        """List the jobs of a tuning job, as `ListTrainingJobsForHyperParameterTuningJob`."""
        look, by = self._look(request), request.get("SortBy", "Name")
        wanted = request.get("StatusEquals")
        rows = [
            Keyed(training_jobs.order(look, job, by), job)
            for job in look.jobs
            if wanted in (None, training_jobs.status(look, job))
            and (by != "FinalObjectiveMetricValue" or job.has_value)
        ]
        shown, more = page(rows, request)
        found = [training_jobs.summary(look, job, self.region) for job in shown]
        return {"TrainingJobSummaries": found, **more}

    def describe_training_job(self, request: Request) -> Fields:
        """Describe a training job, as `DescribeTrainingJob`."""

        def told() -> Fields:
            look, job = self._training_job(request["TrainingJobName"])
            return training_jobs.described(look, job, self.region)

        look, _ = self._training_job(request["TrainingJobName"])
        return folders.whole(look.folder, told)

    def stop_training_job(self, request: Request) -> Fields:
        """Ask a training job to stop, as `StopTrainingJob`."""
        look, job = self._training_job(request["TrainingJobName"])
        if job.ended is not None:
            said = job.status
            why = f"{request['TrainingJobName']} is {said}: what has ended cannot be stopped"
            raise Refusal("ValidationException", why)
        stop_trial(look.folder, job.id)
        return {}

    def list_tags(self, request: Request) -> Fields:
        """List the tags of a tuning job, or of one of its jobs, as `ListTags`."""
        kind, _, name = request["ResourceArn"].rpartition(":")[2].partition("/")
        if kind == "training-job":
            look, _ = self._training_job(name)
        else:
            look = self._seen(folders.home(self.root, name))
        tags = look.job.request.Tags or ()
        return {"Tags": [one.model_dump(exclude_none=True) for one in tags]}

    # -- what is known

    def _loaded(self, request: Request) -> TuningJob:
        """Load what was sent. Raises `Refusal` with a line for each rule that it breaks."""
        try:
            with warnings.catch_warnings():
                if self.strict:
                    warnings.simplefilter("ignore", DocumentWarning)  # they are refused below
                job = loading.load(dict(request), root=self.root)
            _ = job.space  # several definitions, and Autotune, are not run here
        except DocumentError as error:
            raise Refusal("ValidationException", str(error)) from error
        if self.strict and job.warnings:
            is_quota = any("quota" in line for line in job.warnings)
            code: Code = "ResourceLimitExceeded" if is_quota else "ValidationException"
            raise Refusal(code, "\n".join(job.warnings))
        return job

    def _look(self, request: Request) -> Look:
        return self._seen(folders.home(self.root, request["HyperParameterTuningJobName"]))

    def _seen(self, folder: Path) -> Look:
        return folders.whole(folder, partial(self._jobs.look, folder))

    def _parents(self, look: Look) -> list[Look]:
        start = look.job.request.WarmStartConfig
        found = []
        for parent in (start and start.ParentHyperParameterTuningJobs) or ():
            name = parent.HyperParameterTuningJobName or ""
            try:
                found.append(self._seen(folders.home(self.root, name)))
            except Refusal:
                continue  # its results are not known here, which was said when the job was created
        return found

    def _pack(self, call: Call) -> None:
        """Make the object of a training job's model, where it is asked for and not there yet."""
        if call.operation not in ("GetObject", "HeadObject"):
            return
        bucket, key = call.sent["Bucket"], call.sent["Key"]
        name, place = artifacts.job_in(key), place_of(self.root, bucket, key)
        if name is None or place.exists():
            return
        try:
            look, job = self._training_job(name)
        except Refusal:
            return  # then it is no training job's, and is not there
        artifacts.packed(look, job, bucket, key, place)

    def _training_job(self, name: str) -> tuple[Look, TrainingJob]:
        """Return a training job by its name, also one whose tuning job was deleted."""
        parts = names.parts(name)
        homes = []
        if parts is not None:
            known = {one.lower(): folder for one, folder in folders.jobs(self.root).items()}
            homes = [known.get(parts[0].lower()), folders.deleted(self.root, parts[0])]
        for folder in homes:
            look = folder and self._seen(folder)
            # An ARN has it in small letters.
            job = look and look.job_of(look.name + name[len(look.name) :])
            if look and job:
                return look, job
        raise Refusal(
            "ResourceNotFound", f"{name}: there is no training job of this name in {self.root}"
        )


_OPERATIONS: Mapping[str, Callable[[Service, Request], Fields]] = {
    "CreateHyperParameterTuningJob": Service.create,
    "DescribeHyperParameterTuningJob": Service.describe,
    "StopHyperParameterTuningJob": Service.stop,
    "DeleteHyperParameterTuningJob": Service.delete,
    "ListHyperParameterTuningJobs": Service.list_tuning_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": Service.list_training_jobs,
    "DescribeTrainingJob": Service.describe_training_job,
    "StopTrainingJob": Service.stop_training_job,
    "ListTags": Service.list_tags,
}
