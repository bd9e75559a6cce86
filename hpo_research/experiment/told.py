"""What a study is given and told, checked before it counts."""

import json
from pathlib import Path

from hpo_research import options
from hpo_research.errors import StudyError
from hpo_research.experiment.checks import strategy_mistake
from hpo_research.experiment.description import Json, describe, differences, stored
from hpo_research.ledger import RunInfo
from hpo_research.records import Trial
from hpo_research.scalars import plain
from hpo_research.space import SearchSpace
from hpo_research.strategies.protocol import Strategy

STUDY = "study"
"""What the one problem, the one strategy and the execution of a study are called."""


def number_of(trial: int, value: object) -> float:
    """Return what a trial gave as a float; NumPy scalars and tensors without dimensions are too.

    Raises `StudyError` for anything else.
    """
    number = plain(value)
    if not options.is_real(number):
        raise StudyError(
            f"trial {trial}: expected a number, got {value!r} of type {type(value).__name__}; "
            "use fail(id, reason) for a trial that gave none"
        )
    try:
        return float(number)
    except OverflowError:
        raise StudyError(
            f"trial {trial}: expected a number, got one that is too large for a float"
        ) from None


def epoch_of(trial: Trial, epoch: object) -> int:
    """Return an epoch as an int. Raises `StudyError` for one that the trial cannot have."""
    number = options.as_integer(epoch)
    if number is None:
        raise StudyError(f"trial {trial.id}: epoch must be an integer, got {epoch!r}")
    if not 1 <= number <= trial.until:
        raise StudyError(
            f"trial {trial.id}: epoch {number} is outside 1 to {trial.until}, its until"
        )
    return number


def check_running(trial: Trial, epoch: int) -> None:
    """Raise `StudyError` where nothing can be told of a trial at this epoch."""
    if not trial.is_running:
        raise StudyError(
            f"trial {trial.id} is {trial.status} since epoch {trial.reached}; "
            "only trials that ask() gave out can be told"
        )
    if epoch <= trial.reached:
        raise StudyError(
            f"trial {trial.id}: epoch {epoch} comes after epoch {trial.reached} was reported"
        )


def check_study(info: RunInfo, strategy: object) -> None:
    """Raise `StudyError` with all that is wrong with the arguments of a study."""
    rules = {
        "space": options.instance(SearchSpace, "a SearchSpace"),
        "seed": options.foreign(options.seed),
        "final": options.FINAL,
    }
    rules |= {"direction": options.DIRECTION, "max_epochs": options.whole()}
    mistakes = options.Mistakes.of(info, rules, "Study:")
    if mistake := strategy_mistake(strategy, info.max_epochs):
        mistakes.add(f" strategy {mistake}")
    mistakes.refuse(StudyError)


def description_of(info: RunInfo, strategy: Strategy) -> Json:
    """Return a study as plain JSON, as an experiment of one problem and one strategy."""
    facts = {
        **{"metric": info.metric, "direction": info.direction, "max_epochs": info.max_epochs},
        "optimum": None,
        "space": describe(info.space, "space"),
    }
    description = {
        "name": STUDY,
        "problems": {STUDY: facts},
        "strategies": {STUDY: describe(strategy, "strategy")},
        "seeds": [info.seed],
        "budget": None,
        "parallel": None,
        "execution": STUDY,
        "final": info.final,
        **stored({STUDY: strategy}),
    }
    found: Json = json.loads(json.dumps(description))
    return found


def check_same(folder: Path | None, old: Json, new: Json) -> None:
    """Raise `StudyError` where a folder holds another study, or an experiment."""
    if old["execution"] != STUDY:
        raise StudyError(f"{folder}: holds an experiment named {old['name']!r}; use another path")
    lines = differences(_facts(old), _facts(new))
    if lines:
        raise StudyError(
            "\n".join([f"{folder}: holds another study; use another path, or undo:", *lines])
        )


def _facts(description: Json) -> Json:
    (seed,) = description["seeds"]
    strategy = description["strategies"][STUDY]
    return {
        **description["problems"][STUDY],
        "strategy": strategy,
        "seed": seed,
        "final": description["final"],
    }
