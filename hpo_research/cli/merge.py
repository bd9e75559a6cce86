"""`hpo merge`: the shards of an experiment as one store, and who ran what."""

from pathlib import Path

from hpo_research.cli.console import say, screen
from hpo_research.cli.exits import telling_of_code
from hpo_research.cluster.merging import merge_folders
from hpo_research.text import count


def merge(out: Path, shards: tuple[Path, ...], *, partial: bool) -> None:
    """Merge the shards in some folders into another."""
    console = screen()
    with telling_of_code():
        made = merge_folders(out, shards, partial=partial)
    for machine, own in made.machines.items():
        shards_ran = "shard" if len(own) == 1 else "shards"
        say(console, f"{machine} ran {shards_ran} {', '.join(map(str, own))}")
    what = f"{count(made.shards, 'shard')}, {count(made.runs, 'run')}"
    if made.is_new:
        say(console, f"merged {what} into {made.folder}; its report: hpo report {made.folder}")
    else:
        say(console, f"{made.folder} holds these {what} already; nothing was changed")
