"""What is named through the package, to be loaded when it is used."""

from . import sobol

__all__ = ["sobol"]
