"""The trials of a single study: the best ones on the page, all of them in the CSV."""

from collections.abc import Sequence

from hpo_research.analysis import frames, importance
from hpo_research.analysis.finals import counted
from hpo_research.analysis.result import Result
from hpo_research.options import as_integer
from hpo_research.tables.table import Cell, Table, count, text

_SHOWN = 10
_WIDE = 8  # hyperparameters that a page has room for beside each other
_DIGITS = 6  # trials of a study that went well differ by little


def trials_table(result: Result) -> Table:
    """Return the best trials of one problem, with their configurations; the CSV holds every one.

    `data` has the columns of `frames.trials` but for the seconds.
    """
    (facts,) = result.facts.problems.values()
    names = sorted(result.runs)
    epochs = {name: counted(result, name) for name in names}
    known = [(name, t) for name in names for t in result.runs[name].trials if t.value is not None]
    known.sort(key=lambda entry: facts.sign * float(entry[1].value or 0))
    parameters = [name for name, _ in facts.space["parameters"]]
    wide = _decisive(result, parameters) if len(parameters) > _WIDE else parameters
    rows = [
        [
            *([count(name.seed)] if len(names) > 1 else []),
            count(trial.id),
            _number(trial.value),
            count(epochs[name][trial.id].epoch),
            text(trial.status),
            *(_setting(trial.config.get(key)) for key in wide),
        ]
        for name, trial in known[:_SHOWN]
    ]
    head = [*(["Seed"] if len(names) > 1 else []), "Trial", facts.metric, "Epoch", "Status", *wide]
    better = "lower" if facts.sign > 0 else "higher"
    which = f"The best {len(rows)} of {len(known):,} trials that have a value"
    if len(rows) == len(known):
        which = "Every trial that has a value"
    left = f", and {len(wide)} of {len(parameters)} hyperparameters" * (len(wide) < len(parameters))
    caption = (
        f"{which}{left}; of {facts.metric}, {better} is better. The CSV file has every trial and "
        "hyperparameter, with all digits, and why trials failed."
    )
    data = frames.trials(result.runs).drop(columns="cost_seconds")
    return Table("trials", "The best trials", caption, data, head, rows)


def _decisive(result: Result, parameters: Sequence[str]) -> list[str]:
    """Return the hyperparameters that made trials good, or the first where that is not known."""
    rows = [row for own in importance.by_problem(result).values() for row in own]
    ranked = [row.parameter for row in sorted(rows, key=lambda row: -row.share)]
    return list(dict.fromkeys([*ranked, *parameters]))[:_WIDE]


def _setting(value: object) -> Cell:
    if isinstance(value, float):
        return _number(value)
    if as_integer(value) is not None:
        return Cell(str(value), is_number=True)
    return text("–" if value is None else value)


def _number(value: float | None) -> Cell:
    return Cell(f"{value:.{_DIGITS}g}", is_number=True)
