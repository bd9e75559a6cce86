"""What comes in: the objects of a tuning-job document, with the words and limits of the service.

`Request` is what `CreateHyperParameterTuningJob` takes, `Config` the document of the tuner in it.
For `required` and `shape` see `fields.Wire`.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from hpo_research.sagemaker.fields import (
    AtLeastThree,
    Attempts,
    AutotuneWord,
    DirectionWord,
    Expression,
    Image,
    InputWord,
    JobName,
    Metric,
    NameOfAlgorithm,
    NameOfDefinition,
    PendingSeconds,
    Positive,
    RangeName,
    RangeText,
    Role,
    ScaleWord,
    Seed,
    StaticName,
    StaticText,
    StoppingWord,
    StrategyWord,
    SwitchWord,
    TagName,
    TagText,
    TuningSeconds,
    Variable,
    VariableText,
    WarmStartWord,
    Wire,
)
from hpo_research.sagemaker.infrastructure import (
    Channel,
    Checkpoints,
    Machines,
    Network,
    Output,
    TuningMachines,
)


class HyperbandOptions(Wire):
    """The least and the largest resource of Hyperband, in reports of the objective."""

    shape: ClassVar[str] = "HyperbandStrategyConfig"
    MinResource: Positive | None = None
    MaxResource: Positive | None = None


class StrategyOptions(Wire):
    """The options of a strategy that has some."""

    shape: ClassVar[str] = "HyperParameterTuningJobStrategyConfig"
    HyperbandStrategyConfig: HyperbandOptions | None = None


class Objective(Wire):
    """The metric that is searched for, and its direction."""

    shape: ClassVar[str] = "HyperParameterTuningJobObjective"
    required: ClassVar[tuple[str, ...]] = (
        "Type",
        "MetricName",
    )
    Type: DirectionWord | None = None
    MetricName: Metric | None = None


class Limits(Wire):
    """How many jobs there may be in all and at once, and for how many seconds."""

    shape: ClassVar[str] = "ResourceLimits"
    required: ClassVar[tuple[str, ...]] = ("MaxParallelTrainingJobs",)
    MaxNumberOfTrainingJobs: Positive | None = None
    MaxParallelTrainingJobs: Positive | None = None
    MaxRuntimeInSeconds: TuningSeconds | None = None


class IntegerRange(Wire):
    """An integer hyperparameter, its bounds as strings."""

    shape: ClassVar[str] = "IntegerParameterRange"
    required: ClassVar[tuple[str, ...]] = (
        "Name",
        "MinValue",
        "MaxValue",
    )
    Name: RangeName | None = None
    MinValue: RangeText | None = None
    MaxValue: RangeText | None = None
    ScalingType: ScaleWord | None = None


class ContinuousRange(Wire):
    """A real hyperparameter, its bounds as strings."""

    shape: ClassVar[str] = "ContinuousParameterRange"
    required: ClassVar[tuple[str, ...]] = (
        "Name",
        "MinValue",
        "MaxValue",
    )
    Name: RangeName | None = None
    MinValue: RangeText | None = None
    MaxValue: RangeText | None = None
    ScalingType: ScaleWord | None = None


class CategoricalRange(Wire):
    """A hyperparameter that is one of a few strings."""

    shape: ClassVar[str] = "CategoricalParameterRange"
    required: ClassVar[tuple[str, ...]] = (
        "Name",
        "Values",
    )
    Name: RangeName | None = None
    Values: Annotated[list[RangeText], Field(min_length=1, max_length=30)] | None = None


class AutoRange(Wire):
    """A hyperparameter whose range Autotune chooses, with a value as a hint."""

    shape: ClassVar[str] = "AutoParameter"
    required: ClassVar[tuple[str, ...]] = (
        "Name",
        "ValueHint",
    )
    Name: RangeName | None = None
    ValueHint: RangeText | None = None


class Ranges(Wire):
    """The hyperparameters that are searched, a list for each kind."""

    shape: ClassVar[str] = "ParameterRanges"
    IntegerParameterRanges: Annotated[list[IntegerRange], Field(max_length=30)] | None = None
    ContinuousParameterRanges: Annotated[list[ContinuousRange], Field(max_length=30)] | None = None
    CategoricalParameterRanges: Annotated[list[CategoricalRange], Field(max_length=30)] | None = (
        None
    )
    AutoParameters: Annotated[list[AutoRange], Field(max_length=100)] | None = None


class NotImproving(Wire):
    """Complete after this many jobs without a better value."""

    shape: ClassVar[str] = "BestObjectiveNotImproving"
    MaxNumberOfTrainingJobsNotImproving: AtLeastThree | None = None


class Convergence(Wire):
    """Complete when the service expects no improvement."""

    shape: ClassVar[str] = "ConvergenceDetected"
    CompleteOnConvergence: SwitchWord | None = None


class Criteria(Wire):
    """When a job is complete before its limits are reached."""

    shape: ClassVar[str] = "TuningJobCompletionCriteria"
    TargetObjectiveMetricValue: float | None = None
    BestObjectiveNotImproving: NotImproving | None = None
    ConvergenceDetected: Convergence | None = None


class Config(Wire):
    """What is searched, how, and until when: the document of the tuner."""

    shape: ClassVar[str] = "HyperParameterTuningJobConfig"
    required: ClassVar[tuple[str, ...]] = (
        "Strategy",
        "ResourceLimits",
    )
    Strategy: StrategyWord | None = None
    StrategyConfig: StrategyOptions | None = None
    HyperParameterTuningJobObjective: Objective | None = None
    ResourceLimits: Limits | None = None
    ParameterRanges: Ranges | None = None
    TrainingJobEarlyStoppingType: StoppingWord | None = None
    TuningJobCompletionCriteria: Criteria | None = None
    RandomSeed: Seed | None = None

    @property
    def hyperband(self) -> HyperbandOptions:
        """Hyperband's options, empty where there are none."""
        options = self.StrategyConfig.HyperbandStrategyConfig if self.StrategyConfig else None
        return options or HyperbandOptions()


