"""What the page of a single study says: the answer, how trials ended, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo_research.analysis.best import FORMS, Best, best
from hpo_research.analysis.result import Result
from hpo_research.analysis.single import failures, statuses
from hpo_research.analysis.spending import spending
from hpo_research.analysis.stops import stops
from hpo_research.figures.labels import listed
from hpo_research.store import RunName
from hpo_research.text import count

_NAMED = 12  # trials that are listed by their number

_FORMS = {"python": "Python", "json": "JSON", "yaml": "YAML", "flags": "Command line"}


@dataclass(frozen=True)
class Answer:
    """A configuration to use: which one it is, how it came out, and its text in each form."""

    which: str
    value: str
    place: str
    forms: Mapping[str, str]


@dataclass(frozen=True)
class Failed:
    """Why trials failed, how many, and which."""

    reason: str
    number: int
    trials: str


@dataclass(frozen=True)
class Study:
    """The page of a single study.

    Of `answers` the first is the one to use. `parameters` are the hyperparameters with their values
    in each of them.
    """

    lead: str
    metric: str
    meaning: str
    answers: Sequence[Answer]
    parameters: Sequence[tuple[str, Sequence[str]]]
    statuses: Mapping[str, int]
    failed: Sequence[Failed]
    cost: Mapping[str, str]


def study(result: Result) -> Study:
    """Return what the page of a single study says beside its figures and tables."""
    ((problem, facts),) = result.facts.problems.items()
    better = {"minimize": "lower is better", "maximize": "higher is better"}[facts.direction]
    (found,) = best(result, problem) or (None,)
    is_one = len(result.runs) == 1
    known = [] if found is None else _answers(found, is_one)
    configs = [] if found is None else [own.config for own in _ordered(found)]
    names = [name for name, _ in facts.space["parameters"]]
    return Study(
        lead=_lead(result),
        metric=f"{facts.metric}, {better}",
        meaning="" if found is None else _meaning(found),
        answers=known,
        parameters=[(name, [repr(config.get(name)) for config in configs]) for name in names],
        statuses={str(status): number for status, number in statuses(result).items()},
        failed=[
            Failed(
                own.reason if own.is_same else f"{own.reason} (and alike, with other numbers)",
                len(own.trials),
                _listed(own.trials, is_one),
            )
            for own in failures(result)
        ],
        cost=_cost(result),
    )


def _lead(result: Result) -> str:
    """Say how far the study is, in one sentence."""
    runs, over = len(result.runs), len(result.over)
    total = count(sum(len(run.trials) for run in result.runs.values()), "trial")
    if not runs:
        return "It has not started."
    many = "" if runs == 1 else f" in {count(runs, 'run')}"
    if over == runs:
        return f"Finished: {total}{many}."
    left = "" if runs == 1 else f" ({runs - over} of {runs} runs)"
    return f"Not finished yet{left}: {total}{many} when this page was made."


def _ordered(found: Best) -> list[Best]:
    """Return the configurations to show, the one to use first, each once."""
    recommended = found.recommended
    if recommended is None or _is_same(recommended, found):
        return [found]
    return [recommended, found]


def _is_same(one: Best, other: Best) -> bool:
    return (one.seed, one.trial) == (other.seed, other.trial)


def _answers(found: Best, is_one: bool) -> list[Answer]:
    shown = _ordered(found)
    which = ["Recommended", "Best observed"]
    if len(shown) == 1:
        which = ["Best" if found.recommended is None else "Recommended, and best observed"]
    return [
        Answer(
            name,
            f"{own.metric} {own.value:.6g}",
            f"trial {own.trial}, epoch {own.epoch}" + ("" if is_one else f", seed {own.seed}"),
            {_FORMS[form]: write(own.config) for form, write in FORMS.items()},
        )
        for name, own in zip(which, shown, strict=True)
    ]


def _meaning(found: Best) -> str:
    """Say which of two configurations is meant, where values are noisy."""
    if found.recommended is None:
        return ""
    why = "Values are noisy, so the best observed one was lucky too."
    if _is_same(found.recommended, found):
        return f"{why} Here the strategy’s model recommends the same trial."
    return f"{why} Use the recommended one: its mean is best by the strategy’s model."


def _listed(trials: Sequence[tuple[RunName, int]], is_one: bool) -> str:
    names = [str(trial) if is_one else f"{trial} (seed {name.seed})" for name, trial in trials]
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"
    return listed(names)


def _cost(result: Result) -> dict[str, str]:
    own = [spending(result, name) for name in sorted(result.runs)]
    seconds = {
        "search": sum(run.search_seconds for run in own),
        "training": sum(run.training_seconds for run in own),
    }
    epochs = count(sum(run.epochs for run in own), "epoch")
    known = {
        "training": f"{epochs}, {_time(seconds['training'])}",
        "search": _time(seconds["search"]),
    }
    for cut in stops(result):
        if cut.whole:
            known["saved"] = f"{100 * cut.saved / cut.whole:.0f} % of the epochs, by stopping early"
    return known


def _time(seconds: float) -> str:
    """Write seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
