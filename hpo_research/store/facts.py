"""The facts of an experiment: what its stored description says, parsed once, with types.

The description is JSON that outlives versions (`experiment.description` writes it); no reader looks
into it but this one. What made a problem or strategy stays as it is described: any object's fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from hpo_research.entries import EarlierTask
from hpo_research.ledger import Final
from hpo_research.records import PRIOR, Direction, Status, Task, Trial, sign
from hpo_research.space import Config

_STATUSES = get_args(Status)
Described = Mapping[str, Any]
"""How an object was described: its class and its fields."""


@dataclass(frozen=True)
class BudgetFacts:
    """The limits of a run, None where there is none; `seconds` in seconds."""

    evaluations: float | None = None
    epochs: float | None = None
    trials: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class ProblemFacts:
    """A problem: `space` is the document of its search space, `identity` the problem described.

    `optimum` is the known optimum of the metric. A study's problem has no identity. `max_epochs` is
    None where the length of trials is open. `earlier` is what earlier runs found, `queue` holds the
    configurations that every run tries first.
    """

    metric: str
    direction: Direction
    max_epochs: int | None
    optimum: float | None
    space: Described
    identity: Any = None
    has_missing_values: bool = False
    earlier: tuple[EarlierTask, ...] = ()
    queue: tuple[Config, ...] = ()

    @property
    def sign(self) -> int:
        """What makes a value of the metric a loss."""
        return sign(self.direction)


@dataclass(frozen=True)
class AnswersFacts:
    """What a strategy said of itself that a reader cannot make again (`analysis.described`)."""

    batch: int | None
    needs_total: bool
    with_one_epoch: str
    inner: Described | None
    recommend: Described
    believe: Described
    own: tuple[str, ...]


@dataclass(frozen=True)
class StrategyFacts:
    """A strategy as it is described, and what it said of itself, None where nothing was noted."""

    described: Any
    answers: AnswersFacts | None = None


@dataclass(frozen=True)
class Facts:
    """An experiment: problems and strategies by name, in its order.

    `parallel` is how many trials of a run train at once, None for as many as its strategy wants or
    its budget has room for. A study's `budget` is None.
    """

    name: str
    problems: Mapping[str, ProblemFacts]
    strategies: Mapping[str, StrategyFacts]
    seeds: tuple[int, ...]
    execution: str
    final: Final
    budget: BudgetFacts | None = None
    parallel: int | None = None

    @property
    def is_study(self) -> bool:
        """Whether it is a study, run from outside by ask and tell."""
        return self.execution == "study"


def facts_of(found: Any) -> Facts:
    """Parse the description of an experiment. Raises `ValueError` where it is none."""
    need(isinstance(found, dict), "a JSON object", found)
    for key in ("name", "execution", "final"):
        need(isinstance(found.get(key), str), f"{key}: a string", found.get(key))
    final: Final = _one_of("final", found["final"], ("last", "best"))
    for key in ("problems", "strategies"):
        need(isinstance(found.get(key), dict), f"{key}: an object by name", found.get(key))
    seeds, parallel = found.get("seeds"), found.get("parallel")
    need(isinstance(seeds, list) and all(type(s) is int for s in seeds), "seeds: integers", seeds)
    need(parallel is None or type(parallel) is int, "parallel: an integer", parallel)
    answers = _object("answers", found.get("answers", {}))
    known = {name: _answers(f"answers.{name}", said) for name, said in answers.items()}
    return Facts(
        name=found["name"],
        problems={name: _problem(f"problems.{name}", p) for name, p in found["problems"].items()},
        strategies={
            name: StrategyFacts(made, known.get(name)) for name, made in found["strategies"].items()
        },
        seeds=tuple(seeds),
        execution=found["execution"],
        final=final,
        budget=_budget(found.get("budget")),
        parallel=parallel,
    )


def _problem(where: str, found: Any) -> ProblemFacts:
    own = _object(where, found)
    metric, epochs, optimum = own.get("metric"), own.get("max_epochs"), own.get("optimum")
    need(isinstance(metric, str), f"{where}.metric: a string", metric)
    direction: Direction = _one_of(
        f"{where}.direction", own.get("direction"), ("minimize", "maximize")
    )
    is_count = epochs is None or (type(epochs) is int and epochs > 0)
    need(is_count, f"{where}.max_epochs: an integer >= 1, or null", epochs)
    is_missing = own.get("has_missing_values", False)
    need(type(is_missing) is bool, f"{where}.has_missing_values: a bool", is_missing)
    need(optimum is None or _is_number(optimum), f"{where}.optimum: a number", optimum)
    need(isinstance(own.get("space"), dict), f"{where}.space: an object", own)
    made, prior, queue = own.get("identity"), own.get("prior"), own.get("enqueue", [])
    is_queue = isinstance(queue, list) and all(isinstance(config, dict) for config in queue)
    need(is_queue, f"{where}.enqueue: a list of configurations", queue)
    return ProblemFacts(
        *(own["metric"], direction, epochs, optimum, own["space"], made),
        has_missing_values=is_missing,
        earlier=() if prior is None else earlier_of(f"{where}.prior", prior),
        queue=tuple(queue),
    )


def earlier_of(where: str, found: Any) -> tuple[EarlierTask, ...]:
    """Return what earlier runs found, as `experiment.priors.document` wrote it.

    The first stores held one task, an object, for a list of them. Raises `ValueError`.
    """
    tasks = []
    need(isinstance(found, dict | list), f"{where}: a list", found)
    for i, one in enumerate([found] if isinstance(found, dict) else found):
        at = f"{where}[{i}]"
        own = _object(at, one)
        task: Task = _one_of(f"{at}.task", own.get("task"), ("same", "related"))
        name = own.get("name", "")
        need(isinstance(name, str), f"{at}.name: a string", name)
        tasks.append(EarlierTask(trials_of(f"{at}.trials", own.get("trials")), task, name))
    return tuple(tasks)


def trials_of(where: str, found: Any) -> tuple[Trial, ...]:
    """Return the trials of earlier runs, as they were stored. Raises `ValueError`."""
    need(isinstance(found, list), f"{where}: a list of trials", found)
    trials = []
    for i, own in enumerate(found):
        if not _is_trial(own):  # thousands are read: what they should be is told of a wrong one
            need(False, f"{where}[{i}]: config, status, until, epochs, values and value", own)
        curve = tuple(own["epochs"]), tuple(own["values"])
        made = (i, own["config"], own["status"], own["until"], *curve, own["value"])
        trials.append(Trial(*made, origin=PRIOR))
    return tuple(trials)


def _is_trial(own: Any) -> bool:
    return (
        isinstance(own, dict)
        and isinstance(own.get("config"), dict)
        and own.get("status") in _STATUSES
        and type(own.get("until")) is int
        and _is_curve(own.get("epochs"), own.get("values"))
        and ("value" in own and (own["value"] is None or _is_number(own["value"])))
    )


def _is_curve(epochs: Any, values: Any) -> bool:
    is_pair = isinstance(epochs, list) and isinstance(values, list) and len(epochs) == len(values)
    return is_pair and all(type(e) is int for e in epochs) and all(map(_is_number, values))


_ANSWERS: Mapping[str, tuple[type, ...]] = {
    "batch": (int, type(None)),
    "needs_total": (bool,),
    "with_one_epoch": (str,),
    "inner": (dict, type(None)),
    "recommend": (dict,),
    "believe": (dict,),
    "own": (list,),
}


def _answers(where: str, said: Any) -> AnswersFacts:
    own = _object(where, said)
    for key, kinds in _ANSWERS.items():
        value = own.get(key, kinds)  # an object that is none of them where it is missing
        need(isinstance(value, kinds), f"{where}.{key}: {kinds}", value)
    given = {key: own[key] for key in _ANSWERS if key != "own"}
    return AnswersFacts(**given, own=tuple(own["own"]))


def _budget(found: Any) -> BudgetFacts | None:
    if found is None:
        return None
    own, units = _object("budget", found), [field.name for field in fields(BudgetFacts)]
    for unit in units:
        value = own.get(unit, "nothing")
        need(value is None or _is_number(value), f"budget.{unit}: a number", value)
    return BudgetFacts(**{unit: own[unit] for unit in units})


def _object(where: str, found: Any) -> dict[str, Any]:
    need(isinstance(found, dict), f"{where}: an object by name", found)
    own: dict[str, Any] = found
    return own


def _one_of(where: str, found: Any, legal: tuple[str, ...]) -> Any:
    need(isinstance(found, str) and found in legal, f"{where}: {' or '.join(legal)}", found)
    return found


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def need(holds: bool, expected: str, got: object) -> None:
    """Raise `ValueError` where something that was read is not as it must be."""
    if not holds:
        raise ValueError(f"expected {expected}, got {got!r:.80}")