class MetricDefinition(Wire):
    """A metric and the regular expression that finds it in the output."""

    shape: ClassVar[str] = "MetricDefinition"
    required: ClassVar[tuple[str, ...]] = (
        "Name",
        "Regex",
    )
    Name: Metric | None = None
    Regex: Expression | None = None


class Algorithm(Wire):
    """The code of a training job, and the metrics found in its output."""

    shape: ClassVar[str] = "HyperParameterAlgorithmSpecification"
    required: ClassVar[tuple[str, ...]] = ("TrainingInputMode",)
    TrainingImage: Image | None = None
    TrainingInputMode: InputWord | None = None
    AlgorithmName: NameOfAlgorithm | None = None
    MetricDefinitions: Annotated[list[MetricDefinition], Field(max_length=40)] | None = None


class JobLimits(Wire):
    """How long a training job may run, and wait."""

    shape: ClassVar[str] = "StoppingCondition"
    MaxRuntimeInSeconds: Positive | None = None
    MaxWaitTimeInSeconds: Positive | None = None
    MaxPendingTimeInSeconds: PendingSeconds | None = None


class Retries(Wire):
    """How often a job is tried again after an error of the service."""

    shape: ClassVar[str] = "RetryStrategy"
    required: ClassVar[tuple[str, ...]] = ("MaximumRetryAttempts",)
    MaximumRetryAttempts: Attempts | None = None


class Definition(Wire):
    """What each training job runs."""

    shape: ClassVar[str] = "HyperParameterTrainingJobDefinition"
    required: ClassVar[tuple[str, ...]] = (
        "AlgorithmSpecification",
        "RoleArn",
        "OutputDataConfig",
        "StoppingCondition",
    )
    DefinitionName: NameOfDefinition | None = None
    TuningObjective: Objective | None = None
    HyperParameterRanges: Ranges | None = None
    StaticHyperParameters: Annotated[dict[StaticName, StaticText], Field(max_length=100)] | None = (
        None
    )
    AlgorithmSpecification: Algorithm | None = None
    RoleArn: Role | None = None
    InputDataConfig: Annotated[list[Channel], Field(min_length=1, max_length=20)] | None = None
    VpcConfig: Network | None = None
    OutputDataConfig: Output | None = None
    ResourceConfig: Machines | None = None
    HyperParameterTuningResourceConfig: TuningMachines | None = None
    StoppingCondition: JobLimits | None = None
    EnableNetworkIsolation: bool | None = None
    EnableInterContainerTrafficEncryption: bool | None = None
    EnableManagedSpotTraining: bool | None = None
    CheckpointConfig: Checkpoints | None = None
    RetryStrategy: Retries | None = None
    Environment: Annotated[dict[Variable, VariableText], Field(max_length=48)] | None = None


class Parent(Wire):
    """A tuning job whose results the new one begins with."""

    shape: ClassVar[str] = "ParentHyperParameterTuningJob"
    HyperParameterTuningJobName: JobName | None = None


class WarmStart(Wire):
    """What a job begins with, and whether data and algorithm are the same."""

    shape: ClassVar[str] = "HyperParameterTuningJobWarmStartConfig"
    required: ClassVar[tuple[str, ...]] = (
        "ParentHyperParameterTuningJobs",
        "WarmStartType",
    )
    ParentHyperParameterTuningJobs: (
        Annotated[list[Parent], Field(min_length=1, max_length=5)] | None
    ) = None
    WarmStartType: WarmStartWord | None = None


class Tag(Wire):
    """A label of a job, a key and a value."""

    shape: ClassVar[str] = "Tag"
    required: ClassVar[tuple[str, ...]] = (
        "Key",
        "Value",
    )
    Key: TagName | None = None
    Value: TagText | None = None


class Autotuning(Wire):
    """Whether the service fills in what the document leaves out."""

    shape: ClassVar[str] = "Autotune"
    required: ClassVar[tuple[str, ...]] = ("Mode",)
    Mode: AutotuneWord | None = None


class Request(Wire):
    """A whole request: what is sent to begin a tuning job."""

    shape: ClassVar[str] = "CreateHyperParameterTuningJobRequest"
    required: ClassVar[tuple[str, ...]] = (
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobConfig",
    )
    HyperParameterTuningJobName: JobName | None = None
    HyperParameterTuningJobConfig: Config | None = None
    TrainingJobDefinition: Definition | None = None
    TrainingJobDefinitions: (
        Annotated[list[Definition], Field(min_length=1, max_length=10)] | None
    ) = None
    WarmStartConfig: WarmStart | None = None
    Tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    Autotune: Autotuning | None = None
