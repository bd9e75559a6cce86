"""The version of the package, as it is installed."""

from importlib import metadata

__version__ = metadata.version("hpo_research")
