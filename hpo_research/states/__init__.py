"""States as values: what a trial carries from one epoch to the next, packed into bytes.

A state that is handed up is packed, and every state that is handed down is unpacked anew. So a
trial that goes on in memory, in another process or after a restart begins from the same thing, and
nothing that is done to a state in place reaches another one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
