"""The commands for shards: what they take, and which module answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hpo_research import cli
from hpo_research.cli import exits
from hpo_research.cli.arguments import Traceback
from hpo_research.cli.exits import readable

On = Annotated[
    str | None,
    typer.Option(metavar="WHERE", help="slurm or local: run shards as jobs, and merge them."),
]
Shards = Annotated[int | None, typer.Option(min=1, help="How many shards --on makes.")]
Cluster = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A TOML file with what the jobs ask for.")
]
Partition = Annotated[str | None, typer.Option(help="The partition of the jobs.")]
Time = Annotated[
    str | None,
    typer.Option(help="The time of each job: 4:00:00, or minutes.", show_default="a day"),
]
Memory = Annotated[str | None, typer.Option(help="The memory of each job, such as 8GB.")]
Gpus = Annotated[int | None, typer.Option(min=0, help="GPUs of each job.")]


@dataclass(frozen=True)
class Place:
    """Where shards run as jobs, how many, and what each asks for."""

    where: Literal["slurm", "local"]
    shards: int
    file: Path | None
    flags: Mapping[str, Any]


def place(
    on: str | None,
    shards: int | None,
    cluster: Path | None,
    flags: Mapping[str, Any],
    shard: str | None,
) -> Place | None:
    """Return where an experiment is to run, None for here. Raises `typer.BadParameter`."""
    given = {key: value for key, value in flags.items() if value is not None}
    if on is None:
        alone = [f"--{key}" for key in given]
        alone += [] if shards is None else ["--shards"]
        alone += [] if cluster is None else ["--cluster"]
        if alone:
            raise typer.BadParameter(f"{', '.join(alone)}: only with --on slurm or --on local")
        return None
    if on not in ("slurm", "local"):
        raise typer.BadParameter(f"expected slurm or local, got {on!r}", param_hint="--on")
    if shards is None:
        raise typer.BadParameter("say how many, such as --shards 8", param_hint="--on")
    if shard is not None:
        raise typer.BadParameter(
            "runs one shard here; leave it out with --on", param_hint="--shard"
        )
    return Place("slurm" if on == "slurm" else "local", shards, cluster, given)


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
