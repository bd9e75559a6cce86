"""Our runs as Optuna's studies: their names, what is said of them, and copies in memory."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from hpo_research.analysis.history import RunHistory
from hpo_research.analysis.optuna_view.dates import Dates, written
from hpo_research.analysis.optuna_view.distributions import words_of
from hpo_research.analysis.optuna_view.trials import Translation, translated
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import Direction
from hpo_research.store import RunName
from hpo_research.text import count, visible

_METRICS = "study:metric_names"  # where Optuna keeps what `Study.set_metric_names` was given
_CLOCKS = {
    "simulated": "simulated seconds",
    "study": "seconds",
}


def study_name(name: RunName, prefix: str = "") -> str:
    """Return the name of a run's study."""
    return visible(f"{prefix}{name.problem} | {name.strategy} | seed {name.seed}")


def directions(direction: Direction) -> list[StudyDirection]:
    """Return a study's directions: one, since a run has one metric."""
    return [StudyDirection.MINIMIZE if direction == "minimize" else StudyDirection.MAXIMIZE]


def user_attributes(result: Result, name: RunName) -> dict[str, Any]:
    """Return what is said of a run besides its trials."""
    facts, own = result.facts, result.histories[name]
    ended = {"ended": own.ended} if own.ended else {}
    return {
        "experiment": facts.name,
        **name._asdict(),
        "status": "finished" if own.is_over else "not finished",
        "clock": _CLOCKS.get(facts.execution, "seconds since the run began"),
        **ended,
    }


def system_attributes(result: Result, name: RunName) -> dict[str, Any]:
    """Return what Optuna itself keeps of a study: the name of its metric."""
    return {_METRICS: [visible(result.facts.problems[name.problem].metric)]}


def translation(result: Result, name: RunName, dates: Dates) -> Translation:
    """Return how the trials of a run are said."""
    own: RunHistory = result.histories[name]
    words = words_of(own.run.space)
    return Translation(words, dates, own.is_over, own.run.max_epochs != 1)


def selected(
    result: Result,
    problem: str | None = None,
    strategy: str | None = None,
    seed: int | None = None,
) -> RunName:
    """Return the one run that is meant. Raises `StoreError` where it is none, or several."""
    found = [n for n in result.select(problem, strategy) if seed in (None, n.seed)]
    if len(found) == 1:
        return found[0]
    wanted = {"problem": problem, "strategy": strategy, "seed": seed}
    given = ", ".join(f"{key}={value!r}" for key, value in wanted.items() if value is not None)
    names = [f"({n.problem!r}, {n.strategy!r}, {n.seed})" for n in found or sorted(result.runs)]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    what = count(len(found), "run") if found else "no run"
    raise StoreError(
        f"to_optuna({given}): expected one run, got {what}; name its problem, strategy and seed, "
        f"of {shown or 'none'}"
    )


def in_memory(result: Result, name: RunName) -> optuna.Study:
    """Return a run as a study in memory, which is the caller's own."""
    storage = InMemoryStorage()
    written_to(storage, result, [name])
    with quiet():
        return optuna.load_study(study_name=study_name(name), storage=storage)


def written_to(storage: BaseStorage, result: Result, names: Sequence[RunName]) -> None:
    """Write runs into an empty storage of Optuna's, a study each."""
    dates = Dates().renewed(written(result.folder), result.histories.values())
    numbers = itertools.count()
    for name in names:
        direction = result.facts.problems[name.problem].direction
        with quiet():
            study = storage.create_new_study(directions(direction), study_name(name))
        for key, value in user_attributes(result, name).items():
            storage.set_study_user_attr(study, key, value)
        for key, value in system_attributes(result, name).items():
            storage.set_study_system_attr(study, key, value)
        for trial in _trials(result, name, dates, numbers):
            storage.create_new_trial(study, template_trial=trial)


def _trials(
    result: Result, name: RunName, dates: Dates, numbers: Iterator[int]
) -> list[FrozenTrial]:
    own = result.histories[name]
    taken = [next(numbers) for _ in own.run.trials]
    return translated(own, translation(result, name, dates), taken)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from announcing each study that it makes."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def prefixes(results: Mapping[Path, Result]) -> dict[Path, str]:
    """Return what the studies of each of several results begin with: nothing where it is one."""
    if len(results) == 1:
        return dict.fromkeys(results, "")
    names = [result.facts.name for result in results.values()]
    are_distinct = len(set(names)) == len(names)
    return {
        key: f"{result.facts.name if are_distinct else key}: " for key, result in results.items()
    }
