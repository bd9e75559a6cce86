"""File systems: whether other machines share that of a folder, by the table of mounts (Linux).

SQLite's write-ahead log has an index in memory that the processes of one machine share; over a
network each machine has its own. One machine at a time is safe, several are not.
"""

import re
import warnings
from pathlib import Path

from hpo_research.errors import NetworkStoreWarning

_MOUNTS = Path("/proc/self/mountinfo")
_SHARED = {
    *("nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "gpfs", "beegfs"),
    *("afs", "9p", "pvfs2", "panfs", "wekafs"),
}
_LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.snapfuse", "fuse.squashfuse"}


def shared(folder: Path, mounts: str | None = None) -> tuple[str, Path] | None:
    """Return the type and the mount point of a shared file system that a folder is on, or None.

    `mounts` is the text of the table, that of this machine by default; elsewhere than on Linux
    nothing is known, and None is returned.
    """
    if mounts is None:
        if not _MOUNTS.exists():
            return None
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    place, found = folder.resolve(), ("", Path())
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if not dash or len(fields) < 5:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        # Of two at the same place the later one hides the other.
        if place.is_relative_to(point) and len(point.parts) >= len(found[1].parts):
            found = kind, point
    kind, point = found
    is_shared = kind in _SHARED or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)
    return (kind, point) if is_shared else None


def warn(folder: Path) -> None:
    """Warn where a store is written to a file system that other machines share."""
    if found := shared(folder):
        kind, point = found
        warnings.warn(
            f"{folder} is on a {kind} file system ({point}), on which a store is safe for one "
            "machine at a time: while this one writes, do not read or write it from another (a "
            "shard for each machine, merged when all have ended, is safe); or write to a local "
            "folder (--out) and copy it when the run has ended",
            NetworkStoreWarning,
            stacklevel=3,
        )
