"""A program of the user's as a problem: started for each trial, its metrics read as it prints."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import environ, fsencode
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo_research import habits, options
from hpo_research.errors import ProblemError
from hpo_research.jobs import arguments
from hpo_research.jobs.jobs import Jobs
from hpo_research.problems.naming import name_of
from hpo_research.problems.program import Program
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.reporting import NoValue
from hpo_research.records import Direction, Outcome, Report, Segment
from hpo_research.space import SearchSpace
from hpo_research.text import name_mistake, quoted
from hpo_research.threads import processors

_FILE = re.compile(r"[\w./~+ ][\w./~+ -]*")
# What has commas between its thousands is caught whole, since it is no number to be cut short.
_NUMBER = (
    r"([-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?(?!\d)|\d+\.?\d*(?:[eE][-+]?\d+)?"
    r"|\.\d+(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)\b))"
)
_NO_TEXT = "no program can be handed this text; take out the NUL or half a character in it"


@habits.answering
@dataclass(frozen=True)
class Script:
    """A program that trains with hyperparameters and prints its metrics.

    `command` is its beginning, as in `("python", "train.py")`, where `python` is the one that runs
    this, by whatever name; `--name value` follows for every hyperparameter, unless the command says
    where they go: `("train", "--lr={lr}")`. So do `statics`, hyperparameters that are not searched.
    The program runs in the folder that this one runs in; it is also told by the environment what
    SageMaker's script mode tells (`SM_MODEL_DIR`, `SM_HPS`, `SM_CHANNEL_TRAIN` of `channels`, ...),
    by `environment`, and by `HPO_SEED`, an integer that belongs to the trial. `script_mode` says
    that values are read as SageMaker's training toolkit reads them (`jobs.arguments`); left open,
    it does where a static begins with `sagemaker_`, which the SDKs add.

    `metrics` are regular expressions by the metric's name; group 1 is the number. The first match
    in a line of stdout or stderr counts. Left out, the metric is looked for as `loss=0.5` or
    `loss: 0.5`. Each value of `metric` is an epoch, the last one is the trial's. `max_epochs` is
    how many there are; a program that prints more is stopped. Left open, the program decides. One
    that is not a number is missing, unless it is the last: then the trial has failed, as it has
    without any value or where the exit code is not 0. Values that come by the thousand are
    thinned out (`jobs.metrics`).

    Programs run in process groups of their own; `executors.scripts` says how they end. After
    `timeout_seconds` one is ended; where it has to end, it has `grace_seconds` from SIGTERM to
    SIGKILL. `workers` is how many run at once, None: one a processor, and asynchronously as many
    as the experiment's `parallel`. These three are not part of what the problem is.

    Raises `ProblemError`.
    """

    command: tuple[str, ...]
    space: SearchSpace
    metric: str = "loss"
    metrics: Mapping[str, str] = field(default_factory=dict, hash=False)
    direction: Direction = "minimize"
    max_epochs: int | None = None
    statics: Mapping[str, str] = field(default_factory=dict, hash=False)
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    channels: Mapping[str, str] = field(default_factory=dict, hash=False)
    timeout_seconds: float | None = field(default=None, metadata={"identity": False})
    grace_seconds: float = field(default=10.0, metadata={"identity": False})
    workers: int | None = field(default=None, metadata={"identity": False})
    script_mode: bool | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Check what was given, and name the problem after its program."""
        mistakes = options.Mistakes("Script")
        is_command = _check_command(self.command, mistakes)
        if mistake := name_mistake(self.metric):
            mistakes.add(f"(metric={quoted(self.metric)}): metric {mistake}")
        for what in ("metrics", "statics", "environment", "channels"):
            _check_texts(what, getattr(self, what), mistakes)
        mistakes.check_all(self, _RULES)
        mistakes.refuse(ProblemError)
        metrics = dict(self.metrics) or {self.metric: _default(self.metric)}
        _check_metrics(metrics, self.metric, mistakes)
        for name in sorted(set(self.statics) & set(self.space.names)):
            mistakes.add(
                f"(statics={{{name!r}: {quoted(self.statics[name])}}}): {name} is searched; leave "
                "it out of statics, or out of the space"
            )
        if is_command:
            _check_template(self, mistakes)
        mistakes.refuse(ProblemError)
        texts = {what: dict(getattr(self, what)) for what in ("statics", "environment", "channels")}
        name = name_of("Script", self.name, _name(self.command))
        own = {
            "command": arguments.portable(self.command),
            "metrics": metrics,
            "name": name,
            **texts,
        }
        for what, value in own.items():
            object.__setattr__(self, what, value)

    @property
    def optimum(self) -> float | None:
        """Not known."""
        return None

    @property
    def can_resume(self) -> bool:
        """A program is started anew."""
        return False

    @property
    def has_recorded_seconds(self) -> bool:
        """Its seconds are measured."""
        return False

    @property
    def has_missing_values(self) -> bool:
        """A value before the last one may be no number."""
        return True

    @property
    def is_script_mode(self) -> bool:
        """Whether values are read as SageMaker's training toolkit reads them."""
        if self.script_mode is not None:
            return self.script_mode
        return any(name.startswith(arguments.TUNER) for name in self.statics)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Run the program for every segment, in folders that are removed at the end.

        As many run at once as there are `workers` or processors. They cannot be held: one that has
        begun runs ahead of what is asked for. A trial that fails reports `NoValue`, a NaN that says
        why.
        """
        jobs = Jobs(self.workers or processors())
        with TemporaryDirectory(prefix="hpo-") as place:
            live = {
                own.key: Program(self, own, Path(place, str(i)), device=device, inherited=environ)
                for i, own in enumerate(segments)
            }
            try:
                for program in live.values():
                    jobs.submit(program.prepare())
                while live:
                    steps = {key: _step(jobs, program) for key, program in live.items()}
                    reports = {key: _said(live[key], *step) for key, step in steps.items()}
                    dropped = (yield [own for own in reports.values() if own is not None]) or ()
                    for key, (_, outcome) in steps.items():
                        if key in dropped or outcome is not None:
                            jobs.stop(live.pop(key).job)
            finally:
                jobs.close()


def _step(jobs: Jobs, program: Program) -> tuple[Report | None, Outcome | None]:
    while (step := program.step()) is None:
        jobs.wait(lambda: program.may_step, None)
    return step


def _said(program: Program, report: Report | None, outcome: Outcome | None) -> Report | None:
    """Return what `evaluate` yields of a step, a failure as a report without a value."""
    if report is not None:
        return replace(report, seconds=None)
    if outcome is None or outcome.status in ("finished", "paused"):
        return None
    metrics = {program.script.metric: NoValue(outcome.reason)}
    return Report(*program.segment.key, program.reached + 1, metrics)


def _default(metric: str) -> str:
    return rf"(?<![\w.:/-]){re.escape(metric)}\s*[=:]\s*{_NUMBER}"


def _name(command: Sequence[str]) -> str:
    """Return the name of the last argument that looks like a file, the program's among them."""
    files = [Path(part).stem for part in command if _FILE.fullmatch(part)]
    return files[-1] if files and not name_mistake(files[-1]) else "script"


