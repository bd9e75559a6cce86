"""`hpo problems`, `hpo suites` and `hpo strategies`: tables of what the package brings."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass

import hpo_research
from hpo_research.cli.console import add_row, plain_table, say, screen
from hpo_research.problems import registry
from hpo_research.strategies.protocol import Strategy
from hpo_research.suites import card, catalog


def problems() -> None:
    """Print the problems by name; `hpo_research.problem(name)` builds one."""
    table = plain_table("name", "parameters", "epochs", "optimum", "what it is")
    for row in registry.problems():
        optimum = "" if row.optimum is None else f"{row.optimum:.6g}"
        cells = (row.name, str(row.dimension), str(row.max_epochs), optimum, row.description)
        add_row(table, *cells)
    for name, family in registry.families().items():
        add_row(table, name, "", "1", family.optimum, family.description)
    screen().print(table)


def suites(name: str | None) -> None:
    """Print the suites, or the data card of one. Raises `ProblemError` for an unknown name."""
    if name is not None:
        say(screen(), card.card(catalog.suite(name)))
        return
    table = plain_table("suite", "options", "what it is")
    for row in catalog.suites():
        add_row(table, row.name, row.options, row.description)
    screen().print(table)


def strategies() -> None:
    """Print the strategies with their options and defaults."""
    table = plain_table("strategy", "options and defaults", "what it is")
    for strategy in _strategies():
        options = "\n".join(f"{f.name} = {_default(f)}" for f in fields(strategy))
        sentence = (inspect.getdoc(strategy) or "").partition("\n")[0]
        add_row(table, strategy.__name__, options, sentence)
    screen().print(table)


def _strategies() -> Iterator[type]:
    for name in sorted(hpo_research.__all__):
        thing = getattr(hpo_research, name)
        if isinstance(thing, type) and is_dataclass(thing) and issubclass(thing, Strategy):
            yield thing


def _default(field: "Field[object]") -> str:
    if field.default is not MISSING:
        return repr(field.default)
    if field.default_factory is not MISSING:
        return repr(field.default_factory())
    return "(must be given)"
