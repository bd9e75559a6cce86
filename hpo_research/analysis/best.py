"""The answer: the best trial of an experiment or a study, and its configuration to be copied."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from hpo_research.analysis.finals import counted
from hpo_research.analysis.noise_free import is_noisy
from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.records import Direction, best_value
from hpo_research.space import Config
from hpo_research.store import RunName
from hpo_research.strategies.answers import has, recommended
from hpo_research.threads import limited


@dataclass(frozen=True)
class Best:
    """A trial that is an answer: the metric's value at the epoch that counts, and whose it is.

    Where values are noisy the best observed one was lucky; `recommended` is the trial that the
    strategy of its run would rather have used (by the mean of its model), which may be the same.
    It is None where values are not known to be noisy, and where the strategy recommends nothing.
    """

    problem: str
    strategy: str
    seed: int
    trial: int
    epoch: int
    config: Config
    value: float
    metric: str
    direction: Direction
    recommended: "Best | None" = None

    def document(self) -> dict[str, object]:
        """Return it as plain JSON."""
        return asdict(replace(self, config=dict(self.config)))


def best(
    result: Result,
    problem: str | None = None,
    *,
    strategy: str | None = None,
    seed: int | None = None,
) -> list[Best]:
    """Return the best trial on each problem, of all runs or of those of a strategy or a seed.

    Of equals the first, by strategy, seed and trial. Problems without a value are left out. Raises
    `StoreError` where no run has such a name.
    """
    runs = _selected(result, problem, strategy, seed)
    found = []
    for name in result.facts.problems:
        own = [_best_of(result, run) for run in runs if run.problem == name]
        known = [one for one in own if one is not None]
        if known:
            direction = result.facts.problems[name].direction
            most = best_value((one.value for one in known), direction)
            found.append(_noted(result, next(one for one in known if one.value == most)))
    return found


def _selected(
    result: Result, problem: str | None, strategy: str | None, seed: int | None
) -> list[RunName]:
    names = sorted(result.histories)
    for wanted, kind in ((problem, "problem"), (strategy, "strategy"), (seed, "seed")):
        known = dict.fromkeys(getattr(name, kind) for name in names)
        if wanted is not None and wanted not in known:
            there = ", ".join(map(str, known)) or "none"
            raise StoreError(f"{kind} {wanted!r}: expected one of the stored: {there}")
    return [name for name in result.select(problem, strategy) if seed in (None, name.seed)]


def _best_of(result: Result, name: RunName) -> Best | None:
    trial = result.histories[name].run.best()
    return None if trial is None else _answer(result, name, trial.id)


def _answer(result: Result, name: RunName, trial: int) -> Best:
    facts, found = result.facts.problems[name.problem], result.histories[name].run.trials[trial]
    assert found.value is not None
    epoch = counted(result, name)[trial].epoch
    whose = (name.problem, name.strategy, name.seed, trial, epoch)
    return Best(*whose, found.config, found.value, facts.metric, facts.direction)


def _noted(result: Result, found: Best) -> Best:
    """Add what the strategy recommends, where values are noisy."""
    if not is_noisy(result, found.problem):
        return found
    strategy = answers_of(result.facts, found.strategy).recommending
    if strategy is None or not has(strategy, "recommend"):
        return found
    name = RunName(found.problem, found.strategy, found.seed)
    with limited():
        (trial,) = recommended(strategy, [result.histories[name].run])
    return found if trial is None else replace(found, recommended=_answer(result, name, trial))


# --- a configuration as text ---


def _yaml(config: Config) -> str:
    return "\n".join(f"{_plain(name)}: {_scalar(value)}" for name, value in config.items())


def _plain(name: str) -> str:
    is_word = name.isidentifier() and name.isascii()
    return name if is_word and name.lower() not in _WORDS else json.dumps(name)


_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # what YAML 1.1 reads so


def _scalar(value: object) -> str:
    """Return a value as JSON, which YAML is a superset of, but for one kind of number.

    YAML 1.1 takes 1e-05 for a string: a number with an exponent needs a point.
    """
    text = json.dumps(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text


def _flags(config: Config) -> str:
    given = (
        (f"--{name}", v if isinstance(v, str) else json.dumps(v)) for name, v in config.items()
    )
    return shlex.join([word for pair in given for word in pair])


FORMS: Mapping[str, Callable[[Config], str]] = {
    "python": lambda config: repr(dict(config)),
    "json": lambda config: json.dumps(dict(config)),
    "yaml": _yaml,
    "flags": _flags,
}
"""How a configuration is written to be copied: a literal, a document, or flags for a shell."""
