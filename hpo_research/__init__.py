"""A batch-parallel research toolkit for hyperparameter optimisation.

Names are loaded when they are first used (SPEC 1 of Scientific Python); `__init__.pyi` lists them.
"""

import lazy_loader

from hpo_research import habits, moved

_load, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = habits.named(_load, __all__)
moved.import_old_paths()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
