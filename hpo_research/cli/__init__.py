"""The command line: `hpo`, a thin face of the package with no logic of its own.

What answers a command is loaded when the command is given.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