def _check_command(command: object, mistakes: options.Mistakes) -> bool:
    hint = "('python', 'train.py')"
    if isinstance(command, str) or not isinstance(command, Sequence) or not command:
        way = repr(tuple(command.split())) if isinstance(command, str) and command.split() else hint
        must = "must be a sequence of a program and its first arguments"
        mistakes.add(f"(command={quoted(command)}): command {must}; write {way}")
        return False
    wrong = [part for part in command if not _can_be_handed(part)]
    if not wrong and not command[0]:
        wrong = [""]
    for part in wrong:
        mistakes.add(f"(command={quoted(command)}): {quoted(part)} is no program or argument")
    return not wrong


def _check_texts(what: str, given: object, mistakes: options.Mistakes) -> None:
    if not isinstance(given, Mapping):
        mistakes.add(f"({what}={quoted(given)}): {what} must be a dict of strings by name")
        return
    for name, text in given.items():
        where = f"({what}={{{quoted(name)}: {quoted(text)}}})"
        if not name or not _can_be_handed(name):
            mistakes.add(f"{where}: a name must be a non-empty string")
        elif what != "metrics" and not isinstance(text, str):
            mistakes.add(f"{where}: a value must be a string; write {quoted(str(text))}")
        elif what != "metrics" and not _can_be_handed(text):
            mistakes.add(f"{where}: {_NO_TEXT}")
        elif what in ("environment", "channels") and "=" in name:
            mistakes.add(f"{where}: the name of a variable has no '='")


def _can_be_handed(text: object) -> bool:
    """Whether it is a text that a program can be handed, as an argument or a variable."""
    try:
        return isinstance(text, str) and b"\0" not in fsencode(text)
    except UnicodeEncodeError:
        return False


def _check_metrics(metrics: Mapping[str, str], metric: str, mistakes: options.Mistakes) -> None:
    if metric not in metrics:
        known = ", ".join(map(repr, metrics))
        mistakes.add(f"(metric={metric!r}): metric must be one of the metrics, {known}")
    for name, pattern in metrics.items():
        where = f"(metrics={{{name!r}: {quoted(pattern)}}})"
        if mistake := name_mistake(name):
            mistakes.add(f"{where}: a metric's name {mistake}")
        try:
            groups = re.compile(pattern).groups if isinstance(pattern, str) else -1
        except re.error as error:
            mistakes.add(f"{where}: the regular expression is wrong: {error}")
            continue
        if groups < 1:
            must = "must be a regular expression whose first group is the number"
            mistakes.add(rf"{where}: it {must}, as in r'{name}=(\S+)'")


def _check_template(script: Script, mistakes: options.Mistakes) -> None:
    """Check that a command that says where some hyperparameters go says it of all."""
    searched = script.space.names
    known = {*searched, *script.statics}
    used = arguments.names_in(script.command)
    if not known.intersection(used):
        return
    if left := [name for name in searched if name not in used]:
        mistakes.add(
            f"(command={quoted(script.command)}): the command says where to put "
            f"{', '.join(n for n in used if n in known)}, but not {', '.join(left)}; add "
            f"{', '.join(f'{{{name}}}' for name in left)}, or leave all out for --name value"
        )
    if unknown := [name for name in used if name not in known]:
        mistakes.add(
            f"(command={quoted(script.command)}): {', '.join(unknown)} is no hyperparameter; "
            f"known are {', '.join(sorted(known))}"
        )


_RULES: Mapping[str, options.Rule] = {
    "space": options.instance(SearchSpace, "a SearchSpace"),
    "direction": options.DIRECTION,
    "max_epochs": options.optional(options.whole()),
    "timeout_seconds": options.optional(options.number("number of seconds", above=0)),
    "grace_seconds": options.number("number of seconds", least=0),
    "workers": options.optional(options.whole()),
    "script_mode": options.optional(options.flag),
}
