"""The infrastructure of a request: checked as the service would, and of no effect here.

Types of machines are checked for their form, not against the service's list, which grows with each
of its releases. For `required` and `shape` see `fields.Wire`.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hpo_research.sagemaker.fields import LINE, Count, InputWord, Key, Long, Positive, Wire

NameOfChannel = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9\.\-_]+$")
]
BucketWord = Literal["ManifestFile", "S3Prefix", "AugmentedManifestFile", "Converse"]
Uri = Annotated[str, StringConstraints(max_length=1024, pattern=r"^(https|s3)://([^/]+)/?(.*)$")]
DistributionWord = Literal["FullyReplicated", "ShardedByS3Key"]
Attribute = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=LINE)]
NameOfGroup = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=LINE)]
HubContent = Annotated[str, StringConstraints(max_length=255, pattern=LINE)]
NameOfFileSystem = Annotated[
    str, StringConstraints(min_length=11, max_length=21, pattern=r"^fs-[0-9a-f]{8,}$")
]
AccessWord = Literal["rw", "ro"]
FileSystemWord = Literal["EFS", "FSxLustre"]
Directory = Annotated[str, StringConstraints(max_length=4096, pattern=LINE)]
HubDataSet = Annotated[
    str,
    StringConstraints(
        max_length=2048,
        pattern=r"^(?:(arn:[a-z0-9.\-]{1,63}:sagemaker:[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)+:([0-9]{12}|aws):hub-content/)[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}/DataSet/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}(/[0-9]{1,4}.[0-9]{1,4}.[0-9]{1,4})?)$",
    ),
]
Content = Annotated[str, StringConstraints(max_length=256, pattern=LINE)]
CompressionWord = Literal["None", "Gzip"]
WrapperWord = Literal["None", "RecordIO"]
Identifier = Annotated[str, StringConstraints(max_length=32, pattern=r"^[-0-9a-zA-Z]+$")]
OutputCompressionWord = Literal["GZIP", "NONE"]
Machine = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")]
KeepAliveSeconds = Annotated[int, Field(ge=0, le=21600)]
TrainingPlan = Annotated[
    str,
    StringConstraints(
        min_length=50,
        max_length=2048,
        pattern=r"^arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*$",
    ),
]
ServerName = Annotated[str, StringConstraints(max_length=256)]
AllocationWord = Literal["Prioritized"]


class ModelAccess(Wire):
    """Whether the licence of a model is accepted."""

    shape: ClassVar[str] = "ModelAccessConfig"
    required: ClassVar[tuple[str, ...]] = ("AcceptEula",)
    AcceptEula: bool | None = None


class HubAccess(Wire):
    """The content of a hub that is read."""

    shape: ClassVar[str] = "HubAccessConfig"
    required: ClassVar[tuple[str, ...]] = ("HubContentArn",)
    HubContentArn: HubContent | None = None


class Bucket(Wire):
    """Objects of a bucket."""

    shape: ClassVar[str] = "S3DataSource"
    required: ClassVar[tuple[str, ...]] = (
        "S3DataType",
        "S3Uri",
    )
    S3DataType: BucketWord | None = None
    S3Uri: Uri | None = None
    S3DataDistributionType: DistributionWord | None = None
    AttributeNames: Annotated[list[Attribute], Field(max_length=16)] | None = None
    InstanceGroupNames: Annotated[list[NameOfGroup], Field(max_length=5)] | None = None
    ModelAccessConfig: ModelAccess | None = None
    HubAccessConfig: HubAccess | None = None


class FileSystem(Wire):
    """A folder of a file system."""

    shape: ClassVar[str] = "FileSystemDataSource"
    required: ClassVar[tuple[str, ...]] = (
        "FileSystemId",
        "FileSystemAccessMode",
        "FileSystemType",
        "DirectoryPath",
    )
    FileSystemId: NameOfFileSystem | None = None
    FileSystemAccessMode: AccessWord | None = None
    FileSystemType: FileSystemWord | None = None
    DirectoryPath: Directory | None = None


class HubData(Wire):
    """A data set of a hub."""

    shape: ClassVar[str] = "DatasetSource"
    required: ClassVar[tuple[str, ...]] = ("DatasetArn",)
    DatasetArn: HubDataSet | None = None


class ChannelSource(Wire):
    """Where the data of a channel lie."""

    shape: ClassVar[str] = "DataSource"
    S3DataSource: Bucket | None = None
    FileSystemDataSource: FileSystem | None = None
    DatasetSource: HubData | None = None


class Shuffling(Wire):
    """The seed with which a channel is shuffled."""

    shape: ClassVar[str] = "ShuffleConfig"
    required: ClassVar[tuple[str, ...]] = ("Seed",)
    Seed: Long | None = None


class Channel(Wire):
    """A named input of training jobs."""

    shape: ClassVar[str] = "Channel"
    required: ClassVar[tuple[str, ...]] = (
        "ChannelName",
        "DataSource",
    )
    ChannelName: NameOfChannel | None = None
    DataSource: ChannelSource | None = None
    ContentType: Content | None = None
    CompressionType: CompressionWord | None = None
    RecordWrapperType: WrapperWord | None = None
    InputMode: InputWord | None = None
    ShuffleConfig: Shuffling | None = None


class Network(Wire):
    """The private network of training jobs."""

    shape: ClassVar[str] = "VpcConfig"
    required: ClassVar[tuple[str, ...]] = (
        "SecurityGroupIds",
        "Subnets",
    )
    SecurityGroupIds: Annotated[list[Identifier], Field(min_length=1, max_length=5)] | None = None
    Subnets: Annotated[list[Identifier], Field(min_length=1, max_length=16)] | None = None


class Output(Wire):
    """Where the results of training jobs are put."""

    shape: ClassVar[str] = "OutputDataConfig"
    required: ClassVar[tuple[str, ...]] = ("S3OutputPath",)
    KmsKeyId: Key | None = None
    S3OutputPath: Uri | None = None
    CompressionType: OutputCompressionWord | None = None


class MachineGroup(Wire):
    """Some machines of one type."""

    shape: ClassVar[str] = "InstanceGroup"
    required: ClassVar[tuple[str, ...]] = (
        "InstanceType",
        "InstanceCount",
        "InstanceGroupName",
    )
    InstanceType: Machine | None = None
    InstanceCount: Count | None = None
    InstanceGroupName: NameOfGroup | None = None


class ServerPlacement(Wire):
    """How many machines stand on an ultra server."""

    shape: ClassVar[str] = "PlacementSpecification"
    required: ClassVar[tuple[str, ...]] = ("InstanceCount",)
    UltraServerId: ServerName | None = None
    InstanceCount: Count | None = None


class Placement(Wire):
    """How jobs are placed on ultra servers."""

    shape: ClassVar[str] = "InstancePlacementConfig"
    EnableMultipleJobs: bool | None = None
    PlacementSpecifications: Annotated[list[ServerPlacement], Field(max_length=10)] | None = None


class MachinePreference(Wire):
    """A type of machine that would do."""

    shape: ClassVar[str] = "InstancePreference"
    required: ClassVar[tuple[str, ...]] = ("InstanceType",)
    InstanceType: Machine | None = None
    InstanceCount: Count | None = None
    TrainingPlanArns: Annotated[list[TrainingPlan], Field(min_length=1, max_length=1)] | None = None


class Machines(Wire):
    """The machines of a training job."""

    shape: ClassVar[str] = "ResourceConfig"
    InstanceType: Machine | None = None
    InstanceCount: Count | None = None
    VolumeSizeInGB: Count | None = None
    VolumeKmsKeyId: Key | None = None
    KeepAlivePeriodInSeconds: KeepAliveSeconds | None = None
    InstanceGroups: Annotated[list[MachineGroup], Field(max_length=5)] | None = None
    TrainingPlanArn: TrainingPlan | None = None
    InstancePlacementConfig: Placement | None = None
    InstancePreferences: (
        Annotated[list[MachinePreference], Field(min_length=1, max_length=5)] | None
    ) = None
    SelectedInstanceType: Machine | None = None
    SelectedInstanceCount: Count | None = None


class MachineConfig(Wire):
    """Some machines of one type, with their storage."""

    shape: ClassVar[str] = "HyperParameterTuningInstanceConfig"
    required: ClassVar[tuple[str, ...]] = (
        "InstanceType",
        "InstanceCount",
        "VolumeSizeInGB",
    )
    InstanceType: Machine | None = None
    InstanceCount: Count | None = None
    VolumeSizeInGB: Positive | None = None


class TuningMachines(Wire):
    """The machines of training jobs, where several types would do."""

    shape: ClassVar[str] = "HyperParameterTuningResourceConfig"
    InstanceType: Machine | None = None
    InstanceCount: Count | None = None
    VolumeSizeInGB: Count | None = None
    VolumeKmsKeyId: Key | None = None
    AllocationStrategy: AllocationWord | None = None
    InstanceConfigs: Annotated[list[MachineConfig], Field(min_length=1, max_length=6)] | None = None


class Checkpoints(Wire):
    """Where checkpoints are put."""

    shape: ClassVar[str] = "CheckpointConfig"
    required: ClassVar[tuple[str, ...]] = ("S3Uri",)
    S3Uri: Uri | None = None
    LocalPath: Directory | None = None
