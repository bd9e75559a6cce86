"""From a document to a tuning job: read it, hold it against all rules, say everything at once."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo_research import sagemaker
from hpo_research.errors import DocumentError, DocumentWarning
from hpo_research.options import Mistakes, flag
from hpo_research.paths import Given, place
from hpo_research.sagemaker import quotas, request_rules, rules
from hpo_research.sagemaker.check import absent, checked, uncovered
from hpo_research.sagemaker.draft import CONFIG, Draft, definitions, draft
from hpo_research.sagemaker.job import TuningJob
from hpo_research.sagemaker.plain import Json, Plain, read
from hpo_research.sagemaker.resources import resource
from hpo_research.sagemaker.violations import Told, Violation, dotted, is_within
from hpo_research.sagemaker.wire import Request

Document = Given | Mapping[str, Any]

_FORMS = frozenset(Request.model_fields)
_NO_EFFECT = (
    *("RoleArn", "VpcConfig", "OutputDataConfig", "ResourceConfig"),
    *("HyperParameterTuningResourceConfig", "EnableNetworkIsolation"),
    *("EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig"),
)
_NAME = ("HyperParameterTuningJobName",)  # a tuner's document alone has none
_NO_WAIT = ("MaxWaitTimeInSeconds", "MaxPendingTimeInSeconds")


def load(
    path_or_dict: Document,
    definition: Document | Sequence[Mapping[str, Any]] | None = None,
    *,
    root: Given | None = None,
    strict: bool = False,
) -> TuningJob:
    """Load a tuning-job document: the tuner's own, or a whole request.

    `path_or_dict` is a JSON file or what it holds. `definition` is the training-job definition
    beside a document of the tuner, or a list of them: the pair that the command line of AWS takes.
    Where `root` is a folder of jobs, the parents of a warm start are looked for there.

    Raises `DocumentError`, a `ValueError`, with a line for each rule that is broken: JSON path,
    value, rule, way out. What goes beyond an account's quotas, and ranges of a single value, are
    warnings (`DocumentWarning`), and refused with `strict`.

    Source: the service's model in botocore (`sagemaker/2017-07-24`), and the developer guide's
    pages on automatic model tuning for the rules across fields.
    """
    mistakes = Mistakes("load")
    mistakes.check("strict", strict, flag)
    mistakes.refuse(DocumentError)
    if root is not None:
        place(root, "root", DocumentError)
    first = read(path_or_dict, "path_or_dict")
    second = None if definition is None else read(definition, "definition")
    what, found = _held(first, second)
    start = what.request.WarmStartConfig
    beyond, notes = list(quotas.beyond(what)), list(_notes(what))
    if start is not None and root is None:
        notes.append("WarmStartConfig: parents are looked for where root is given")
    elif start is not None and root is not None and not found:
        parents = sagemaker.parents.judged(what, root)
        found, beyond = parents.violations, beyond + parents.warnings
    found += beyond if strict else []
    if found:
        raise DocumentError("\n".join(str(_placed(one, what.is_request)) for one in found))
    lines = tuple(str(_placed(one, what.is_request)) for one in beyond)
    for line in lines:
        warnings.warn(line, DocumentWarning, stacklevel=2)
    documents = tuple(one.document for one in (first, second) if one is not None)
    ignored = tuple(_ignored(what.request))
    return TuningJob(what.request, documents, what.searches, lines, ignored, tuple(notes))


def _held(first: Plain, second: Plain | None) -> tuple[Draft, list[Violation]]:
    """Return a document as far as it can be read, and all rules that it breaks."""
    is_request = isinstance(first.document, Mapping) and not _FORMS.isdisjoint(first.document)
    found, whole = _request(first, second, is_request)
    request, wrong = checked(Request, whole)
    found += uncovered(found, iter(wrong))
    lacking = (one for one in absent(request) if is_request or one.path != _NAME)
    found += uncovered(found, lacking)
    broken = frozenset(path for one in found for path in (one.path, *one.covers))
    what = draft(request, is_request, broken)
    found += uncovered(found, rules.mistakes(what))
    found += uncovered(found, request_rules.mistakes(what))
    return what, found


def _request(
    first: Plain, second: Plain | None, is_request: bool
) -> tuple[list[Violation], dict[str, Json]]:
    """Return a request with all that came in, and what is wrong with it so far."""
    at = () if is_request else CONFIG
    found = [_moved(one, at) for one in first.violations]
    whole = dict(first.document) if is_request else {CONFIG[0]: first.document}
    if second is not None:
        is_list = isinstance(second.document, list)
        name = "TrainingJobDefinitions" if is_list else "TrainingJobDefinition"
        if taken := [
            key for key in ("TrainingJobDefinition", "TrainingJobDefinitions") if key in whole
        ]:
            rule = "stands in the request already"
            value = Told(f"the argument, beside {taken[0]}")
            found.append(Violation(("definition",), value, rule, "leave one of them out"))
        else:
            found += [_moved(one, (name,)) for one in second.violations]
            whole[name] = second.document
    return found, whole


def _moved(one: Violation, at: tuple[str, ...]) -> Violation:
    return Violation((*at, *one.path), one.value, one.rule, one.way_out)


def _placed(one: Violation, is_request: bool) -> Violation:
    """Return a violation with its path as it is in the document that came in."""
    if is_request or not is_within(one.path, CONFIG):
        return one
    return Violation(one.path[len(CONFIG) :], one.value, one.rule, one.way_out)


def _notes(what: Draft) -> Iterator[str]:
    """Yield what is decided here where the document leaves it open."""
    config = what.config
    is_given = config.hyperband.MaxResource is not None
    for search in what.searches:
        found = resource(search.statics)
        if config.Strategy == "Hyperband" and not is_given and found is not None:
            yield f"MaxResource is {found.value}, from the static hyperparameter {found.name}"
        for name, one in search.searched.parameters.items():
            if getattr(one, "scale", None) == "auto":
                scale = getattr(one, "resolved").name  # noqa: B009
                yield f"{name}: ScalingType Auto is {scale} here, log from a ratio of 100 on"
    if what.is_autotuned:
        yield "Autotune: what the document leaves out is not filled in here"


def _ignored(request: Request) -> Iterator[str]:
    """Yield the fields of no effect here: the infrastructure."""
    for at, one in definitions(request):
        yield from (dotted((*at, name)) for name in _NO_EFFECT if getattr(one, name) is not None)
        if one.AlgorithmSpecification and one.AlgorithmSpecification.TrainingInputMode:
            yield dotted((*at, "AlgorithmSpecification", "TrainingInputMode"))
        for name in _NO_WAIT:
            if one.StoppingCondition and getattr(one.StoppingCondition, name) is not None:
                yield dotted((*at, "StoppingCondition", name))
