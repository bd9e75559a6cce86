"""The store: the SQLite file of an experiment, its lock, and the checkpoints beside it."""

from hpo_research.store.checkpoints import Checkpoints
from hpo_research.store.rows import RunName
from hpo_research.store.store import Store

__all__ = ["Checkpoints", "RunName", "Store"]
