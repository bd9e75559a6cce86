"""The report of a results folder: figures, tables, one page, and a manifest of all of it."""

from hpo_research.report.report import Published, publish, write

__all__ = ["Published", "publish", "write"]
