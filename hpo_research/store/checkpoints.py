"""Checkpoints: what each trial can be trained on from, in memory and one file a network.

`DIR/checkpoints/RUN/TRIAL/EPOCH.safetensors`, written beside its place, synced, and renamed
into it before the transaction that names the epoch, together with the digest of the file. Files are
read only after a restart; one that is missing, damaged or not the one that was written costs the
training since the one before it, never a number, and a warning says so.

Two of a trial are kept: a crash between the rename and its transaction goes on from the one before.
Each file is synced by itself: POSIX has no sync of a batch, and syncing the whole machine waits for
other people's data. An empty state costs no file.
"""

import os
import shutil
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

from hpo_research import states as packing
from hpo_research.errors import StateError, StoreWriteError
from hpo_research.records import Key, State
from hpo_research.store.digests import of_content

Name = tuple[Key, int]
"""(trial, epoch): what a checkpoint is named by."""


class Checkpoints:
    """The states of an experiment's trials; with no folder, in memory alone.

    `digests` are those of the files that the store knows, by trial and epoch. A file without one
    is taken as it is where `trusts_others` (the store is of a version that had none).
    """

    def __init__(
        self,
        folder: Path | None,
        digests: Mapping[Name, bytes] | None = None,
        *,
        trusts_others: bool = True,
    ) -> None:
        self.digests = dict(digests or {})
        self._trusts_others = trusts_others
        self._folder = None if folder is None else folder / "checkpoints"
        self._states: "dict[Key, tuple[int, packing.Packed]]" = {}

    def folder(self, key: Key) -> str | None:
        """Return the trial's own folder, None in memory."""
        return None if self._folder is None else _below(self._folder, key)

    def save(self, states: Mapping[Name, State]) -> None:
        """Keep the states by trial and epoch; on disk when this returns.

        Raises `StoreWriteError` where the disk refuses.
        """
        packed = {name: packing.pack(state) for name, state in states.items()}
        for (key, epoch), state in packed.items():
            self._states[key] = (epoch, state)
        # An empty state is nothing that training again from the beginning would not give.
        worth = {name: state for name, state in packed.items() if not state.is_empty}
        if self._folder is None or not worth:
            return
        try:
            self._write(worth, self._folder)
        except OSError as error:
            raise StoreWriteError(
                f"{self._folder}: a checkpoint could not be written ({error}); everything stored "
                "before is kept: free some space or repair the disk, and run the same command again"
            ) from error

    def _write(self, states: "Mapping[Name, packing.Packed]", folder: Path) -> None:
        moves: list[tuple[Path, Path]] = []
        for (key, epoch), state in states.items():
            place = Path(_below(folder, key))
            if place.exists() and not place.is_dir():
                _clear(place)
            place.mkdir(parents=True, exist_ok=True)
            target = place / f"{epoch}.safetensors"
            beside = target.with_suffix(".part")
            _clear(beside)
            if target.is_dir():
                _clear(target)
            _write(beside, state.content)
            moves.append((beside, target))
            self.digests[key, epoch] = of_content(state.content)
        for beside, target in moves:
            beside.rename(target)
            # The one before stays: a crash before the transaction goes on from there.
            for old in _newest_first(target.parent)[2:]:
                _clear(old)

    def load(self, key: Key, at_most: int) -> tuple[int, State | None]:
        """Return the newest state at or before an epoch, and its epoch; (0, None) without any."""
        if key in self._states and self._states[key][0] <= at_most:
            return self._states[key]
        if self._folder is None or at_most < 1:
            return 0, None
        place = Path(_below(self._folder, key))
        known = [epoch for name, epoch in self.digests if name == key]
        found = [int(path.stem) for path in _newest_first(place)] if place.is_dir() else []
        for epoch in sorted({*known, *found}, reverse=True):
            if epoch <= at_most:
                path = place / f"{epoch}.safetensors"
                try:
                    return epoch, self._read(path, (key, epoch))
                except FileNotFoundError:
                    reason = "is missing"
                except (OSError, StateError) as error:
                    reason = f"is left out: {error}"
                if epoch in sorted(known)[-2:] or epoch in found:  # older ones have been removed
                    warnings.warn(
                        f"{path}: the checkpoint of trial {key[1]} of run {key[0]} at epoch "
                        f"{epoch} {reason}; the trial is trained again from an earlier epoch, and "
                        "no number changes (asynchronously, where there is none, as a new attempt)",
                        stacklevel=2,
                    )
        return 0, None

    def _read(self, path: Path, name: Name) -> "packing.Packed":
        """Read a file. Raises `OSError`, or `StateError` where it is not what was written."""
        content = path.read_bytes()
        digest = self.digests.get(name)
        if digest is None and not self._trusts_others:
            raise StateError("the store knows no such file")
        if digest is None:
            packing.unpack(content)
        elif digest != of_content(content):
            raise StateError("it is damaged, or not the one that was written")
        return packing.Packed(content)

    def forget(self, keys: Collection[Key]) -> None:
        """Remove what is kept of trials that nothing can resume."""
        for key in keys:
            self._states.pop(key, None)
        if self.digests:
            gone = set(keys)
            for name in [name for name in self.digests if name[0] in gone]:
                del self.digests[name]
        self.sweep(keys)

    def sweep(self, keys: Collection[Key]) -> None:
        """Remove what lies on disk of ended trials, left by a crash included.

        A worker that is being ended may still write there: what it leaves goes the next time.
        """
        if self._folder is None or not keys or not self._folder.is_dir():
            return
        for key in keys:
            shutil.rmtree(_below(self._folder, key), ignore_errors=True)


def _below(folder: Path, key: Key) -> str:  # as text: it is asked for at every trial
    return os.path.join(folder, str(key[0]), str(key[1]))


def _newest_first(place: Path) -> list[Path]:
    files = [path for path in place.glob("*.safetensors") if path.stem.isdecimal()]
    return sorted(files, key=lambda path: int(path.stem), reverse=True)


def _clear(path: Path) -> None:
    """Remove what lies in a file's place, a folder or a link included."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
