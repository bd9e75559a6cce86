"""Damaged checkpoints: each costs training again, never a number, and is said.

    python -m tests.campaign.checkpoints

An experiment whose value cannot be right unless its state was is run to its end, and killed at
several moments; the checkpoints of what was left are damaged, a kind a copy, and the same call goes
on. It must end with the numbers of the uninterrupted run, and warn where a file that was needed is
not the one that was written.
"""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))  # the doubles of the tests

from doubles import Walk

import hpo_research as hpo
from hpo_research.experiment import loop
from hpo_research.store import Store

MOMENTS = (3, 7, 12)  # polls after which the experiment is killed


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


@dataclass(frozen=True)
class Outcome:
    """What became of one kind: in how many cases it was equal, and in how many it was said."""

    kind: str
    cases: int
    equal: int
    warned: int

    @property
    def is_right(self) -> bool:
        """Whether every case ended in the same numbers, and damage was said."""
        return self.equal == self.cases and (self.warned == self.cases) == (self.kind in SAID)


def files(folder: Path) -> list[Path]:
    """Return the newest checkpoint of every trial."""
    places = sorted({path.parent for path in (folder / "checkpoints").rglob("*.safetensors")})
    return [max(place.glob("*.safetensors"), key=lambda path: int(path.stem)) for place in places]


def zeroed(folder: Path) -> None:
    for path in files(folder):
        content = path.read_bytes()
        path.write_bytes(content[:-8] + bytes(8))


def of_another_trial(folder: Path) -> None:
    found = files(folder)
    contents = [path.read_bytes() for path in found]
    for path, content in zip(found, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def of_another_epoch(folder: Path) -> None:
    for path in files(folder):
        older = [other for other in path.parent.glob("*.safetensors") if other != path]
        shutil.copy(older[0] if older else files(folder)[0], folder / "copy")
        (folder / "copy").replace(path)
        if not older:
            path.rename(path.with_stem(str(int(path.stem) + 1)))


def truncated(folder: Path) -> None:
    for path in files(folder):
        os.truncate(path, path.stat().st_size - 3)


def longer(folder: Path) -> None:
    for path in files(folder):
        path.write_bytes(path.read_bytes() + b"\0" * 8)


def swapped_names(folder: Path) -> None:
    found = files(folder)
    for one, other in zip(found[::2], found[1::2], strict=False):
        one.rename(folder / "x")
        other.rename(one)
        (folder / "x").rename(other)


def empty(folder: Path) -> None:
    for path in files(folder):
        path.write_bytes(b"")


def edited_header(folder: Path) -> None:
    for path in files(folder):
        path.write_bytes(path.read_bytes().replace(b'"U8"', b'"I8"'))


def a_folder(folder: Path) -> None:
    for path in files(folder):
        path.unlink()
        (path / "inside").mkdir(parents=True)


def a_loop_of_links(folder: Path) -> None:
    for path in files(folder):
        path.unlink()
        path.symlink_to(path)


def a_link_to_another(folder: Path) -> None:
    found = files(folder)
    for path in found:
        path.rename(path.with_suffix(".kept"))
    for path, other in zip(found, found[1:] + found[:1], strict=True):
        path.symlink_to(other.with_suffix(".kept"))


def half_written(folder: Path) -> None:
    for path in files(folder):
        path.with_suffix(".part").write_bytes(path.read_bytes()[:20])


def removed(folder: Path) -> None:
    for path in files(folder):
        path.unlink()


def removed_all(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints")


KINDS: dict[str, Callable[[Path], None]] = {
    "zeroed payload": zeroed,
    "another trial's file": of_another_trial,
    "another epoch's file": of_another_epoch,
    "truncated": truncated,
    "longer": longer,
    "swapped names": swapped_names,
    "empty": empty,
    "header edited": edited_header,
    "a folder in its place": a_folder,
    "a link to itself": a_loop_of_links,
    "a link to another's file": a_link_to_another,
    "half-written beside": half_written,
    "removed": removed,
    "the whole folder removed": removed_all,
}
SAID = KINDS.keys() - {"half-written beside"}


def experiment() -> hpo.Experiment:
    return hpo.Experiment(
        name="damaged",
        problems=[Walk(fails_above=2.0)],
        strategies={"hyperband": hpo.Hyperband()},
        seeds=[3],
        budget=hpo.Budget(evaluations=7),
    )


def finished(folder: Path) -> list[pd.DataFrame]:
    """Run to the end and return what may not change."""
    result = hpo.run(experiment(), out=folder, device="cpu")
    return [
        frame[[c for c in frame if not c.endswith("_seconds")]]
        for frame in (result.frame(), result.reports())
    ]


def killed(folder: Path, after: int) -> None:
    """Leave what a kill after so many polls leaves."""
    append, count = Store.append_poll, iter(range(1, 10_000))

    def guarded(*arguments: object, **options: object) -> None:
        append(*arguments, **options)  # type: ignore[arg-type]
        if next(count) == after:
            raise Killed

    Store.append_poll = guarded  # type: ignore[assignment, method-assign]
    try:
        finished(folder)
    except Killed:
        return
    finally:
        Store.append_poll = append  # type: ignore[method-assign]
    raise AssertionError(f"the experiment ends before poll {after}")


def damaged(
    root: Path, kinds: dict[str, Callable[[Path], None]], moments: tuple[int, ...] = MOMENTS
) -> Iterator[Outcome]:
    """Go on from every kill with every kind of damage."""
    loop._CHECKPOINT_SECONDS, before = 0.0, loop._CHECKPOINT_SECONDS
    try:
        whole = finished(root / "whole")
        for moment in moments:
            killed(root / str(moment), moment)
        for kind, damage in kinds.items():
            equal = warned = 0
            for moment in moments:
                folder = root / f"{kind} {moment}"
                shutil.copytree(root / str(moment), folder)
                assert files(folder)
                damage(folder)
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    found = finished(folder)
                equal += all(a.equals(b) for a, b in zip(whole, found, strict=True))
                warned += any("the checkpoint of trial" in str(w.message) for w in said)
            yield Outcome(kind, len(moments), equal, warned)
    finally:
        loop._CHECKPOINT_SECONDS = before


def main() -> int:
    """Print a line a kind; return 1 where one is wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory() as root:
        for outcome in damaged(Path(root), KINDS):
            wrong += not outcome.is_right
            print(
                f"{outcome.kind:26} {outcome.equal} of {outcome.cases} equal, "
                f"{outcome.warned} said{'' if outcome.is_right else '  WRONG'}"
            )
    print(f"{len(KINDS)} kinds, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
