"""A tuning job: what a document asks for, in the words of this package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hpo_research import experiment, sagemaker
from hpo_research.errors import DocumentError
from hpo_research.experiment.priors import Earlier
from hpo_research.problems.protocol import Problem
from hpo_research.records import Task
from hpo_research.sagemaker.draft import Search
from hpo_research.sagemaker.plain import Json, copied
from hpo_research.sagemaker.resources import resource
from hpo_research.sagemaker.wire import Config, Limits, Request
from hpo_research.space import SearchSpace, Value
from hpo_research.strategies.protocol import Strategy

LONGEST = 15_768_000
"""The longest MaxRuntimeInSeconds that a document can have."""
NAMELESS = "tuning-job"
"""What a job is called whose document is the tuner's alone."""


@dataclass(frozen=True)
class TuningJob:
    """A document that obeys the service's rules.

    `request` holds it with its words in wire form; of a tuner's document alone it has no name.
    `searches` are its spaces, one, or one a definition. `warnings` are what it goes beyond,
    `ignored` the fields of no effect here, `notes` what was decided where it leaves something open.
    """

    request: Request
    documents: tuple[Json, ...]
    searches: tuple[Search, ...]
    warnings: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def document(self) -> Json:
        """Return what came in, as plain JSON; of a pair of documents the first."""
        return copied(self.documents[0])

    def definition(self) -> Json:
        """Return the second document of a pair, as it came in; None where there was none."""
        return copied(self.documents[1]) if len(self.documents) > 1 else None

    @property
    def config(self) -> Config:
        """The document of the tuner."""
        return self.request.HyperParameterTuningJobConfig or Config()

    @property
    def name(self) -> str | None:
        """The job's name; None of a tuner's document alone."""
        return self.request.HyperParameterTuningJobName

    @property
    def called(self) -> str:
        """What the job and its problem are called in a store: its name, where it has one."""
        return self.name or NAMELESS

    @property
    def strategy(self) -> Strategy:
        """The strategy, early stopping around it; `Bayesian` loads torch."""
        return sagemaker.search.strategy_of(self.config)

    @property
    def space(self) -> SearchSpace:
        """What is searched. Raises `DocumentError` for several definitions, and for Autotune."""
        searched = self._only("space").searched
        chosen = [name for name, kind in searched.kinds.items() if kind == "auto"]
        if chosen or not searched.parameters:
            names = ", ".join(chosen) or "every hyperparameter"
            raise DocumentError(
                f"space: Autotune chooses the range of {names}, which is not done here; "
                "give ranges in ParameterRanges"
            )
        return searched.space()

    @property
    def constants(self) -> Mapping[str, Value]:
        """The hyperparameters whose range is a single value; static ones are beside them."""
        return self._only("constants").searched.constants

    @property
    def statics(self) -> Mapping[str, str]:
        """The static hyperparameters, as they came in."""
        return self._only("statics").statics

    @property
    def metric(self) -> str:
        """The objective metric's name."""
        objective = self._only("metric").objective
        return (objective and objective.MetricName) or ""

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether lower values of the objective are better."""
        objective = self._only("direction").objective
        return "maximize" if objective and objective.Type == "Maximize" else "minimize"

    @property
    def jobs(self) -> int | None:
        """How many training jobs there are at most; a grid knows it, None: something else ends."""
        given = self._limits.MaxNumberOfTrainingJobs
        if given is not None or self.config.Strategy != "Grid":
            return given
        return sum(search.searched.size or 0 for search in self.searches)

    @property
    def parallel(self) -> int:
        """How many training jobs run at once."""
        return self._limits.MaxParallelTrainingJobs or 1

    @property
    def seconds(self) -> int | None:
        """How many seconds the tuning job may take, None for no limit."""
        return self._limits.MaxRuntimeInSeconds

    @property
    def job_seconds(self) -> int | None:
        """How many seconds each training job may take, None for no limit."""
        definition = self._only("job_seconds").definition
        limits = definition and definition.StoppingCondition
        return limits.MaxRuntimeInSeconds if limits else None

    @property
    def seed(self) -> int | None:
        """The seed, 0 among them; None where one is to be drawn."""
        return self.config.RandomSeed

    @property
    def budget(self) -> "experiment.Budget":
        """The jobs as the budget of a run; where a deadline or a criterion ends it, a long time.

        `seconds` is no part of it: at that deadline running jobs are stopped, which no budget does.
        """
        if self.jobs is None:
            return experiment.Budget(seconds=LONGEST)
        return experiment.Budget(trials=self.jobs)

    def experiment(
        self,
        problem: Problem,
        *,
        seed: int | None = None,
        prior: Earlier = None,
        prior_task: Task = "same",
        enqueue: Sequence[Mapping[str, object]] = (),
    ) -> "experiment.Experiment":
        """Return the experiment of a single run that the job is, of a problem over its space.

        Slots are refilled as soon as they are free. `seed` is for a document that has none; `prior`
        and what follows are those of `Experiment`.
        """
        own = self.seed if self.seed is not None else seed
        if own is None:
            raise DocumentError("seed: the document has no RandomSeed; give a seed")
        return experiment.Experiment(
            name=self.called,
            problems=[problem],
            strategies={self.config.Strategy or "": self.strategy},
            seeds=[own],
            budget=self.budget,
            parallel=self.parallel,
            execution="asynchronous",
            prior=prior,
            prior_task=prior_task,
            enqueue=enqueue,
        )

    @property
    def max_resource(self) -> int | None:
        """Hyperband's largest resource, in values of the objective; None of other strategies."""
        if self.config.Strategy != "Hyperband":
            return None
        if self.config.hyperband.MaxResource is not None:
            return self.config.hyperband.MaxResource
        found = resource(self._only("max_resource").statics)
        return found.value if found else None

    @property
    def _limits(self) -> Limits:
        return self.config.ResourceLimits or Limits()

    def _only(self, what: str) -> Search:
        if len(self.searches) == 1:
            return self.searches[0]
        raise DocumentError(
            f"{what}: the job has {len(self.searches)} definitions, each with its own, in "
            "job.searches; load them one by one to run them"
        )
