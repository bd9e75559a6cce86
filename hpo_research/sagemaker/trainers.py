"""What a tuning job trains with: a program, a function, or a problem, as a problem of ours.

What is searched, and a range of a single value, has the type of its range; static hyperparameters
are the strings of the document. A program is given all of them, a function all but those that the
tuner and the SDKs add for themselves (`sagemaker_program`, `_tuning_objective_metric`, ...).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import X_OK as RUNS
from os import PathLike, access
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from hpo_research import sagemaker
from hpo_research.errors import DocumentError, SpaceError
from hpo_research.paths import Given, place
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Evaluation, Problem, has_missing_values
from hpo_research.records import Direction, Segment
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.parents import is_own
from hpo_research.space import Categorical, Config, Parameter, SearchSpace, Value
from hpo_research.text import quoted

Trainer = Given | Sequence[str] | Callable[..., Any] | Problem
"""A program's file, its command, a function `f(config)` or `f(config, report)`, or a problem."""

GRACE_SECONDS = 120.0
"""What the service leaves a job between SIGTERM and SIGKILL."""


def problem_of(
    job: TuningJob,
    trainer: Trainer,
    *,
    grace_seconds: float = GRACE_SECONDS,
    channels: Mapping[str, Given] | None = None,
) -> Problem:
    """Return what a job trains as a problem: its space, its objective, its length.

    Raises `DocumentError` where trainer and document do not go together.
    """
    if isinstance(trainer, Problem) and not isinstance(trainer, type):
        return _of_problem(job, trainer)
    if callable(trainer):
        return _of_function(job, trainer)
    command = command_of(trainer)
    folders = channels_of(job, channels or {})
    script: Problem = sagemaker.programs.script_of(
        job, command, grace_seconds=grace_seconds, channels=folders
    )
    return script


def command_of(trainer: object) -> tuple[str, ...]:
    """Return the command of a program: a Python file is run by this Python.

    Raises `DocumentError` for a file that is not there, or that cannot be run.
    """
    if isinstance(trainer, Sequence) and not isinstance(trainer, str):
        if trainer and all(isinstance(part, str) for part in trainer):
            return tuple(trainer)
    elif isinstance(trainer, str | PathLike):
        path = place(trainer, "trainer", DocumentError)
        if not path.is_file():
            raise DocumentError(f"{path}: there is no such file; name the program that trains")
        if path.suffix == ".py":
            return "python", str(path.resolve())
        if not access(path, RUNS):
            raise DocumentError(
                f"{path}: cannot be run; make it executable (chmod +x), or give its command"
            )
        return (str(path.resolve()),)
    raise DocumentError(
        "trainer: expected a program's file, its command (a list of strings), a function or a "
        f"problem, got {quoted(trainer)}"
    )


def channels_of(job: TuningJob, given: Mapping[str, Given]) -> dict[str, str]:
    """Return the folders of a job's channels: those given, and those of the document at file://.

    Raises `DocumentError` for one that is not there.
    """
    folders = {
        name: place(where, f"channels[{name!r}]", DocumentError) for name, where in given.items()
    }
    definition = job.searches[0].definition
    for channel in (definition and definition.InputDataConfig) or ():
        source = channel.DataSource.S3DataSource if channel.DataSource else None
        address = urlsplit((source and source.S3Uri) or "")
        if address.scheme == "file" and channel.ChannelName and channel.ChannelName not in folders:
            folders[channel.ChannelName] = place(unquote(address.path), "S3Uri", DocumentError)
    missing = [f"{name} = {where}" for name, where in folders.items() if not where.exists()]
    if missing:
        raise DocumentError(f"channels: there is no {', '.join(missing)}")
    return {name: str(where.resolve()) for name, where in folders.items()}


# -- functions


@dataclass(frozen=True)
class Filled:
    """A function that is given more than what is searched."""

    func: Callable[..., Any]
    fixed: Mapping[str, Value]

    def __call__(self, config: Config) -> Any:
        """Train with a configuration."""
        return self.func({**self.fixed, **config})


@dataclass(frozen=True)
class FilledReporting:
    """The same of a function that reports."""

    func: Callable[..., Any]
    fixed: Mapping[str, Value]

    def __call__(self, config: Config, report: Any) -> Any:
        """Train with a configuration, reporting."""
        return self.func({**self.fixed, **config}, report)


def _of_function(job: TuningJob, f: Callable[..., Any]) -> Problem:
    plain = FunctionProblem(f, job.space)
    fixed = {**{k: v for k, v in job.statics.items() if not is_own(k)}, **job.constants}
    if fixed:
        f = (FilledReporting if plain.takes_report else Filled)(f, fixed)
    max_epochs = job.max_resource if plain.takes_report else 1
    if job.max_resource is not None and not plain.takes_report:
        raise DocumentError(
            f"trainer: Hyperband compares what jobs report as they train, and {plain.name} reports "
            "nothing before its end; write it as f(config, report) and call report(epoch, value)"
        )
    return FunctionProblem(
        f,
        job.space,
        metric=job.metric,
        direction=job.direction,
        max_epochs=max_epochs,
        workers=job.parallel,
        timeout=job.job_seconds,
        name=job.called,
        has_missing_values=plain.takes_report,
    )


