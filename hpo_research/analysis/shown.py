"""How a study and a result show themselves: in a line, and in a notebook."""

from collections.abc import Mapping, Sequence

from hpo_research import analysis, html
from hpo_research.records import Direction, Run, Trial, best_value
from hpo_research.text import count

_ROWS = 24


def better(metric: str, direction: Direction) -> str:
    """Say what a metric is called, and which way is better."""
    return f"{metric}, {'lower' if direction == 'minimize' else 'higher'} is better"


def standing(run: Run) -> str:
    """Say how many trials a run has, and how they stand."""
    failed = sum(trial.status == "failed" for trial in run.trials)
    parts = [count(len(run.trials), "trial")]
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"{len(run.running):,} running"] if run.running else []
    return ", ".join(parts)


def in_a_line(run: Run, metric: str) -> str:
    """Return how a run stands and its best value."""
    best = run.best()
    found = "no value yet" if best is None else f"best {metric} {best.value:.6g} (trial {best.id})"
    return f"{standing(run)}; {found}"


def run_html(title: str, run: Run, metric: str, chosen: Mapping[str, Trial | None]) -> str:
    """Return a run with its history, and the trials that are its answers by what they are."""
    ended = [t.value for t in run.trials if t.value is not None or t.status == "failed"]
    history = html.sparkline(ended, run.sign)
    answers = {name: trial for name, trial in chosen.items() if trial is not None}
    rows: list[Sequence[object]] = [
        [metric, *(f"{trial.value:.6g}" for trial in answers.values())],
        ["trial", *(trial.id for trial in answers.values())],
        *(
            [name, *(repr(trial.config[name]) for trial in answers.values())]
            for name in run.space.names[:_ROWS]
        ),
    ]
    left = run.space.dimension - _ROWS
    rows += [[f"{left} more", *("..." for _ in answers)]] if left > 0 else []
    found = html.table(rows, ["", *answers]) if answers else ""
    said = html.line(f"{standing(run)}; {better(metric, run.direction)}")
    return html.block(title, said, history, found, html.line(_failures(run)))


def _failures(run: Run) -> str:
    reasons = [trial.reason for trial in reversed(run.trials) if trial.status == "failed"]
    if not reasons:
        return ""
    first = reasons[0].splitlines()[0] if reasons[0] else "no reason was given"
    return f"{count(len(reasons), 'failure')}, the last: {first[:200]}"


def result_html(result: "analysis.result.Result") -> str:
    """Return a single run with its history, or a row a problem and strategy."""
    problems, title = result.facts.problems, repr(result)[1:-1]
    if len(result.runs) == 1:
        ((name, run),) = result.runs.items()
        return run_html(title, run, problems[name.problem].metric, {"best": run.best()})
    rows: dict[tuple[str, str], list[Run]] = {}
    for name, run in result.runs.items():
        rows.setdefault((name.problem, name.strategy), []).append(run)
    cells = [
        (*names, len(runs), *_counts(runs), _best(runs), better(own.metric, own.direction))
        for names, runs in list(rows.items())[:_ROWS]
        for own in [problems[names[0]]]
    ]
    titles = ("problem", "strategy", "seeds", "trials", "failed", "best", "metric")
    left = len(rows) - _ROWS
    more = html.line(count(left, "more row")) if left > 0 else ""
    return html.block(title, html.table(cells, titles), more)


def _counts(runs: Sequence[Run]) -> tuple[int, int]:
    trials = [trial for run in runs for trial in run.trials]
    return len(trials), sum(trial.status == "failed" for trial in trials)


def _best(runs: Sequence[Run]) -> str:
    best = [trial.value for run in runs if (trial := run.best()) is not None]
    values = [value for value in best if value is not None]
    return f"{best_value(values, runs[0].direction):.6g}" if values else "-"
