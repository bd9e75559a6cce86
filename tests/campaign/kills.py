"""Kill the parent, its workers and its fork server at random moments, and compare what comes of it.

    python -m tests.campaign.kills [KILLS] [SEED]

A killed experiment, run again by the same call, must give the numbers of one that was never killed.
A killed worker is a crashed trial: it must fail, alone and with a reason, and a search that does
not look at values must give every other trial as before. So with a killed fork server and the
trials under way. No process may be left. Prints a line a kind and the totals; the exit code is 1
where something was different or left behind.

Experiments run in forks of this process, which has imported the package; their fork servers are
fresh.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

import hpo_research as hpo

KILLS, SEED = 60, 1
EACH = 3  # kills of an experiment before it is left to end
_ENDED = 240.0  # seconds within which an experiment must have ended
_TAG = "HPO_CAMPAIGN_KILLS"  # in the environment of all that is started here

Rows = list[list[dict[str, str]]]
"""The trials and the reports of an experiment, without what took how long."""


def steps(config, report):
    """A function of nine epochs that begins anew when it is interrupted."""
    for epoch in range(report.start + 1, report.until + 1):
        time.sleep(0.02)
        if not report(epoch, config["x"] + 1 / epoch):
            return


def totals(config, report):
    """A function that cannot be right unless it finds its files."""
    file = report.folder / "total"
    total = float(file.read_text()) if report.start else 0.0
    for epoch in range(report.start + 1, report.until + 1):
        time.sleep(0.02)
        total += config["x"] * epoch
        file.write_text(repr(total))
        if not report(epoch, total):
            return


EXPERIMENTS = {
    "functions": (steps, hpo.Random()),
    "folders": (totals, hpo.Hyperband(eta=3)),
    "hyperband": (steps, hpo.Hyperband(eta=3)),
}
KINDS = {
    "parent, functions": "functions",
    "parent, folders": "folders",
    "parent, hyperband": "hyperband",
    "worker": "functions",
    "fork server": "functions",
}


@dataclass
class Tally:
    """What the kills of one kind came to."""

    kills: int = 0
    faults: list[str] = field(default_factory=list)


def rows(kind: str, folder: Path) -> Rows:
    """Run an experiment, or go on with it, and return what it gave."""
    f, strategy = EXPERIMENTS[kind]
    space = hpo.SearchSpace(x=hpo.Float(0, 1))
    problem = hpo.FunctionProblem(f, space, max_epochs=9, can_resume=f is totals, workers=3)
    experiment = hpo.Experiment(
        name=kind,
        problems=[problem],
        strategies={"s": strategy},
        seeds=[0],
        parallel=3,
        budget=hpo.Budget(evaluations=14),
    )
    result = hpo.run(experiment, out=folder, device="cpu")
    frames = [result.frame(), result.reports()]
    kept = [frame[[c for c in frame if not c.endswith(("_seconds", "_at"))]] for frame in frames]
    return [frame.astype(str).to_dict("records") for frame in kept]


class Ran:
    """An experiment in a process of its own."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._answer = folder.with_suffix(".json")
        self._answer.unlink(missing_ok=True)
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self._answer.write_text(json.dumps(rows(kind, folder)))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        self._code: int | None = None

    def has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._code = -signal.SIGKILL

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it has ended."""
        deadline = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.has_ended()

    def result(self) -> Rows:
        """Wait for its end and return what it gave."""
        if not self.wait(_ENDED):
            self.kill()
            raise RuntimeError(f"it had not ended after {_ENDED:g} seconds")
        if self._code != 0:
            raise RuntimeError(f"it ended with exit code {self._code}")
        answer: Rows = json.loads(self._answer.read_text())
        return answer


def members(parent: int, kind: str) -> list[psutil.Process]:
    """Return the fork server of a process, once it has workers, or those.

    One that is killed while it imports is an error of the call and no trial's; it is not counted.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        servers = psutil.Process(parent).children()
        if kind == "fork server":
            return [server for server in servers if len(server.children()) >= 3]
        return [worker for server in servers for worker in server.children()]
    return []


