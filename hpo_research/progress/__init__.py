"""How far an experiment is while it runs: the numbers, the time left, and their display."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
