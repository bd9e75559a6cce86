"""What an account's quotas would refuse: said as warnings, since nothing here needs them.

Source: the page "Resource limits for automatic model tuning" of the developer guide. Numbers are
those of an account that has asked for no more.
"""

from collections.abc import Iterator

from hpo_research.sagemaker.draft import Draft, definitions
from hpo_research.sagemaker.violations import Told, Violation

JOBS, PARALLEL, SECONDS = 750, 10, 30 * 86_400
RANGES, HYPERPARAMETERS, CATEGORIES = 30, 100, 900
METRICS, JOB_SECONDS = 20, 28 * 86_400


def beyond(draft: Draft) -> Iterator[Violation]:
    """Yield what goes beyond a quota, and which ranges hold a single value."""
    for search in draft.searches:
        yield from search.searched.warnings
    limits = draft.config.ResourceLimits
    for name, most in (
        ("MaxNumberOfTrainingJobs", JOBS),
        ("MaxParallelTrainingJobs", PARALLEL),
        ("MaxRuntimeInSeconds", SECONDS),
    ):
        value = getattr(limits, name) if limits else None
        if value is not None and value > most:
            at = draft.at("ResourceLimits", name)
            yield Violation(at, value, f"the quota is {most:,}", "the service asks for an increase")
    yield from _ranges(draft)
    for at, one in definitions(draft.request):
        algorithm, stopping = one.AlgorithmSpecification, one.StoppingCondition
        metrics = (algorithm and algorithm.MetricDefinitions) or ()
        if len(metrics) > METRICS:
            path = (*at, "AlgorithmSpecification", "MetricDefinitions")
            value = Told(f"{len(metrics)} metrics")
            yield Violation(path, value, f"the quota is {METRICS}", "the service would refuse them")
        if stopping and (stopping.MaxRuntimeInSeconds or 0) > JOB_SECONDS:
            path = (*at, "StoppingCondition", "MaxRuntimeInSeconds")
            rule = f"the quota is {JOB_SECONDS:,}, 28 days"
            yield Violation(path, stopping.MaxRuntimeInSeconds, rule, "the service would refuse it")


def _ranges(draft: Draft) -> Iterator[Violation]:
    for search in draft.searches:
        count = len(search.searched.kinds)
        total = count + len(search.statics) + ("_tuning_objective_metric" not in search.statics)
        sizes = [
            p.size or 0
            for name, p in search.searched.parameters.items()
            if search.searched.kinds[name] == "categorical"
        ]
        for what, value, most in (
            ("searched hyperparameters", count, RANGES),
            ("hyperparameters with the static ones and the objective", total, HYPERPARAMETERS),
            ("categories", sum(sizes), CATEGORIES),
        ):
            if value > most:
                rule = f"the quota is {most}"
                yield Violation(
                    search.at, Told(f"{value} {what}"), rule, "the service would refuse them"
                )
    grid = [search.searched.size for search in draft.searches]
    if draft.config.Strategy == "Grid" and draft.jobs is None and None not in grid:
        total = sum(size for size in grid if size is not None)
        if total > JOBS:
            at = draft.at("ParameterRanges")
            yield Violation(
                at,
                Told(f"{total:,} combinations"),
                f"the quota is {JOBS:,} jobs",
                "search fewer values",
            )