def left_behind() -> list[psutil.Process]:
    """Return what still runs of all that this campaign has started, after a moment."""
    deadline = time.monotonic() + 20
    while (found := list(_tagged())) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _tagged() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = process.environ().get(_TAG) == str(os.getpid())
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def parent_killed(kind: str, folder: Path, chance: random.Random, span: float) -> int:
    """Kill an experiment's own process again and again; return how often it still ran."""
    kills = 0
    for _ in range(EACH):
        ran = Ran(kind, folder)
        if not ran.wait(chance.uniform(0.1, 1.0) * span):
            ran.kill()
            kills += 1
    return kills


def members_killed(ran: Ran, kind: str, chance: random.Random) -> int:
    """Kill workers or fork servers of an experiment while they work; return how many."""
    kills = 0
    while kills < EACH and not ran.has_ended():
        if len(members(ran.pid, "worker")) < 3 or not members(ran.pid, "fork server"):
            time.sleep(0.01)
            continue
        time.sleep(chance.uniform(0.0, 0.3))
        found = members(ran.pid, kind)
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(found).send_signal(signal.SIGKILL)
            kills += 1
    return kills


def differences(whole: Rows, got: Rows) -> str:
    """Say where two results differ, empty where they do not."""
    for name, before, after in zip(("trials", "reports"), whole, got, strict=True):
        if before != after:
            return f"{name} differ: {len(before)} rows, {len(after)} after the kills"
    return ""


def damage(whole: Rows, got: Rows, most: int) -> str:
    """Say what else has changed where at most so many trials may have failed."""
    failed = {row["trial"] for row in got[0] if row["status"] == "failed"}
    if len(failed) > most:
        return f"{len(failed)} trials failed, and {most} at most were under way"
    if not all(row["reason"] for row in got[0] if row["trial"] in failed):
        return "a failed trial has no reason"
    for before, after in zip(whole[0], got[0], strict=False):  # failed ones leave budget for more
        if after["trial"] not in failed and before != after:
            return f"trial {after['trial']} differs: {before} became {after}"
    return ""


def turn(
    kind: str, folder: Path, chance: random.Random, whole: Rows, span: float
) -> tuple[int, str]:
    """Run one experiment with kills; return how many there were, and what was wrong."""
    trained = KINDS[kind]
    try:
        if kind.startswith("parent"):
            kills = parent_killed(trained, folder, chance, span)
            return kills, differences(whole, Ran(trained, folder).result())
        ran = Ran(trained, folder)
        kills = members_killed(ran, kind, chance)
        return kills, damage(whole, ran.result(), kills * (1 if kind == "worker" else 3))
    except RuntimeError as error:
        return 0, str(error)


def campaign(kills: int, seed: int, said: Callable[[str], None] = print) -> dict[str, Tally]:
    """Kill so often, over all kinds, and return what came of each."""
    os.environ[_TAG] = str(os.getpid())
    chance = random.Random(seed)
    tallies = {kind: Tally() for kind in KINDS}
    with TemporaryDirectory(prefix="hpo-kills-") as place:
        wholes, spans = {}, {}
        for trained in EXPERIMENTS:
            began = time.monotonic()
            wholes[trained] = Ran(trained, Path(place, trained)).result()
            spans[trained] = time.monotonic() - began
        for kind, tally in tallies.items():
            for number in range(kills):  # some have ended before they could be killed
                if tally.kills >= kills / len(KINDS):
                    break
                folder, trained = Path(place, f"{kind} {number}"), KINDS[kind]
                done, fault = turn(kind, folder, chance, wholes[trained], spans[trained])
                tally.kills += done
                left = left_behind()
                for process in left:
                    process.kill()
                found = [fault] if fault else []
                tally.faults += found + [f"{len(left)} processes were left"] * bool(left)
            said(f"{kind}: {tally.kills} kills, {len(tally.faults)} faults")
    return tallies


def main() -> int:
    """Run the campaign; 1 where anything was different or left behind."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    kills, seed = [*numbers, *(KILLS, SEED)[len(numbers) :]]
    tallies = campaign(kills, seed)
    total = sum(tally.kills for tally in tallies.values())
    faults = [f"{kind}: {fault}" for kind, tally in tallies.items() for fault in tally.faults]
    for fault in faults:
        print(fault)
    print(f"{total} kills with seed {seed}: {len(faults)} faults")
    return 1 if faults or total < kills else 0


if __name__ == "__main__":
    sys.exit(main())
