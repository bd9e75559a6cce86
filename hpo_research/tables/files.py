"""Tables as files: the same result gives the same bytes, seconds apart."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpo_research.ambient import ordinary
from hpo_research.analysis.files import csv, folder_for, write_beside
from hpo_research.analysis.result import Result
from hpo_research.paths import Given
from hpo_research.tables.contents import tables
from hpo_research.tables.latex import latex
from hpo_research.tables.markdown import markdown
from hpo_research.tables.table import Table


@dataclass(frozen=True)
class Written:
    """A table that was written: its files are CSV, Markdown and LaTeX, in this order."""

    name: str
    title: str
    caption: str
    paths: tuple[Path, ...]


@ordinary()
def write(result: Result, folder: Given) -> list[Written]:
    """Write every table of a result into a folder as CSV, Markdown and LaTeX.

    Only the table `seconds` differs between two equal runs. A file is renamed into its place when
    it is complete. Raises `StoreWriteError` where the disk refuses.
    """
    beside = folder_for(folder, "tables")
    return [save(table, beside) for table in tables(result)]


@ordinary()
def save(table: Table, folder: Given, *, raw: bool = False) -> Written:
    """Write a table as `NAME.csv`, `NAME.md` and `NAME.tex`; `raw` is that of `analysis.files.csv`.

    Raises `StoreWriteError` where the disk refuses.
    """
    beside = folder_for(folder, "tables")
    paths = []
    texts = {"csv": csv(table.data, raw=raw), "md": markdown(table), "tex": latex(table)}
    for kind, text in texts.items():
        path = beside / f"{table.name}.{kind}"
        write_beside(path, partial(_write, text))
        paths.append(path)
    return Written(table.name, table.title, table.caption, tuple(paths))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
