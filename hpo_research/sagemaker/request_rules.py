"""The rules across fields of a request: what the jobs run, and what the job begins with."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from hpo_research.sagemaker.draft import Draft, Search, definitions
from hpo_research.sagemaker.violations import ABSENT, Path, Told, Violation
from hpo_research.sagemaker.wire import Algorithm, Definition, Request

MOST_VARIABLES = 48  # of all definitions together
_PARENTS = ("WarmStartConfig", "ParentHyperParameterTuningJobs")


def mistakes(draft: Draft) -> Iterator[Violation]:
    """Yield what contradicts itself in a request, and in the definition beside a document."""
    request = draft.request
    if draft.is_request:
        yield from _one_form(draft)
    for at, one in definitions(request):
        yield from _definition(draft, one, at)
    for search in draft.searches:
        yield from _names(search)
        yield from _objective(search)
    yield from _several(draft)
    yield from _variables(request)
    yield from _warm_start(draft)


def _one_form(draft: Draft) -> Iterator[Violation]:
    one, several = draft.request.TrainingJobDefinition, draft.request.TrainingJobDefinitions
    if one is not None and several is not None:
        rule = "stands instead of TrainingJobDefinition"
        value = Told(f"{len(several)} of them")
        yield Violation(("TrainingJobDefinitions",), value, rule, "leave one of them out")
    elif one is None and several is None:
        at = ("TrainingJobDefinition",)
        if draft.is_known(at) and draft.is_known(("TrainingJobDefinitions",)):
            yield Violation(at, ABSENT, "a request says what its jobs run", "add it")


def _definition(draft: Draft, one: Definition, at: Path) -> Iterator[Violation]:
    if one.AlgorithmSpecification is not None:
        yield from _algorithm(draft, one.AlgorithmSpecification, (*at, "AlgorithmSpecification"))
    limits = one.StoppingCondition
    if limits is not None and None not in (limits.MaxWaitTimeInSeconds, limits.MaxRuntimeInSeconds):
        wait, run = limits.MaxWaitTimeInSeconds or 0, limits.MaxRuntimeInSeconds or 0
        if wait < run:
            rule = f"must be at least MaxRuntimeInSeconds, {run}"
            path = (*at, "StoppingCondition", "MaxWaitTimeInSeconds")
            yield Violation(path, wait, rule, "raise it")
    machines = one.HyperParameterTuningResourceConfig
    if machines is not None and machines.InstanceConfigs is not None:
        for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
            if (value := getattr(machines, name)) is not None:
                rule = "stands instead of InstanceConfigs"
                path = (*at, "HyperParameterTuningResourceConfig", name)
                yield Violation(path, value, rule, "move it into InstanceConfigs")


def _algorithm(draft: Draft, one: Algorithm, at: Path) -> Iterator[Violation]:
    if one.TrainingImage is not None and one.AlgorithmName is not None:
        rule = "stands instead of TrainingImage"
        way_out = "leave one of them out"
        yield Violation((*at, "AlgorithmName"), one.AlgorithmName, rule, way_out)
    elif one.TrainingImage is None and one.AlgorithmName is None and draft.is_known(at):
        rule = "a job needs TrainingImage or AlgorithmName"
        yield Violation((*at, "TrainingImage"), ABSENT, rule, "add one of them")
    names: set[str] = set()
    for i, metric in enumerate(one.MetricDefinitions or ()):
        path = (*at, "MetricDefinitions", i)
        if metric.Name in names:
            rule = "a metric has one expression"
            yield Violation((*path, "Name"), metric.Name, rule, "remove one, or rename it")
        names |= {metric.Name} if metric.Name is not None else set()
        if metric.Regex is not None:
            yield from _expression(metric.Regex, (*path, "Regex"))


def _expression(text: str, at: Path) -> Iterator[Violation]:
    try:
        expression = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        way_out = "correct it"
        if re.search(r"\(\?<\w", text):
            way_out = "Python writes a group's name (?P<name>...)"
        yield Violation(at, text, f"must be a regular expression: {error}", way_out)
        return
    if not expression.groups:
        rule = "must have a group, which holds the number"
        yield Violation(at, text, rule, "put the number in parentheses, as loss=([0-9.]+)")


def _names(search: Search) -> Iterator[Violation]:
    """No hyperparameter is both searched and static."""
    for name in search.statics:
        if name in search.searched.kinds:
            rule = "is searched as well"
            path = (*(search.jobs_at or ()), "StaticHyperParameters", name)
            yield Violation(path, search.statics[name], rule, "keep the range or the value")


def _objective(search: Search) -> Iterator[Violation]:
    """The objective is among the metric definitions, where there are any."""
    objective = search.objective and search.objective.MetricName
    algorithm = search.definition and search.definition.AlgorithmSpecification
    metrics = [one.Name for one in (algorithm and algorithm.MetricDefinitions) or ()]
    if objective is None or not metrics or None in metrics or objective in metrics:
        return
    rule = "A metric is required for this hyperparameter tuning job objective"
    named = ", ".join(name for name in metrics if name)
    way_out = f"define it in MetricDefinitions, or name one that is there: {named}"
    yield Violation((*search.objective_at, "MetricName"), objective, rule, way_out)


def _several(draft: Draft) -> Iterator[Violation]:
    """Several definitions are named, distinct, each with ranges and objective of its own."""
    several = draft.request.TrainingJobDefinitions
    if several is None or draft.request.TrainingJobDefinition is not None:
        yield from _twice_said(draft)
        return
    config = draft.config
    for name in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        if getattr(config, name) is not None:
            rule = "belongs to each definition where there is a list of them"
            own = "TuningObjective" if name.endswith("Objective") else "HyperParameterRanges"
            value = getattr(config, name).model_dump(exclude_none=True)
            yield Violation(draft.at(name), value, rule, f"move it into each as {own}")
    yield from _names_of_definitions(draft, several)
    if len(several) > 1 and draft.request.WarmStartConfig is not None:
        rule = "several definitions have no warm start"
        kind = draft.request.WarmStartConfig.WarmStartType or "given"
        yield Violation(("WarmStartConfig",), kind, rule, "leave it out")
    if len(several) > 1 and config.TrainingJobEarlyStoppingType == "Auto":
        rule = "several definitions have no early stopping"
        yield Violation(draft.at("TrainingJobEarlyStoppingType"), "Auto", rule, "write Off")


def _names_of_definitions(draft: Draft, several: Sequence[Definition]) -> Iterator[Violation]:
    counts = Counter(one.DefinitionName for one in several)
    seen: set[str] = set()
    for i, one in enumerate(several):
        path = ("TrainingJobDefinitions", i, "DefinitionName")
        if one.DefinitionName is None:
            if draft.is_known(path):
                yield Violation(path, ABSENT, "a definition in a list has a name", "add it")
        elif one.DefinitionName in seen:
            rule = f"{counts[one.DefinitionName]} definitions have this name"
            yield Violation(path, one.DefinitionName, rule, "rename all but one")
        seen |= {one.DefinitionName} if one.DefinitionName is not None else set()


def _twice_said(draft: Draft) -> Iterator[Violation]:
    """One definition has its objective and ranges in it or in the tuner's document."""
    one = draft.request.TrainingJobDefinition
    pairs = (
        ("TuningObjective", "HyperParameterTuningJobObjective"),
        ("HyperParameterRanges", "ParameterRanges"),
    )
    for own, general in pairs if one is not None else ():
        value = getattr(one, own)
        if value is not None and getattr(draft.config, general) is not None:
            rule = f"stands instead of {general}"
            path = ("TrainingJobDefinition", own)
            given = value.model_dump(exclude_none=True)
            yield Violation(path, given, rule, "leave one of them out")


