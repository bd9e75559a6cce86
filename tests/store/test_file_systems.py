"""Which folders other machines share, by tables of mounts."""

from pathlib import Path

import pytest

from hpo_research.errors import NetworkStoreWarning
from hpo_research.store import Store, file_systems

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:31 / /home/me/local rw,relatime - xfs /dev/sdb rw
32 22 0:32 / /scratch rw - lustre 10.0.0.1@tcp:/scratch rw,flock
33 22 0:33 / /mnt/my\040disk rw - cifs //server/share rw
34 22 0:34 / /mnt/ssh rw - fuse.sshfs me@there: rw
35 22 0:35 / /mnt/usb rw - fuseblk /dev/sdc rw
36 22 0:36 / /twice rw - nfs4 server:/twice rw
37 36 0:37 / /twice rw - tmpfs tmpfs rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/data/results", None),
        ("/home/me/results", ("nfs4", Path("/home"))),
        ("/home/me/local/results", None),
        ("/homes/me", None),
        ("/scratch/x", ("lustre", Path("/scratch"))),
        ("/mnt/my disk/x", ("cifs", Path("/mnt/my disk"))),
        ("/mnt/ssh", ("fuse.sshfs", Path("/mnt/ssh"))),
        ("/mnt/usb/x", None),
        ("/twice/x", None),
    ],
)
def test_shared_file_systems_are_told_from_local_ones(folder, expected):
    assert file_systems.shared(Path(folder), MOUNTS) == expected


def test_a_store_on_a_shared_file_system_is_written_with_a_warning(tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    table.write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 server:/x rw\n")
    monkeypatch.setattr(file_systems, "_MOUNTS", table)
    with pytest.warns(NetworkStoreWarning, match=r"is on a nfs4 file system .*one machine at a"):
        Store.write(tmp_path / "store").close()
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")
    Store.write(tmp_path / "store").close()  # nothing is known, nothing is said
