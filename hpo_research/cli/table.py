"""`hpo table`: learning curves of a whole design, recorded."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from hpo_research import recording
from hpo_research.cli.console import say, screen
from hpo_research.device import resolve
from hpo_research.errors import ExperimentError, ProblemError
from hpo_research.experiment.provenance import machine, provenance
from hpo_research.paths import place
from hpo_research.problems.protocol import Problem
from hpo_research.problems.registry import problem, with_epochs
from hpo_research.progress.remaining import Clock, duration
from hpo_research.recording import Design, Watch

_LINE_SECONDS = 30.0


@dataclass(frozen=True)
class TableOptions:
    """What `hpo table` was called with."""

    problem: str
    out: Path
    configurations: int
    epochs: int
    seeds: int
    data: str | None
    device: str

    @property
    def command(self) -> str:
        """The command without the folders of this machine."""
        options = {
            "--configurations": self.configurations,
            "--epochs": self.epochs,
            "--seeds": self.seeds,
            "--out": self.out.name,
            **({} if self.data is None else {"--data": Path(self.data).name}),
        }
        parts = [part for key, value in options.items() for part in (key, str(value))]
        return shlex.join(["hpo", "table", self.problem, *parts])


def record(wanted: TableOptions) -> None:
    """Train the design, or what is left of it, and write the table."""
    device = resolve(wanted.device)
    design = Design(_problem(wanted), wanted.configurations, wanted.seeds)
    facts = {"command": wanted.command, **provenance(device), "machine": machine(device)}
    console = screen()
    out = place(wanted.out, "--out", ExperimentError)
    table = recording.record(design, out, facts=facts, device=device, watch=_lines(console))
    final = table.metrics[table.metric][:, :, -1]
    diverged = int((~np.isfinite(final)).sum())
    say(
        console,
        f"{out}: {len(table.configurations)} configurations × {table.seeds} seeds × "
        f"{table.epochs} epochs of {table.problem}, {diverged} of {final.size} trainings diverged; "
        f"{out.stat().st_size / 2**20:.2f} MiB",
    )


def _problem(wanted: TableOptions) -> Problem:
    """Build the problem, or say which ones have learning curves to record."""
    name = wanted.problem
    options = {} if wanted.data is None else {"data": wanted.data}
    if name not in with_epochs():
        known = problem(name, **options)
        reason = "reports no epochs" if known.max_epochs == 1 else "is recorded already"
        raise ProblemError(
            f"{name}: {reason}, so there are no learning curves to record; expected one of "
            f"{', '.join(with_epochs())}"
        )
    return problem(name, max_epochs=wanted.epochs, **options)


def _lines(console: Console) -> Watch:
    """Print a line every half minute, and at the end."""
    clock, printed = Clock(), 0.0

    def watch(done: int, total: int) -> None:
        nonlocal printed
        left = clock.rest(done, total - done)
        if done < total and clock.elapsed < printed + _LINE_SECONDS:
            return
        printed = clock.elapsed
        soon = "" if not left else f", about {duration(left)} left"
        say(console, f"{duration(clock.elapsed)}: {done} of {total} trainings{soon}")

    return watch
