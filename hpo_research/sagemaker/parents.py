"""The parents of a warm start: earlier jobs in a folder, held against the new one.

A job's folder is `ROOT/NAME`, whatever the case of the name; it holds the job's document,
`job.json` (and `definition.json`, of a pair), and its store. A parent that is not there is a
warning, since its results may lie elsewhere.

Source: "Run a warm start hyperparameter tuning job", developer guide. It counts each value of a
category, so a category of k values that becomes static counts k, and a static text that changes
counts 2; that a number then counts 1 is our reading.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as Folder

from hpo_research.analysis.result import Result
from hpo_research.errors import DocumentError, DocumentWarning
from hpo_research.paths import Given, place
from hpo_research.sagemaker import loading
from hpo_research.sagemaker.draft import Draft, Search
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.violations import Path, Violation
from hpo_research.sagemaker.wire import Request

DOCUMENT, DEFINITION = "job.json", "definition.json"
MOST_CHANGES = 10

_OWN = re.compile(r"_tuning_objective_metric|sagemaker_.*")  # what tuner and SDK write
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SAME = (
    "The set of tunable plus static HyperParameter names is not the same across current and "
    "parent tuning jobs"
)


@dataclass
class Judged:
    """What is wrong with the parents, and which of them are not there."""

    violations: list[Violation] = field(default_factory=list)
    warnings: list[Violation] = field(default_factory=list)


def judged(draft: Draft, root: Given) -> Judged:
    """Hold the parents of a job against it."""
    found, (child, *several) = Judged(), draft.searches
    folder = place(root, "root", DocumentError)
    for i, name in enumerate(names_of(draft.request)):
        path = ("WarmStartConfig", "ParentHyperParameterTuningJobs", i)
        at: Path = (*path, "HyperParameterTuningJobName")
        home = folder_of(name, folder)
        if home is None:
            rule = f"is no job in {folder}"
            found.warnings.append(Violation(at, name, rule, "its results are not known here"))
        elif not several:
            found.violations += _mistakes(child, home, at, name)
    return found


def folder_of(name: str, root: Folder) -> Folder | None:
    """Return the folder of a job by its name, whatever its case; None where there is no job."""
    if not root.is_dir():
        return None
    folders = [one for one in sorted(root.iterdir()) if one.name.lower() == name.lower()]
    return next((one for one in folders if (one / DOCUMENT).is_file()), None)


def loaded(home: Folder) -> TuningJob:
    """Load the document in a job's folder, without the warnings that were said when it began."""
    beside = home / DEFINITION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DocumentWarning)
        return loading.load(home / DOCUMENT, beside if beside.is_file() else None)


def names_of(request: Request) -> list[str]:
    """Return the names of the parents that a request gives."""
    start = request.WarmStartConfig
    listed = (start and start.ParentHyperParameterTuningJobs) or ()
    return [one.HyperParameterTuningJobName or "" for one in listed]


def is_own(name: str) -> bool:
    """Return whether a hyperparameter is one that tuner or SDK write for themselves."""
    return _OWN.fullmatch(name) is not None


def _mistakes(child: Search, home: Folder, at: Path, name: str) -> Iterator[Violation]:
    if not _is_over(home):
        rule = "is not over: a parent is Completed, Stopped or Failed"
        yield Violation(at, name, rule, "wait for it, or stop it")
    try:
        job = loaded(home)
    except DocumentError as error:
        first = str(error).partition("\n")[0]
        rule = f"has a document, {home / DOCUMENT}, that breaks rules itself: {first}"
        yield Violation(at, name, rule, "correct it, or name another parent")
        return
    if len(job.searches) > 1:
        rule = "has several definitions, and a warm start takes one"
        yield Violation(at, name, rule, "name another parent")
        return
    parent = job.searches[0]
    yield from _objectives(child, parent, at, name)
    yield from _hyperparameters(child, parent, at, name)


def _is_over(home: Folder) -> bool:
    if not (home / "store.sqlite").exists():
        return False  # it has not begun
    return Result.read(home).is_finished


def _objectives(child: Search, parent: Search, at: Path, name: str) -> Iterator[Violation]:
    ours, theirs = (one.objective and one.objective.MetricName for one in (child, parent))
    if ours != theirs:
        rule = f"has the objective {theirs}, this job {ours}"
        yield Violation(at, name, rule, "a warm start keeps the objective metric")


def _hyperparameters(child: Search, parent: Search, at: Path, name: str) -> Iterator[Violation]:
    ours, theirs = _names(child), _names(parent)
    if ours != theirs:
        more, fewer = sorted(ours - theirs), sorted(theirs - ours)
        parts = [f"add {', '.join(fewer)}"] if fewer else []
        parts += [f"drop {', '.join(more)}"] if more else []
        yield Violation(at, name, _SAME, " and ".join(parts))
        return
    for one in sorted(ours & child.searched.kinds.keys() & parent.searched.kinds.keys()):
        kinds = child.searched.kinds[one], parent.searched.kinds[one]
        if kinds[0] != kinds[1]:
            rule = f"has {one} as {kinds[1]}, this job as {kinds[0]}"
            yield Violation(at, name, rule, "a warm start keeps the kind of a hyperparameter")
    changes = sum(_changes(child, parent, one) for one in ours)
    if changes > MOST_CHANGES:
        rule = f"differs by {changes} changes of static hyperparameters, at most {MOST_CHANGES}"
        yield Violation(at, name, rule, "keep more of its values, or search them")


def _names(search: Search) -> set[str]:
    names = {*search.searched.kinds, *search.statics}
    return {name for name in names if not is_own(name)}


def _changes(child: Search, parent: Search, name: str) -> int:
    if name not in child.statics:
        return 0
    if name in parent.searched.kinds:
        is_category = parent.searched.kinds[name] == "categorical"
        one = parent.searched.parameters.get(name)
        return (one.size or 1) if is_category and one is not None else 1
    before, after = parent.statics[name], child.statics[name]
    if before == after:
        return 0
    return 1 if _NUMBER.fullmatch(before) and _NUMBER.fullmatch(after) else 2
