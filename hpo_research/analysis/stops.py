"""Stops: what stopping early saved, and how often it stopped what would have won."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpo_research.analysis.rebuild import answers_of
from hpo_research.analysis.result import Result
from hpo_research.records import OPEN, Run, Trial
from hpo_research.store import RunName


@dataclass(frozen=True)
class Stops:
    """What a strategy cut short on a problem, over all seeds.

    A trial is *cut short* if it was stopped, or was left paused in a run that is over. `started`
    counts the trials that did not fail, `whole` the epochs it would take to train each of them to
    the end, and `saved` those of them that trials cut short were not trained; both are 0 where the
    length of trials is open.

    Whether a cut trial would have won is *known* where the experiment has a run of the same problem
    and seed by the strategy that this one is built around (`strategies.answers.unspared`), which
    trained the same configuration to the end. It *would have won* if its final value there is
    strictly better than the best final value among the trials that the run itself trained to the
    end; where there is none of these, nothing is known. `known` and `winners` count trials over all
    seeds, `compared` the runs with a known trial, and `lost` those with a winner among them.
    `reference` is the name of that strategy, empty where there is none.
    """

    problem: str
    strategy: str
    reference: str
    runs: int
    started: int
    stopped: int
    paused: int
    saved: int
    whole: int
    known: int
    winners: int
    compared: int
    lost: int


def stops(result: Result) -> list[Stops]:
    """Return a row for each problem and strategy that cut any trial short."""
    rows = []
    for problem in result.facts.problems:
        for strategy in result.facts.strategies:
            names = list(result.select(problem, strategy))
            row = _stops(result, problem, strategy, names)
            if row.stopped or row.paused:
                rows.append(row)
    return rows


def reference_of(result: Result, strategy: str) -> str:
    """Return the strategy of the experiment that another is built around, empty for none."""
    strategies, inner = result.facts.strategies, answers_of(result.facts, strategy).inner
    same = (name for name, own in strategies.items() if inner and own.described == inner)
    return next(same, "")


def cut_short(run: Run, *, is_over: bool) -> list[Trial]:
    """Return the trials that were stopped, and the paused ones of a run that is over."""
    kinds = ("stopped", "paused") if is_over else ("stopped",)
    return [trial for trial in run.trials if trial.status in kinds]


def _stops(result: Result, problem: str, strategy: str, names: Sequence[RunName]) -> Stops:
    reference = reference_of(result, strategy)
    started = stopped = paused = saved = whole = 0
    known: list[list[bool]] = []
    for name in names:
        run = result.runs[name]
        cut = cut_short(run, is_over=name in result.over)
        stopped += sum(trial.status == "stopped" for trial in cut)
        paused += sum(trial.status == "paused" for trial in cut)
        healthy = [trial for trial in run.trials if trial.status != "failed"]
        started += len(healthy)
        if run.max_epochs < OPEN:
            whole += len(healthy) * run.max_epochs
            saved += sum(run.max_epochs - trial.reached for trial in cut)
        other = result.runs.get(RunName(problem, reference, name.seed))
        known.append([] if other is None else _would_win(run, cut, other))
    return Stops(
        problem,
        strategy,
        reference,
        runs=len(names),
        started=started,
        stopped=stopped,
        paused=paused,
        saved=saved,
        whole=whole,
        known=sum(map(len, known)),
        winners=sum(map(sum, known)),
        compared=sum(map(bool, known)),
        lost=sum(map(any, known)),
    )


def _would_win(run: Run, cut: Sequence[Trial], other: Run) -> list[bool]:
    """Say of each cut trial whose full training is known whether it would have won."""
    own = [run.sign * value for t in run.trials if (value := _final(t, run)) is not None]
    if not own:
        return []
    there = {
        run.space.identity(trial.config): run.sign * value
        for trial in other.trials
        if (value := _final(trial, other)) is not None
    }
    identities = [run.space.identity(trial.config) for trial in cut]
    return [there[identity] < min(own) for identity in identities if identity in there]


def _final(trial: Trial, run: Run) -> float | None:
    is_whole = run.max_epochs in (OPEN, trial.reached)
    return trial.value if trial.status == "finished" and is_whole else None
