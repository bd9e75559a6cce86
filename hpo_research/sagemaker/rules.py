"""The rules across fields of the tuner's document: strategy, space, limits."""

from collections.abc import Iterator

from hpo_research.sagemaker.draft import Draft, Search
from hpo_research.sagemaker.ranges import entries
from hpo_research.sagemaker.resources import LARGEST_RESOURCE, resource
from hpo_research.sagemaker.violations import ABSENT, Path, Violation
from hpo_research.sagemaker.wire import HyperbandOptions, Ranges

_GUESS = (
    "MaxResource parameter is not provided and could not be inferred from provided static "
    "hyperparameters of TrainingJobDefinition"
)


def mistakes(draft: Draft) -> Iterator[Violation]:
    """Yield what contradicts itself in the tuner's document."""
    for search in draft.searches:
        yield from search.searched.violations
        yield from _nothing_searched(draft, search)
    if draft.config.Strategy == "Grid":
        yield from _no_grid(draft)
    elif draft.config.Strategy is not None:
        yield from _too_few(draft)
        yield from _endless(draft)
    yield from _hyperband(draft)


def _nothing_searched(draft: Draft, search: Search) -> Iterator[Violation]:
    if search.objective is None and draft.is_known(search.objective_at):
        rule = "a job needs an objective"
        way_out = 'add it, as {"Type": "Minimize", "MetricName": "loss"}'
        yield Violation(search.objective_at, ABSENT, rule, way_out)
    is_searched = bool(search.searched.kinds) or not search.searched.is_whole
    if not is_searched and draft.is_known(search.at) and not draft.is_autotuned:
        rule = "a job needs a range to search"
        yield Violation(search.at, ABSENT, rule, "add one")


def _ranges(draft: Draft, search: Search) -> Ranges | None:
    if search.definition is not None and search.at[-1] == "HyperParameterRanges":
        return search.definition.HyperParameterRanges
    return draft.config.ParameterRanges


def _no_grid(draft: Draft) -> Iterator[Violation]:
    """A grid takes categories only, and exactly as many jobs as it has combinations."""
    at, total, is_complete = draft.at("ResourceLimits", "MaxNumberOfTrainingJobs"), 0, True
    for search in draft.searches:
        ranges = _ranges(draft, search)
        for path, one in entries(ranges, search.at) if ranges else ():
            if path[-2] != "CategoricalParameterRanges":
                rule = "a grid takes categories only"
                way_out = "list values in CategoricalParameterRanges, or choose another Strategy"
                yield Violation(path, one.Name, rule, way_out)
                is_complete = False
        is_complete &= search.searched.is_whole and draft.is_known(search.at)
        is_complete &= "auto" not in search.searched.kinds.values()
        total += search.searched.size or 0
    if is_complete and draft.jobs not in (None, total) and total:
        rule = f"the grid has {total} distinct combinations"
        yield Violation(at, draft.jobs, rule, f"write {total}, or leave it out")


def _too_few(draft: Draft) -> Iterator[Violation]:
    """A finite space has enough for the jobs, since none is tried twice."""
    sizes = [search.searched.size for search in draft.searches]
    is_complete = all(
        s.searched.is_whole and draft.is_known(s.at) and "auto" not in s.searched.kinds.values()
        for s in draft.searches
    )
    if None in sizes or not is_complete or draft.jobs is None:
        return
    total = sum(size for size in sizes if size is not None)
    if 0 < total < draft.jobs:
        rule = f"the ranges have {total} combinations, and none is tried twice"
        at = draft.at("ResourceLimits", "MaxNumberOfTrainingJobs")
        yield Violation(at, draft.jobs, rule, f"write at most {total}, or widen the ranges")


def _endless(draft: Draft) -> Iterator[Violation]:
    """Something must end the job; only a grid ends by itself."""
    limits, at = draft.config.ResourceLimits, draft.at("ResourceLimits", "MaxNumberOfTrainingJobs")
    is_limited = limits is None or limits.MaxRuntimeInSeconds is not None
    is_limited |= draft.jobs is not None or draft.is_autotuned
    is_limited |= draft.config.TuningJobCompletionCriteria is not None
    if not is_limited and draft.is_known(draft.at("ResourceLimits")):
        rule = "only a grid knows its number of jobs"
        yield Violation(at, ABSENT, rule, "add it, or MaxRuntimeInSeconds")


def _hyperband(draft: Draft) -> Iterator[Violation]:
    config = draft.config
    if config.Strategy != "Hyperband":
        if config.StrategyConfig is not None and config.Strategy is not None:
            rule = f"is for Hyperband alone, and the Strategy is {config.Strategy}"
            value = config.StrategyConfig.model_dump(exclude_none=True)
            yield Violation(draft.at("StrategyConfig"), value, rule, "leave it out")
        return
    if config.TrainingJobEarlyStoppingType == "Auto":
        rule = "Hyperband stops jobs by itself"
        yield Violation(draft.at("TrainingJobEarlyStoppingType"), "Auto", rule, "write Off")
    at = draft.at("StrategyConfig", "HyperbandStrategyConfig")
    yield from _resources(draft, config.hyperband, at)


def _resources(draft: Draft, options: HyperbandOptions, at: Path) -> Iterator[Violation]:
    """1 ≤ MinResource ≤ MaxResource ≤ 20,000, the latter given or read from the statics."""
    least, most = options.MinResource, options.MaxResource
    where = (*at, "MaxResource")
    if most is not None:
        yield from _between(where, most, least)
    elif draft.is_known(where):
        for search in draft.searches:
            found = resource(search.statics)
            if search.jobs_at and not draft.is_known((*search.jobs_at, "StaticHyperParameters")):
                continue
            if found is None:
                yield Violation(where, ABSENT, _GUESS, "add it, or a static epochs")
                return
            path = (*(search.jobs_at or ()), "StaticHyperParameters", found.name)
            if found.value is None:
                rule = "must be an integer >= 1 to be Hyperband's MaxResource"
                yield Violation(path, found.text, rule, "correct it, or add MaxResource")
            else:
                yield from _between(path, found.value, least, found.text)


def _between(
    path: Path, most: int, least: int | None, text: str | None = None
) -> Iterator[Violation]:
    value = most if text is None else text
    if most > LARGEST_RESOURCE:
        yield Violation(path, value, f"must be at most {LARGEST_RESOURCE:,}", "lower it")
    elif least is not None and least > most:
        rule = f"must be at least MinResource, {least}"
        yield Violation(path, value, rule, "raise it, or lower MinResource")
