"""`hpo doctor`: what this machine is, and whether its numbers repeat."""

import os
import platform
import sys
from pathlib import Path

import torch
from rich.table import Table

from hpo_research import compiled
from hpo_research import device as devices
from hpo_research.cli.console import add_row, plain_table, say, screen
from hpo_research.doctor import Check, checks
from hpo_research.experiment import provenance
from hpo_research.threads import processors

NOWHERE = "not cached: every process compiles them again; set NUMBA_CACHE_DIR"


def doctor() -> int:
    """Print the report; return 1 where a kernel is not bit-equal on the CPU, otherwise 0."""
    console = screen()
    console.print(_facts())
    if not console.is_terminal:
        sys.stdout.flush()
    found = checks("cpu")
    if torch.cuda.is_available():
        found += checks(devices.resolve("auto"))
    console.print(_table(found))
    wrong = [check for check in found if check.device == "cpu" and not check.is_equal]
    if wrong:
        names = ", ".join(check.kernel for check in wrong)
        say(console, f"not bit-equal on the CPU: {names}; results will not repeat exactly here")
        return 1
    say(console, "all kernels are bit-equal on the CPU: the same experiment gives the same numbers")
    return 0


def _facts() -> Table:
    commit = provenance.commit()
    facts = {
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "device": devices.resolve("auto"),
        **{f"cuda:{i}": torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())},
        "processors": f"{processors()} usable, {os.cpu_count()} in total",
        "threads": f"{torch.get_num_threads()} in torch now; one while an experiment runs",
        "commit": commit or "none (no repository, or no git)",
        "default folder": _default_folder(),
        "compiled loops": f"cached in {place}" if (place := compiled.place()) else NOWHERE,
        **provenance.versions(),
    }
    table = plain_table("what", "found")
    for name, value in facts.items():
        add_row(table, name, value)
    return table


def _default_folder() -> str:
    place = Path("results")
    known = place if place.exists() else Path()
    can = os.access(known, os.W_OK | os.X_OK)
    return "results/ can be written to" if can else "results/ cannot be written to; use --out"


def _table(found: list[Check]) -> Table:
    table = plain_table("kernel", "device", "called twice", "alone and in a batch", "seconds")
    for check in found:
        cells = [check.kernel, check.device, _said(check.is_repeatable)]
        cells += [_said(check.is_alone_equal), f"{check.seconds:.3f}"]
        add_row(table, *cells)
    return table


def _said(is_equal: bool) -> str:
    return "bit-equal" if is_equal else "DIFFERS"
