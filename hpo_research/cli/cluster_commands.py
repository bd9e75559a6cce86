"""The commands for shards: what they take, and which module answers."""

from pathlib import Path
from typing import Annotated

import typer

from hpo_research import cli
from hpo_research.cli import exits
from hpo_research.cli.arguments import Traceback
from hpo_research.cli.exits import readable

MERGE = (
    "Exit codes: 0 OUT holds the merged store; 1 an error, on stderr, also where a shard is "
    "missing or unfinished; 2 wrong usage; 130 interrupted by Ctrl-C, 143 by SIGTERM."
)


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of the merged store.")],
    shards: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SHARD...]", help="Folders of shards, or that hold some; by default OUT."
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also where shards are missing or unfinished.")
    ] = False,
    show_traceback: Traceback = False,
) -> None:
    """Make one store of the shards of an experiment (`hpo run --shard`), which can be run on.

    To read results beside each other, which stay where they are, give them to `hpo report`.
    """
    with readable(show_traceback), exits.interruptible():
        cli.merge.merge(out, tuple(shards or ()), partial=partial)
