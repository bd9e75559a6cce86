"""A folder of this user's for what can be computed again, where neither home nor package can be."""

import os
import stat
import tempfile
from pathlib import Path


def scratch() -> Path | None:
    """Return the user's own folder below the temporary one, made if need be; None if there is none.

    What is read from it is run (compiled loops), so it must be the user's, and no one else may
    write to it.
    """
    user = os.getuid()
    try:
        place = Path(tempfile.gettempdir(), f"hpo_research-{user}")
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    is_safe = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return place if is_safe and os.access(place, os.W_OK | os.X_OK) else None
