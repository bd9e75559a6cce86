"""Where Matplotlib keeps its list of fonts, settled before it is imported.

Where the home folder cannot be written, Matplotlib takes a new folder in every process, says so,
and looks for all fonts again; it is lent one that lasts. `MPLCONFIGDIR` names another.
"""

import os
from pathlib import Path

from hpo_research.scratch import scratch


def lend_folder() -> None:
    """Name a folder to Matplotlib, unless it has one or can make its own."""
    home = os.environ.get("HOME", "~")
    own = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    folders = [Path(os.environ.get(name) or Path(home, rest)) for name, rest in own.items()]
    if "MPLCONFIGDIR" in os.environ or all(map(_can_be_written, folders)):
        return
    if place := scratch():
        os.environ["MPLCONFIGDIR"] = str(place / "matplotlib")


def _can_be_written(folder: Path) -> bool:
    try:
        made = folder.expanduser() / "matplotlib"
        made.mkdir(parents=True, exist_ok=True)  # as Matplotlib does
    except (OSError, RuntimeError):
        return False
    return os.access(made, os.W_OK | os.X_OK)


lend_folder()
