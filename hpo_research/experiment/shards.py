"""Shards: parts of an experiment, by runs, each a store of its own that any process can fill.

Every shard stores which run is whose, and comes to the same assignment as the others by itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo_research import options, paths
from hpo_research.errors import ExperimentError, StoreError
from hpo_research.experiment.experiment import Experiment
from hpo_research.paths import Given
from hpo_research.store import RunName, Store
from hpo_research.store.described import parsed_of
from hpo_research.text import quoted

KEY = "shard"
"""The key of `meta` under which a store says which shard it is, and which run is whose."""
FOLDER = "shards"
"""Where in the folder of an experiment those of its shards are."""


@dataclass(frozen=True, order=True)
class Shard:
    """Number `number` of `count` shards, counted from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def folder(self, whole: Path) -> Path:
        """Return where this shard is, below the folder of the whole experiment."""
        return whole / FOLDER / f"{self.number}-of-{self.count}"


AsShard = Shard | str | tuple[int, int]
"""What a shard may be given as: `Shard(2, 8)`, `"2/8"` or `(2, 8)`."""


def shard(given: object) -> Shard | None:
    """Return the shard that was given, None for the whole. Raises `ExperimentError`."""
    if given is None:
        return None
    found: tuple[object, ...] = ()
    if isinstance(given, Shard):
        found = (given.number, given.count)
    elif isinstance(given, str) and (named := re.fullmatch(r"\s*(\d{1,9})/(\d{1,9})\s*", given)):
        found = (int(named[1]), int(named[2]))
    elif isinstance(given, tuple | list):
        found = tuple(given)
    numbers = [own for part in found if (own := options.as_integer(part)) is not None]
    if len(found) == len(numbers) == 2 and 1 <= numbers[0] <= numbers[1]:
        return Shard(*numbers)
    raise ExperimentError(
        "shard: expected its number, from 1 up to how many there are, and that count, such as 2/8, "
        f"got {quoted(given)}"
    )


def place(out: Given | None, experiment: Experiment, given: object = None) -> Path:
    """Return the folder of an experiment, `results/NAME` where none is named; or of its shard.

    Raises `ExperimentError` for a shard that is none, or would be empty.
    """
    own, whole = shard(given), Path("results", experiment.name)
    if out is not None:
        whole = paths.place(out, "the results folder", StoreError)
    if own is None:
        return whole
    folder, runs = own.folder(whole), len(experiment.run_names())
    if own.count > runs and not folder.exists():
        raise ExperimentError(
            f"shard {own}: the experiment has {runs} runs; use at most as many shards"
        )
    return folder


@dataclass(frozen=True)
class Assignment:
    """Which run is in which of `count` shards, by number, in the order in which they came."""

    count: int
    shards: Mapping[RunName, int]

    def grown(self, experiment: Experiment) -> "Assignment":
        """Return the assignment with the runs of an experiment that are not in it yet.

        Each goes to the shard that has fewest, the first of several. Seed after seed where there
        are some already, so that seeds come to the same shards whether added at once or in turn.
        """
        names = experiment.run_names()
        if self.shards:
            names.sort(key=lambda name: name.seed)
        found = dict(self.shards)
        loads = [0] * self.count
        for number in found.values():
            loads[number - 1] += 1
        for name in names:
            if name not in found:
                least = loads.index(min(loads))
                loads[least] += 1
                found[name] = least + 1
        return Assignment(self.count, found)

    def of(self, own: Shard) -> list[RunName]:
        """Return the runs of a shard."""
        return [name for name, number in self.shards.items() if number == own.number]

    def text(self, own: Shard) -> str:
        """Return what the store of a shard says."""
        runs = [[*name, number] for name, number in self.shards.items()]
        return json.dumps({"number": own.number, "count": own.count, "runs": runs})


def stored(text: str | None) -> tuple[Shard, Assignment] | None:
    """Return which shard a store says it is, and which run is whose; None for a whole one.

    Raises `DamagedRows` for a text that is neither.
    """
    if text is None:
        return None
    found: Any = parsed_of(KEY, text)
    runs = {RunName(str(p), str(s), int(seed)): int(k) for p, s, seed, k in found["runs"]}
    return Shard(int(found["number"]), int(found["count"])), Assignment(int(found["count"]), runs)


def names_of(
    experiment: Experiment, given: object, store: Store
) -> tuple[list[RunName], dict[str, str]]:
    """Return the runs of an experiment that are this shard's, and the texts that say so.

    All of them where there is no shard. Raises `ExperimentError` where the store is of another
    shard, or of none.
    """
    names, own = experiment.run_names(), shard(given)
    known = stored(store.meta(KEY))
    if known is not None and own != known[0]:
        asked = f"shard {own} was asked for" if own else "no shard was asked for"
        raise ExperimentError(
            f"{store.folder}: holds shard {known[0]}, and {asked}; ask for shard {known[0]} "
            f"(--shard {known[0]}), or choose another folder"
        )
    if own is None:
        return names, {}
    if known is None and store.runs():
        raise ExperimentError(
            f"{store.folder}: holds an experiment that is no shard; choose another folder for "
            f"shard {own}"
        )
    before = Assignment(own.count, {}) if known is None else known[1]
    assignment, wanted = before.grown(experiment), set(names)
    texts = {} if assignment == before else {KEY: assignment.text(own)}
    return [name for name in assignment.of(own) if name in wanted], texts


def listed(names: Iterable[RunName], most: int = 3) -> str:
    """Return runs as a message lists them."""
    own: Sequence[RunName] = sorted(names)
    shown = [f"{n.strategy} on {n.problem}, seed {n.seed}" for n in own[:most]]
    return "; ".join(shown) + (f"; and {len(own) - most} more" if len(own) > most else "")
