"""What a field of a document may hold, in the words of the service's model, and the base of all.

A `Wire` is an object of a document. Its fields are named as there; each may be absent, and
`required` says which may not: so an object with mistakes in it is still an object, and one report
names all of them. Types are strict: true is no number, 5.0 no integer. `shape` is the object's
name in the service's model (botocore, `sagemaker/2017-07-24/service-2.json`), which patterns,
lengths and words are copied from.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LINE = r"^.*$"
"""Text without a line break: the service's patterns `.*` and `.+`."""

SMALLEST, LARGEST = -(2**31), 2**31 - 1
"""The service's integers have 32 bits."""


class Wire(BaseModel):
    """An object of a document; a field that is absent is None."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    shape: ClassVar[str] = ""
    required: ClassVar[tuple[str, ...]] = ()


_WORDS = (
    *("Bayesian", "Random", "Hyperband", "Grid", "Maximize", "Minimize", "Off", "Auto"),
    *("Linear", "Logarithmic", "ReverseLogarithmic", "Disabled", "Enabled"),
    *("IdenticalDataAndAlgorithm", "TransferLearning"),
)
_IN_PROSE = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper(): word for word in _WORDS}


def _spelled(value: object) -> object:
    """Return a word in its wire form; the guide writes `OFF`, `IDENTICAL_DATA_AND_ALGORITHM`."""
    return _IN_PROSE.get(value, value) if isinstance(value, str) else value


SPELLED = BeforeValidator(_spelled)

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
AtLeastThree = Annotated[int, Field(ge=3, le=LARGEST)]
Long = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # the model names no maximum, botocore sends 2**40
InputWord = Literal["Pipe", "File", "FastFile"]
Key = Annotated[str, StringConstraints(max_length=2048, pattern=r"^[a-zA-Z0-9:/_-]*$")]
JobName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}$"),
]
StrategyWord = Annotated[Literal["Bayesian", "Random", "Hyperband", "Grid"], SPELLED]
DirectionWord = Annotated[Literal["Maximize", "Minimize"], SPELLED]
Metric = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=LINE)]
TuningSeconds = Annotated[int, Field(ge=120, le=15768000)]
RangeName = Annotated[str, StringConstraints(max_length=256, pattern=LINE)]
RangeText = Annotated[str, StringConstraints(max_length=256, pattern=LINE)]
ScaleWord = Annotated[Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"], SPELLED]
StoppingWord = Annotated[Literal["Off", "Auto"], SPELLED]
SwitchWord = Annotated[Literal["Disabled", "Enabled"], SPELLED]
NameOfDefinition = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}$"),
]
StaticName = Annotated[str, StringConstraints(max_length=256, pattern=LINE)]
StaticText = Annotated[str, StringConstraints(max_length=2500, pattern=LINE)]
Image = Annotated[str, StringConstraints(max_length=255, pattern=LINE)]
NameOfAlgorithm = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=170,
        pattern=r"^(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*/)?[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$",
    ),
]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=LINE)]
Role = Annotated[
    str,
    StringConstraints(
        min_length=20,
        max_length=2048,
        pattern=r"^arn:aws[a-z\-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$",
    ),
]
PendingSeconds = Annotated[int, Field(ge=1800, le=2419200)]
Attempts = Annotated[int, Field(ge=1, le=30)]
Variable = Annotated[str, StringConstraints(max_length=512, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
VariableText = Annotated[str, StringConstraints(max_length=512)]
WarmStartWord = Annotated[Literal["IdenticalDataAndAlgorithm", "TransferLearning"], SPELLED]
TagName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$")
]
TagText = Annotated[
    str, StringConstraints(max_length=256, pattern=r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$")
]
AutotuneWord = Annotated[Literal["Enabled"], SPELLED]
