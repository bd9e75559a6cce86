"""What is named through the package, to be loaded when it is used."""

from . import bayesian, sobol

__all__ = ["bayesian", "sobol"]
