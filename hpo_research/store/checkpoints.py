"""Checkpoints: what each trial can be trained on from, in memory and one file a network.

`DIR/checkpoints/RUN/TRIAL/EPOCH.safetensors`, written beside its place, synced, and renamed
into it before the transaction that names the epoch. Files are read only after a
restart; a missing or damaged one costs the training since the one before it, never a number.
"""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from hpo_research.errors import StateError, StoreWriteError
from hpo_research.records import Key, State
from hpo_research.states import Packed, pack, unpack


class Checkpoints:
    """The states of an experiment's trials; with no folder, in memory alone."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / "checkpoints"
        self._states: dict[Key, tuple[int, Packed]] = {}

    def place(self, key: Key) -> Path | None:
        """Return the trial's own folder, None in memory."""
        return None if self._folder is None else self._folder / str(key[0]) / str(key[1])

    def save(self, states: Mapping[tuple[Key, int], State]) -> None:
        """Keep the states by trial and epoch; on disk when this returns.

        Raises `StoreWriteError` where the disk refuses.
        """
        packed = {name: pack(state) for name, state in states.items()}
        for (key, epoch), state in packed.items():
            self._states[key] = (epoch, state)
        # An empty state is nothing that training again from the beginning would not give.
        worth = {name: state for name, state in packed.items() if not state.is_empty}
        if self._folder is None or not worth:
            return
        try:
            self._write(worth)
        except OSError as error:
            raise StoreWriteError(
                f"{self._folder}: a checkpoint could not be written ({error}); everything stored "
                "before is kept: make room or mend the disk, and run the same command again"
            ) from error

    def _write(self, states: Mapping[tuple[Key, int], Packed]) -> None:
        moves: list[tuple[Path, Path]] = []
        for (key, epoch), state in states.items():
            place = self.place(key)
            assert place is not None
            place.mkdir(parents=True, exist_ok=True)
            target = place / f"{epoch}.safetensors"
            beside = target.with_suffix(".part")
            _clear(beside)
            if target.is_dir():
                _clear(target)
            _write(beside, state.content)
            moves.append((beside, target))
        for beside, target in moves:
            beside.rename(target)
            # The one before stays: a crash before the transaction goes on from there.
            for old in _newest_first(target.parent)[2:]:
                _clear(old)

    def load(self, key: Key, at_most: int) -> tuple[int, State | None]:
        """Return the newest state at or before an epoch, and its epoch; (0, None) without any."""
        if key in self._states and self._states[key][0] <= at_most:
            return self._states[key]
        place = self.place(key)
        if place is None or not place.is_dir():
            return 0, None
        for path in _newest_first(place):
            if int(path.stem) > at_most:
                continue
            try:
                content = path.read_bytes()
                unpack(content)
            except (OSError, StateError):
                continue  # damaged: an older one, or training from the beginning, gives the same
            return int(path.stem), Packed(content)
        return 0, None

    def forget(self, key: Key) -> None:
        """Remove what is kept of a trial that nothing can resume."""
        self._states.pop(key, None)
        self.sweep([key])

    def sweep(self, keys: Collection[Key]) -> None:
        """Remove what lies on disk of ended trials, left by a crash included.

        A worker that is being ended may still write there: what it leaves goes the next time.
        """
        if self._folder is None or not self._folder.is_dir():
            return
        for key in keys:
            shutil.rmtree(self._folder / str(key[0]) / str(key[1]), ignore_errors=True)


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
