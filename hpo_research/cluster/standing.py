"""Standing: how far all shards of an experiment are, those that have not begun included."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo_research.analysis.merging import merged
from hpo_research.analysis.result import Result
from hpo_research.cluster.parts import Part, folders, part
from hpo_research.errors import StoreEmptyError, StoreError
from hpo_research.experiment.shards import Shard
from hpo_research.store import Store
from hpo_research.store.connection import FILE


@dataclass(frozen=True)
class Standing:
    """The shards that have begun, what they hold together, and the numbers of the others."""

    result: Result
    parts: Sequence[Part]
    idle: Sequence[Shard]

    @property
    def runs(self) -> int:
        """How many runs the experiment has, in all shards."""
        return max(len(own.assignment.shards) for own in self.parts)

    @property
    def is_finished(self) -> bool:
        """Whether every run of every shard has come to its end."""
        return not self.idle and not any(own.left for own in self.parts)

    def lines(self) -> list[str]:
        """Say how many shards are finished, and which have not begun."""
        count = self.parts[0].shard.count
        done = sum(not own.left for own in self.parts)
        said = [f"{done} of {count} shards are finished"]
        if self.idle:
            shown = ", ".join(map(str, self.idle[:10]))
            more = f" and {len(self.idle) - 10} more" if len(self.idle) > 10 else ""
            said.append(f"not begun: {shown}{more}")
        return said


def has_shards_alone(folder: Path) -> bool:
    """Whether a folder holds shards, and no store that they were merged into."""
    return not (folder / FILE).is_file() and folders([folder]) != [folder]


def standing(folder: Path) -> Standing:
    """Return how far the shards below a folder are. Raises `StoreError` where none has begun."""
    results: dict[Shard, Result] = {}
    parts: list[Part] = []
    for place in folders([folder]):
        try:
            with Store.read(place) as store:
                if store.experiment() is None:
                    continue  # it was opened a moment ago
                own = part(store)
                results[own.shard] = Result.of(store)
        except StoreEmptyError:
            continue
        parts.append(own)
    if not parts:
        raise StoreError(f"{folder}: none of its shards holds an experiment yet; run one first")
    known, count = {own.shard.number for own in parts}, parts[0].shard.count
    idle = [Shard(number, count) for number in range(1, count + 1) if number not in known]
    return Standing(merged(list(results.values())), parts, idle)
