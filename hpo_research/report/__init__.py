"""The report of a results folder: figures, tables, one page, and a manifest of all of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
