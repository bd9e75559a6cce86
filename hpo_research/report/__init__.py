"""The report of a results folder: figures, tables, one page, and a manifest of all of it."""

from hpo_research.report.report import write

__all__ = ["write"]
