"""`hpo best`: the best configuration of each problem, to be read or copied."""

import json
from dataclasses import dataclass
from pathlib import Path

from hpo_research.analysis.best import FORMS, Best, best
from hpo_research.analysis.result import Result
from hpo_research.cli.console import say, screen
from hpo_research.errors import StoreError
from hpo_research.text import visible


@dataclass(frozen=True)
class Wanted:
    """Which runs count, and the form of what is printed; None: lines to be read."""

    problem: str | None
    strategy: str | None
    seed: int | None
    form: str | None


def show(folder: Path, wanted: Wanted) -> None:
    """Print the best trials of a folder's store."""
    result = Result.read(folder)
    found = best(result, wanted.problem, strategy=wanted.strategy, seed=wanted.seed)
    if not found:
        raise StoreError(f"{folder}: no trial has a value yet")
    if wanted.form is None:
        for one in found:
            _say(one, "best observed" if one.recommended else "best")
            if one.recommended:
                _say(one.recommended, "recommended, by its model")
        return
    if len(found) > 1:
        names = ", ".join(one.problem for one in found)
        raise StoreError(f"--{wanted.form}: expected one problem; name it: --problem {names}")
    (one,) = found
    if wanted.form == "json":
        print(json.dumps(one.document(), indent=2))
        return
    print(visible(FORMS[wanted.form](one.config)))


def _say(found: Best, which: str) -> None:
    console = screen()
    better = "lower" if found.direction == "minimize" else "higher"
    say(
        console,
        f"{found.problem}: {found.metric} {found.value:.6g} ({better} is better; {which}), "
        f"strategy {found.strategy}, seed {found.seed}, trial {found.trial}, epoch {found.epoch}",
    )
    width = max(map(len, found.config), default=0)
    for name, value in found.config.items():
        say(console, f"  {name:<{width}}  {value!r}")
