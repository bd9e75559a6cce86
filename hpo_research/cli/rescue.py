"""`hpo rescue`: what is whole of a damaged store, in a folder of its own."""

from pathlib import Path

from hpo_research.cli.console import add_row, plain_table, say, screen
from hpo_research.store.rescue import rescue

_SHOWN = 10


def rescued(folder: Path, out: Path) -> None:
    """Copy what is whole, and print what was copied and what was left, and why."""
    found = rescue(folder, out)
    console = screen()
    table = plain_table("table")
    for title in ("rows copied", "rows left out"):
        table.add_column(title, justify="right")
    for name, count in found.copied.items():
        add_row(table, name, f"{count:,}", f"{found.left[name]:,}")
    console.print(table)
    for damage in found.damages[:_SHOWN]:
        say(console, str(damage))
    if len(found.damages) > _SHOWN:
        say(console, f"and {len(found.damages) - _SHOWN} more")
    for run, turn in found.cuts.items():
        say(console, f"{run}: kept up to turn {turn}; what came after cannot be replayed")
    if not found.damages:
        say(console, "the store is intact: all of it was copied")
    say(console, f"{found.files} checkpoints were copied to {found.folder}")
    then = "to resume there, run the same experiment with --out (a study: with path)"
    if not found.has_experiment:
        then = f"the description of the experiment is lost, so nothing can be reported yet; {then}"
    say(console, then)
