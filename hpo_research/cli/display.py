"""The live display of a run: a bar a strategy at a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from hpo_research.cli.console import say
from hpo_research.cli.progress import Clock, duration, standings
from hpo_research.experiment import Experiment, Progress
from hpo_research.text import visible

Watch = Callable[[Progress], None]
_LINE_SHARE = 0.1
_LINE_SECONDS = 30.0


@contextmanager
def display(experiment: Experiment, console: Console, *, quiet: bool) -> Iterator[Watch | None]:
    """Give what is to be called after every turn of the loop."""
    if quiet:
        yield None
    elif console.is_terminal:
        with bars(experiment, console) as watch:
            yield watch
    else:
        yield lines(experiment, console)


@contextmanager
def bars(experiment: Experiment, console: Console) -> Iterator[Watch]:
    """Draw a bar a strategy: all of its runs together, best values, time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[best]}", markup=False, style="cyan"),
        TextColumn("{task.fields[left]}", markup=False, style="dim"),
    )
    clock = Clock()
    with Bars(*columns, console=console, refresh_per_second=4) as live:
        tasks = {
            name: live.add_task(visible(name), total=1.0, best="", left="")
            for name in experiment.strategies
        }

        def watch(progress: Progress) -> None:
            for row in standings(progress, experiment):
                left = clock.left(row.strategy, row.share)
                live.update(
                    tasks[row.strategy],
                    completed=row.share,
                    best=f"best {row.values()}",
                    left="" if not left else f"about {duration(left)} left",
                )

        yield watch


def lines(experiment: Experiment, console: Console) -> Watch:
    """Print a line at every tenth of the budget, every half minute, and at the end."""
    clock = Clock()
    printed = (0.0, time.monotonic())

    def watch(progress: Progress) -> None:
        nonlocal printed
        rows = standings(progress, experiment)
        share = sum(row.share for row in rows) / len(rows)
        left = clock.left("", share)
        now = time.monotonic()
        is_due = share >= printed[0] + _LINE_SHARE or now >= printed[1] + _LINE_SECONDS
        if not is_due and not printed[0] < share == 1:
            return
        printed = (share, now)
        text = " · ".join(f"{row.strategy} {row.share:.0%} (best {row.values()})" for row in rows)
        soon = "" if not left else f", about {duration(left)} left"
        say(console, f"{duration(clock.elapsed)}: {text}{soon}")

    return watch
