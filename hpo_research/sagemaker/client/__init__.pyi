"""What the package has."""

from . import transport
from .local import LocalClient

__all__ = ["LocalClient", "transport"]
