"""What the page says besides figures and tables: how far the runs are, and how all was set."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo_research.analysis.changes import versions
from hpo_research.analysis.earlier import known
from hpo_research.analysis.result import Result
from hpo_research.report.as_calls import budget, call
from hpo_research.store.facts import ProblemFacts

_FINALS = {
    "last": "the value of a trial's last epoch",
    "best": "the best value of a trial at any epoch",
}


@dataclass(frozen=True)
class Problem:
    """A problem as the page shows it: facts, the call that made it, and its hyperparameters."""

    name: str
    made: str
    metric: str
    direction: str
    epochs: int | str
    optimum: str
    parameters: Sequence[tuple[str, str]]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def heading(result: Result) -> str:
    """Say how many runs are finished."""
    runs, over = len(result.runs), len(result.over)
    if not runs:
        return "No run has started."
    if over == runs:
        return "Its run is finished." if runs == 1 else f"All {runs} runs are finished."
    verb = "is" if runs - over == 1 else "are"
    left = f"{runs - over} of {runs} runs {verb} not finished yet"
    return f"{left}: this page shows what was known when it was made."


def unfinished(result: Result) -> list[str]:
    """Say of each problem × strategy that is not over how far it is."""
    lines = []
    for problem in result.facts.problems:
        for strategy in result.facts.strategies:
            names = list(result.select(problem, strategy))
            over = sum(name in result.over for name in names)
            if over < len(names):
                trials = [trial for name in names for trial in result.runs[name].trials]
                running = sum(trial.is_running for trial in trials)
                lines.append(
                    f"{strategy} on {problem}: {over} of {len(names)} runs finished, "
                    f"{len(trials)} trials, {running} of them running"
                )
    return lines


def settings(result: Result) -> dict[str, str]:
    """Return what holds for every run of the experiment, or of each part of a comparison."""
    own = {label: _settings(part) for label, part in result.parts.items()}
    known = {
        key: list(dict.fromkeys(part[key] for part in own.values())) for key in _settings(result)
    }
    return {
        key: value
        if len(known[key]) < 2
        else "; ".join(f"{part[key]} ({label})" for label, part in own.items())
        for key, value in _settings(result).items()
    }


def _settings(result: Result) -> dict[str, str]:
    facts, parallel = result.facts, result.facts.parallel
    return {
        "seeds": _seeds(facts.seeds),
        "budget": budget(facts.budget),
        "parallel trials": "no limit" if parallel is None else f"{parallel} per run",
        "execution": facts.execution,
        "final value": _FINALS[facts.final],
    }


def _seeds(seeds: Sequence[int]) -> str:
    is_range = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    shown = f"{seeds[0]} to {seeds[-1]}" if is_range else ", ".join(map(str, seeds))
    return f"{len(seeds)} ({shown})"


def code(result: Result) -> dict[str, str]:
    """Return the digests of the user's code by piece: all that held, in their order."""
    return {
        piece: "; ".join(
            f"{digest} (after turn {turn})" if turn else digest for turn, digest in own
        )
        for piece, own in versions(result.code).items()
    }


def strategies(result: Result) -> dict[str, str]:
    """Return how each strategy was configured, as the call that makes it."""
    return {name: call(own.described) for name, own in result.facts.strategies.items()}


def problems(result: Result) -> list[Problem]:
    """Return the problems of the experiment."""
    return [_problem(name, facts) for name, facts in result.facts.problems.items()]


def _problem(name: str, facts: ProblemFacts) -> Problem:
    optimum = facts.optimum
    parameters = [(key, call(described)) for key, described in facts.space["parameters"]]
    if facts.space.get("among") is not None:
        parameters.append(("one of", f"{len(facts.space['among'])} listed configurations"))
    parameters += [("from earlier runs", known(own, facts.direction)) for own in facts.earlier]
    if facts.queue:
        parameters.append(
            ("tried first", _count(len(facts.queue), "configuration") + " of the user's")
        )
    return Problem(
        name,
        "" if facts.identity is None else call(facts.identity),
        facts.metric,
        {"minimize": "lower is better", "maximize": "higher is better"}[facts.direction],
        "open" if facts.max_epochs is None else facts.max_epochs,
        "not known" if optimum is None else f"{optimum:.6g}",
        parameters,
    )
