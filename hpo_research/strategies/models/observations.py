"""What a run's model may learn from: its trials, those of earlier runs, and what was fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpo_research.records import Note, Run, Trial
from hpo_research.space import Config
from hpo_research.space.outside import is_inside
from hpo_research.strategies.earlier import is_own, told_by
from hpo_research.strategies.models.encoding import Encoding

_COLD = 10
UNRELATED = 0.5
"""The lengthscale of a related task below which it says next to nothing of the run's own.

Under Matérn-5/2 the correlation of a configuration's values for the two is 0.14 there.
"""


@dataclass(frozen=True)
class Observations:
    """What a run's model may learn from.

    `configs` and `losses` are of ended trials; one that failed, or was stopped without a value,
    has the worst loss of the others, so that a model leaves the place. `pending` are running.
    `fitted` is (ℓ_1, ..., ℓ_p, σ², μ) of the model of an earlier ask, those of related tasks behind
    ℓ_p, to begin the next fit from; every tenth fit begins without it.

    Behind the run's own trials come the `earlier` ones, first those of its `prior`. `tasks` are 0
    for these and from 1 on for each related task, whose losses mean nothing beside the run's own:
    they count in neither `values` nor `failures`. Those that the last fit found `UNRELATED` are
    left out until a fit begins anew: `told` says which are not, `alike` the lengthscales of all as
    last fitted, empty before. `rivals` are what is to be improved on: trials of the run's task
    inside its space, or all of its task where there are none.
    """

    configs: tuple[Config, ...]
    losses: tuple[float, ...]
    pending: tuple[Config, ...]
    values: int
    failures: int
    fitted: tuple[float, ...] | None
    rivals: tuple[bool, ...]
    tasks: tuple[int, ...]
    earlier: int
    told: tuple[int, ...] = ()
    alike: tuple[float, ...] = ()

    @classmethod
    def of(cls, run: Run) -> "Observations":
        """Sort a run's trials."""
        pending = tuple(trial.config for trial in run.trials if trial.is_running)
        ended = [
            (trial, float(loss))
            for trial, loss in zip(run.trials, run.losses, strict=True)
            if not trial.is_running
        ]
        rivals = [is_own(run, trial) for trial, _ in ended]
        earlier = [(trial, _loss(run, trial)) for trial in told_by(run.prior)]
        rivals += [is_inside(run.space, trial.config) for trial, _ in earlier]
        ended += earlier
        losses, values = _filled(ended)
        others: list[tuple[Trial, float]] = []
        tasks: list[int] = [0] * len(ended)
        notes, related = _fits(run), related_of(run)
        alike = _numbers(notes[-1].get("task_lengthscale", [])) if notes else ()
        is_known = bool(alike) and _is_warm(notes)
        told = tuple(i for i in range(len(related)) if not is_known or alike[i] > UNRELATED)
        for task, i in enumerate(told, start=1):
            of_one = [(trial, _loss(run, trial)) for trial in related[i]]
            losses += _filled(of_one)[0]
            others += of_one
            tasks += [task] * len(of_one)
        return cls(
            tuple(trial.config for trial, _ in (*ended, *others)),
            losses,
            pending,
            values,
            len(ended) - values,
            _fitted(notes, told),
            (*(rivals if any(rivals) else [True] * len(ended)), *[False] * len(others)),
            tuple(tasks),
            len(earlier) + len(others),
            told,
            alike,
        )


def related_of(run: Run, *, with_curves: bool = False) -> list[list[Trial]]:
    """Return what a model learns from of each related task; one without a value teaches nothing."""
    told = [told_by(own, with_curves=with_curves) for own in run.related]
    return [own for own in told if any(np.isfinite(_loss(run, trial)) for trial in own)]


def _loss(run: Run, trial: Trial) -> float:
    return np.nan if trial.value is None else run.sign * trial.value


def _filled(ended: Sequence[tuple[Trial, float]]) -> tuple[tuple[float, ...], int]:
    """Return losses, the worst for those that have none, and how many do have one."""
    found = [loss for _, loss in ended if np.isfinite(loss)]
    worst = max(found, default=0.0)
    return tuple(loss if np.isfinite(loss) else worst for _, loss in ended), len(found)


def _fits(run: Run) -> list[Mapping[str, Note]]:
    """Return the notes of the asks that fitted a model."""
    return [ask.notes for ask in run.asks if "log_evidence" in ask.notes]


def _is_warm(notes: Sequence[object]) -> bool:
    """Whether the next fit begins from the last one."""
    return len(notes) % _COLD != 0


def _fitted(notes: Sequence[Mapping[str, Note]], told: Sequence[int]) -> tuple[float, ...] | None:
    if not _is_warm(notes):
        return None
    last = notes[-1]
    own, tasks = (_numbers(last.get(key, [])) for key in ("lengthscale", "task_lengthscale"))
    rest = (last[name] for name in ("noise", "mean"))
    alike = (tasks[i] for i in told) if tasks else ()
    return (*own, *alike, *(value for value in rest if isinstance(value, float)))


def _numbers(note: Note) -> tuple[float, ...]:
    assert isinstance(note, list)
    return tuple(note)


def encoding_of(run: Run, known: Observations) -> Encoding:
    """Return a run's space as our models see it: each related task has a column."""
    return Encoding(run.space, len(known.told))


def alike(known: Observations, note: Mapping[str, Note]) -> Mapping[str, Note]:
    """Return how alike each related task is, those that were left out as they were last fitted."""
    if not (known.told or known.alike):
        return {}
    found = list(known.alike or [0.0] * len(known.told))
    for i, fitted in zip(known.told, _numbers(note.get("task_lengthscale", [])), strict=True):
        found[i] = fitted
    return {"task_lengthscale": found}
