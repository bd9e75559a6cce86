"""The live display of what runs: bars at a terminal, a text in a notebook, lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from hpo_research.progress.remaining import Clock, duration
from hpo_research.progress.showing import Watch
from hpo_research.progress.standing import ProblemProgress, Progress
from hpo_research.text import count, inline, visible

WIDTH = 119  # of a line at most
_LINE_SHARE = 0.1
_LINE_SECONDS = 30.0
_MOST_BARS = 12


@contextmanager
def bars(console: Console | None = None) -> Iterator[Watch]:
    """Draw a bar a problem, with the best value and whose it is; what is over all runs is below."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[best]}", markup=False, style="cyan"),
    )
    clock, tasks = Clock(), dict[str, TaskID]()
    with Bars(*columns, console=console or _screen(), refresh_per_second=4) as live:

        def watch(progress: Progress) -> None:
            rows, rest = progress.problems(), _rest(progress, clock)
            kept = rows if len(rows) <= _MOST_BARS else []
            entries = [(row.problem, row.share, _best(row)) for row in kept]
            if len(rows) == 1:
                entries = [(rows[0].problem, progress.share, _joined(_best(rows[0]), rest))]
            else:
                entries.append(("all runs", progress.share, rest))
            for name, share, text in entries:
                if name not in tasks:
                    tasks[name] = live.add_task(inline(name), total=1.0, best="")
                live.update(tasks[name], completed=share, best=inline(text))

        yield watch


def lines(console: Console | None = None) -> Watch:
    """Print a line at every tenth of the budget, every half minute, and at the end."""
    clock, screen = Clock(), console or _screen()
    printed, has_ended = (0.0, time.monotonic()), False

    def watch(progress: Progress) -> None:
        nonlocal printed, has_ended
        share, now = progress.share, time.monotonic()
        is_due = printed[0] + _LINE_SHARE <= share < 1 or now >= printed[1] + _LINE_SECONDS
        if is_due or (progress.is_over and not has_ended):
            printed, has_ended = (share, now), progress.is_over
            text = line(progress, clock)
            screen.print(visible(text), markup=False, emoji=False, soft_wrap=True)

    return watch


def notebook() -> Watch:
    """Show one text below the cell, and change it while the cell runs."""
    from IPython.display import DisplayHandle  # only a notebook has it

    clock = Clock()
    handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    is_begun = False

    def watch(progress: Progress) -> None:
        nonlocal is_begun
        show = handle.update if is_begun else handle.display
        show({"text/plain": line(progress, clock)}, raw=True)
        is_begun = True

    return watch


def _screen() -> Console:
    return Console(highlight=False, stderr=True)  # what a program prints itself is its own


def line(progress: Progress, clock: Clock) -> str:
    """Return how far all is in one line: the share, what is left, and as many bests as it holds."""
    text = f"{duration(clock.elapsed)}: {progress.share:.0%}, {_rest(progress, clock)}"
    rows = [row for row in progress.problems() if row.best is not None]
    for i, row in enumerate(rows):
        left = len(rows) - i
        further = f"; {inline(row.problem)} {_best(row)}"
        more = f"; {count(left, 'more problem')}"
        room = WIDTH - (len(more) if left > 1 else 0)
        if len(text) + len(further) > room:
            return text + (more if len(text) + len(more) <= WIDTH else "")
        text += further
    return text


def _best(row: ProblemProgress) -> str:
    """Return the best value, and whose it is where there are several strategies."""
    if row.best is None:
        return ""
    whose = f" ({inline(row.strategy)})" if row.strategy else ""
    return " ".join(
        ["best", *([inline(row.metric)] if row.metric else []), f"{row.best:.4g}{whose}"]
    )


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _rest(progress: Progress, clock: Clock) -> str:
    """Return what is said of all runs: trials, failures, the time left."""
    text = count(progress.trials, "trial")
    if progress.failed:
        text += f", {progress.failed:,} failed"
    left: Any = clock.left(progress)
    return f"{text}, about {duration(left)} left" if left else text
