"""Whether Optuna is installed, said before a module that imports it is loaded."""

import importlib

from hpo_research.errors import MissingPackageError


def need(*packages: str) -> None:
    """Raise `MissingPackageError` for a package that is not there, with the line that installs it.

    `optuna` where none is named.
    """
    for package in packages or ("optuna",):
        try:
            importlib.import_module(package)
        except ImportError as error:
            name = package.replace("_", "-")
            raise MissingPackageError(
                f"this needs {name}; install it: pip install 'hpo_research[dashboard]'"
            ) from error
