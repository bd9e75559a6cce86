"""A document as far as it could be read: what the rules across fields look at."""

from collections.abc import Iterator
from dataclasses import dataclass

from hpo_research.sagemaker.ranges import Searched, searched
from hpo_research.sagemaker.violations import Path, is_touched
from hpo_research.sagemaker.wire import Config, Definition, Objective, Request

CONFIG = ("HyperParameterTuningJobConfig",)
"""Where the tuner's document stands in a request; alone it is the whole document."""


@dataclass(frozen=True)
class Search:
    """A space that is searched for an objective: one a document, or one a definition.

    `at` is where the ranges stand, `objective_at` the objective; `jobs_at` is where the definition
    stands that its jobs run, and `definition` that; both are None in a document without one.
    """

    at: Path
    objective_at: Path
    objective: Objective | None
    searched: Searched
    jobs_at: Path | None = None
    definition: Definition | None = None

    @property
    def statics(self) -> dict[str, str]:
        """The hyperparameters that are the same for every job."""
        return (self.definition and self.definition.StaticHyperParameters) or {}


@dataclass(frozen=True)
class Draft:
    """A request, or a document of the tuner alone; `broken` are the places left out of it."""

    request: Request
    is_request: bool
    broken: frozenset[Path]
    searches: tuple[Search, ...]

    @property
    def config(self) -> Config:
        """The document of the tuner."""
        return self.request.HyperParameterTuningJobConfig or Config()

    @property
    def is_autotuned(self) -> bool:
        """Whether the service would fill in what the document leaves out."""
        return self.request.Autotune is not None

    @property
    def jobs(self) -> int | None:
        """How many training jobs there may be."""
        limits = self.config.ResourceLimits
        return limits.MaxNumberOfTrainingJobs if limits else None

    def at(self, *steps: str) -> Path:
        """Return where a field of the tuner's document stands."""
        return (*CONFIG, *steps)

    def is_known(self, path: Path) -> bool:
        """Whether nothing at a place, in it or around it was left out."""
        return not is_touched(path, self.broken)


def definitions(request: Request) -> Iterator[tuple[Path, Definition]]:
    """Yield what the training jobs run, each with its place."""
    if request.TrainingJobDefinition is not None:
        yield ("TrainingJobDefinition",), request.TrainingJobDefinition
    for i, one in enumerate(request.TrainingJobDefinitions or ()):
        yield ("TrainingJobDefinitions", i), one


def draft(request: Request, is_request: bool, broken: frozenset[Path]) -> Draft:
    """Return what the rules look at."""
    config = request.HyperParameterTuningJobConfig or Config()
    found: list[Search] = []
    if request.TrainingJobDefinitions is not None and request.TrainingJobDefinition is None:
        found += [_own(place, one) for place, one in definitions(request)]
    else:
        at: Path = (*CONFIG, "ParameterRanges")
        ranges = config.ParameterRanges
        objective_at: Path = (*CONFIG, "HyperParameterTuningJobObjective")
        objective, definition = config.HyperParameterTuningJobObjective, None
        if (definition := request.TrainingJobDefinition) is not None:
            own = _own(("TrainingJobDefinition",), definition)
            if ranges is None and definition.HyperParameterRanges is not None:
                at, ranges = own.at, definition.HyperParameterRanges
            if objective is None and definition.TuningObjective is not None:
                objective_at, objective = own.objective_at, definition.TuningObjective
        jobs_at = ("TrainingJobDefinition",) if definition else None
        found.append(Search(at, objective_at, objective, searched(ranges, at), jobs_at, definition))
    return Draft(request, is_request, broken, tuple(found))


def _own(at: Path, one: Definition) -> Search:
    ranges_at, objective_at = (*at, "HyperParameterRanges"), (*at, "TuningObjective")
    read = searched(one.HyperParameterRanges, ranges_at)
    return Search(ranges_at, objective_at, one.TuningObjective, read, at, one)