# -- problems


@dataclass(frozen=True)
class Narrowed:
    """A problem over the ranges of a document: a part of its own space, some of it constant.

    `meant` says for a hyperparameter of the document what its categories are in the problem.
    """

    problem: Problem
    name: str
    space: SearchSpace
    direction: Direction
    max_epochs: int | None
    constants: Mapping[str, Value] = field(default_factory=dict, hash=False)
    meant: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, hash=False)

    @property
    def metric(self) -> str:
        """That of the problem."""
        return self.problem.metric

    @property
    def can_resume(self) -> bool:
        """As the problem."""
        return self.problem.can_resume

    @property
    def has_recorded_seconds(self) -> bool:
        """As the problem."""
        return self.problem.has_recorded_seconds

    @property
    def has_missing_values(self) -> bool:
        """As the problem."""
        return has_missing_values(self.problem)

    @property
    def optimum(self) -> float | None:
        """Not known: the best may lie outside the ranges."""
        return None

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate the problem at the configurations that are meant."""
        full = [replace(segment, config=self.meaning(segment.config)) for segment in segments]
        return self.problem.evaluate(full, device)

    def meaning(self, config: Config) -> Config:
        """Return what a configuration of the document is in the problem."""
        found = {**self.constants, **config}
        return {
            name: self.meant[name][str(found[name])] if name in self.meant else found[name]
            for name in self.problem.space.names
        }


def _of_problem(job: TuningJob, problem: Problem) -> Problem:
    own, searched = problem.space.parameters, job.space.parameters
    meant = {
        name: {str(value): value for value in parameter.values}
        for name, parameter in own.items()
        if isinstance(parameter, Categorical)
    }
    mistakes = [*_problem_mistakes(job, problem), *_range_mistakes(searched, problem, meant)]
    if mistakes:
        raise DocumentError("\n".join(mistakes))
    fixed = {name: job.constants.get(name, job.statics.get(name, "")) for name in own}
    constants = {
        name: value if name in meant or not isinstance(value, str) else _number(value)
        for name, value in fixed.items()
        if name not in searched
    }
    narrowed = Narrowed(
        *(problem, job.called, job.space, job.direction),
        max_epochs=job.max_resource or problem.max_epochs,
        constants=constants,
        meant=meant,
    )
    _try(narrowed)
    return narrowed


def _problem_mistakes(job: TuningJob, problem: Problem) -> Iterator[str]:
    if job.metric != problem.metric:
        yield f"MetricName = {job.metric!r}: {problem.name} reports {problem.metric!r}; name that"
    most, wanted = problem.max_epochs, job.max_resource
    if wanted is not None and most is not None and wanted > most:
        yield f"MaxResource = {wanted}: {problem.name} trains {most} epochs; lower it"
    own, searched = problem.space.parameters, {*job.space.parameters, *job.constants}
    for name in searched - own.keys():
        yield f"{name}: is no hyperparameter of {problem.name}; it has {', '.join(own)}"
    for name in own.keys() - searched - job.statics.keys():
        yield f"{name}: {problem.name} needs it; add a range"


def _range_mistakes(
    searched: Mapping[str, Parameter], problem: Problem, meant: Mapping[str, Mapping[str, Value]]
) -> Iterator[str]:
    for name, parameter in searched.items():
        if (name in meant) != isinstance(parameter, Categorical) and name in problem.space.names:
            kind = "categories" if name in meant else "a number"
            yield f"{name}: takes {kind} in {problem.name}; give it such a range"
        elif isinstance(parameter, Categorical) and name in meant:
            wrong = [str(value) for value in parameter.values if str(value) not in meant[name]]
            if wrong:
                legal = ", ".join(meant[name])
                yield f"{name} = {wrong[0]!r}: {problem.name} takes one of {legal}"


def _number(text: str) -> Value:
    try:
        return float(text) if re.search(r"[.eE]", text) else int(text)
    except ValueError:
        return text  # which the problem then refuses


def _try(narrowed: Narrowed) -> None:
    """Raise `DocumentError` where the ends of the ranges are no configurations of the problem."""
    cube = np.repeat([[0.0], [1.0]], narrowed.space.dimension, axis=1)
    for config in narrowed.space.decode(cube):
        try:
            narrowed.problem.space.validate(narrowed.meaning(config), narrowed.problem.name)
        except SpaceError as error:
            raise DocumentError(
                f"ParameterRanges: {narrowed.problem.name} does not take all of them: {error}"
            ) from error