def _variables(request: Request) -> Iterator[Violation]:
    """All definitions together have as many variables as one may have."""
    several = request.TrainingJobDefinitions or ()
    total = sum(len(one.Environment or ()) for one in several)
    if total > MOST_VARIABLES and all(len(o.Environment or ()) <= MOST_VARIABLES for o in several):
        rule = f"definitions may have {MOST_VARIABLES} variables of Environment together"
        value = Told(f"{total} variables")
        yield Violation(("TrainingJobDefinitions",), value, rule, "remove some")


def _warm_start(draft: Draft) -> Iterator[Violation]:
    """Parents are named, each once, and none is the job itself."""
    start = draft.request.WarmStartConfig
    own = draft.request.HyperParameterTuningJobName
    seen: set[str] = set()
    for i, parent in enumerate((start and start.ParentHyperParameterTuningJobs) or ()):
        path = (*_PARENTS, i, "HyperParameterTuningJobName")
        name = parent.HyperParameterTuningJobName
        if name is None:
            if draft.is_known(path):
                yield Violation(path, ABSENT, "a parent is known by its name", "add it")
            continue
        if name.lower() in seen:
            yield Violation(path, name, "a parent is named once", "remove one")
        elif own is not None and name.lower() == own.lower():
            yield Violation(path, name, "a job is no parent of itself", "rename the job")
        seen.add(name.lower())
