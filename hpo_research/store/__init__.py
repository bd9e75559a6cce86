"""The store: the SQLite file of an experiment, its lock, and the checkpoints beside it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
