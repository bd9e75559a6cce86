"""Tables from a `Result`: what they hold, and how they are written as CSV, Markdown and LaTeX."""

from hpo_research.tables.contents import tables
from hpo_research.tables.files import Written, save, write
from hpo_research.tables.table import Table

__all__ = ["Table", "Written", "save", "tables", "write"]
