"""Hostile inputs to every public door: what comes back is a result or an `HpoError`."""

import argparse
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType

from hpo_research.errors import HpoError
from tests.campaign.doors import DOORS, KEPT, Door
from tests.campaign.values import hostile

SECONDS = 30
"""A call that takes longer hangs."""
_MEMORY = 12 << 30


class Hang(BaseException):
    """A call took too long."""


@dataclass(frozen=True)
class Fault:
    """A call that ended in something that is no error of ours."""

    number: int
    door: str
    arguments: str
    error: str
    where: str


def tried(number: int, seed: int) -> tuple[Door, Fault | None, str]:
    """Make one hostile call: its door, what is wrong with how it ended, and how it ended."""
    draw = Random(f"{seed} {number}")
    door = draw.choices(DOORS, [door.share for door in DOORS])[0]
    arguments = dict(door.good())
    names = [name for name in arguments if name not in KEPT]
    for name in draw.sample(names, min(len(names), draw.choice((1, 1, 1, 2, 3)))):
        arguments[name] = hostile(draw)
    try:
        with bounded(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door.then(door.call(**arguments))
    except HpoError as error:
        if str(error).strip():
            return door, None, "refused"
        return door, _fault(number, door, arguments, error), "fault"
    except (Exception, Hang, SystemExit) as error:
        return door, _fault(number, door, arguments, error), "fault"
    return door, None, "accepted"


def campaign(count: int, seed: int = 0) -> Iterator[tuple[Door, Fault | None, str]]:
    """Make so many hostile calls."""
    for number in range(count):
        yield tried(number, seed)


def summary(count: int, seed: int = 0) -> tuple[str, list[Fault]]:
    """Make so many hostile calls; return a table of how they ended, and the faults."""
    ends: Counter[tuple[str, str]] = Counter()
    faults: list[Fault] = []
    with elsewhere():
        for door, fault, end in campaign(count, seed):
            ends[door.name, end] += 1
            faults += [] if fault is None else [fault]
    lines = [
        f"{door.name:22} refused {ends[door.name, 'refused']:6}  "
        f"accepted {ends[door.name, 'accepted']:6}  faults {ends[door.name, 'fault']:4}"
        for door in DOORS
    ]
    return "\n".join(lines), faults


@contextmanager
def elsewhere() -> Iterator[None]:
    """Work in a temporary folder that is also the home: many a hostile path can be written to."""
    home = os.environ.get("HOME")
    with TemporaryDirectory() as folder:
        place = Path(folder, "in", "here")
        place.mkdir(parents=True)
        os.environ["HOME"] = tempfile.tempdir = str(place)
        try:
            with chdir(place):
                yield
        finally:
            tempfile.tempdir = None
            os.environ.pop("HOME")
            os.environ |= {} if home is None else {"HOME": home}


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise `Hang` in the main thread after so many seconds."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fault(number: int, door: Door, arguments: dict[str, object], error: BaseException) -> Fault:
    shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/hpo_research/" in f.filename] or frames
    where = f"{ours[-1].filename.rpartition('hpo_research/')[2]}:{ours[-1].lineno}"
    text = f"{type(error).__name__}: {str(error)[:150]}"
    return Fault(number, door.name, shown, ascii(text), where)


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def main() -> int:
    """Try hostile inputs at every public door, and print how they ended; 1 where one is a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.inputs")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # What asks for more memory than there is fails here, instead of taking the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    table, faults = summary(options.count, options.seed)
    print(table)
    for fault in faults[:50]:
        print(f"fault {fault.number}: {fault.door}({fault.arguments})")
        print(f"    {fault.error} at {fault.where}")
    print(f"{options.count} hostile inputs: {len(faults)} raw tracebacks or hangs")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
