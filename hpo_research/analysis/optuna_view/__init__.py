"""Our runs as Optuna's studies, for the tools that read those; Optuna is needed here alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
