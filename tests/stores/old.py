"""The experiment of the stores in this folder, and how they were made.

Made by the last build that wrote a schema (2: commit 82d357e, 3: commit 3deff06), from the root of
its checkout:

    PYTHONPATH=tests .venv/bin/python PATH/TO/tests/stores/old.py OUT

`OUT/schema3/killed` is what a killed process left, with its write-ahead log; `paused` was stopped
by an exception and closed, with checkpoints of paused trials; `finished` came to its end; `lost` is
an asynchronous one whose process ended while trials ran (from schema 3 on).
"""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import get_args

from doubles import Walk

import hpo_research as hpo
from hpo_research.store import Store
from hpo_research.store.schema import VERSION
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


def asynchronous() -> hpo.Experiment:
    """Four trials in worker processes, two at a time."""
    return hpo.Experiment(
        name="lost",
        problems=[Walk()],
        strategies={"random": hpo.Random()},
        seeds=[3],
        budget=hpo.Budget(trials=4),
        parallel=2,
        execution="asynchronous",
    )


class Killed(Exception):
    """Ends the process that makes a store."""


def main(out: Path) -> None:
    """Make the stores."""
    append, count = Store.append_poll, 0

    def counted(self, *arguments):
        nonlocal count
        append(self, *arguments)
        count += 1
        if count == KILLED_AT and not (out / "killed").exists():
            shutil.copytree(self.folder, out / "killed", ignore=shutil.ignore_patterns("*-shm"))
        if count == PAUSED_AT and self.folder.name in ("paused", "lost"):
            raise Killed

    Store.append_poll = counted
    whole = experiment("stop" if VERSION == 2 else "continual")
    made = {"paused": whole, "finished": whole}
    if VERSION > 2:
        made["lost"] = asynchronous()
    for name, given in made.items():
        count = 0
        with contextlib.suppress(Killed):
            hpo.run(given, out=out / name, device="cpu")
    for lock in out.rglob("lock"):
        lock.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]) / f"schema{VERSION}")
