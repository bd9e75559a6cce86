"""The experiment of the stores in this folder, and how they were made.

Made by the build that wrote schema 2 (commit 82d357e), from the root of its checkout:

    PYTHONPATH=tests .venv/bin/python PATH/TO/tests/stores/old.py OUT

`OUT/schema2/killed` is what a killed process left, with its write-ahead log; `paused` was stopped
by an exception and closed, with checkpoints of paused trials; `finished` came to its end.
"""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import get_args

from doubles import Walk

import hpo_research as hpo
from hpo_research.store import Store
from hpo_research.strategies.halving import asha

KILLED_AT, PAUSED_AT = 4, 12  # polls


def strategies(kind: str = "continual") -> dict[str, hpo.Strategy]:
    """The strategies; those that stop at rungs, by today's name of what was kind "stop"."""
    found: dict[str, hpo.Strategy] = {
        "random": hpo.Random(),
        "hyperband": hpo.Hyperband(),
    }
    if kind in get_args(asha.Kind):
        found["asha"] = hpo.ASHA(kind=kind)
        found["median"] = hpo.MedianStopping(hpo.AsynchronousHyperband(kind=kind), min_trials=2)
    return found


def experiment(kind: str = "continual") -> hpo.Experiment:
    """An experiment with pauses, resumes and stops."""
    return hpo.Experiment(
        name="old",
        problems=[Walk()],
        strategies=strategies(kind),
        seeds=[3],
        budget=hpo.Budget(evaluations=5),
        parallel=3,
    )


class Killed(Exception):
    """Ends the process that makes a store."""


def main(out: Path) -> None:
    """Make the three stores."""
    append, count = Store.append_poll, 0

    def counted(self, *arguments):
        nonlocal count
        append(self, *arguments)
        count += 1
        if count == KILLED_AT:
            shutil.copytree(self.folder, out / "killed", ignore=shutil.ignore_patterns("*-shm"))
        if count == PAUSED_AT and self.folder.name == "paused":
            raise Killed

    Store.append_poll = counted
    for name in ("paused", "finished"):
        with contextlib.suppress(Killed):
            hpo.run(experiment("stop"), out=out / name, device="cpu")
    for lock in out.rglob("lock"):
        lock.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "schema2")
