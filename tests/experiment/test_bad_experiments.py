"""Bad days of a whole experiment: every one ends in a clear status, and nothing stored is lost."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import hpo_research as hpo
from hpo_research.errors import StoreWriteError

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


def raises(config: dict[str, Any]) -> float:
    raise OSError("no such data set")


def hangs(config: dict[str, Any]) -> float:
    time.sleep(600)
    return 0.0


def eats(config: dict[str, Any]) -> float:
    held = []
    while True:
        held.append(bytearray(50_000_000))
        time.sleep(0.01)


def dies(config: dict[str, Any]) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


# The reason that each must leave, as a pattern.
BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "raises": (raises, "OSError: no such data set"),
    "hangs": (hangs, "timeout: no report and no return for 1 second"),
    "returns text": (lambda config: "0.3", "'0.3'"),
    "returns NaN": (lambda config: float("nan"), "nan"),
    "returns inf": (lambda config: float("inf"), "inf"),
    "returns None": (lambda config: None, "None"),
    "eats memory": (eats, "memory"),
    "kills itself": (dies, "SIGKILL|signal 9"),
}


def left_behind(mark: str) -> list[int]:
    """Processes, other than this one, that were started with this mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark in process.environ().values():
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.slow
def test_every_bad_function_fails_by_itself_and_the_good_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HPO_TEST_MARK", str(tmp_path))
    # One limit must not hide another: only what hangs is short of time.
    problems = [
        hpo.FunctionProblem(
            f, SPACE, name=name, timeout=1 if f is hangs else 60, memory="900 MB", workers=2
        )
        for name, (f, _) in BAD.items()
    ]
    good = hpo.FunctionProblem(lambda config: config["x"], SPACE, name="good", workers=1)
    experiment = hpo.Experiment(
        name="bad days",
        problems=[*problems, good],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=2),
        parallel=2,
    )
    result = hpo.run(experiment, out=tmp_path)
    assert result.is_finished
    frame = result.frame().set_index("problem")
    for name, (_, reason) in BAD.items():
        assert set(frame.loc[name, "status"]) == {"failed"}, name
        assert frame.loc[name, "reason"].str.contains(reason).all(), frame.loc[name, "reason"]
    assert set(frame.loc["good", "status"]) == {"finished"}
    messages = result.messages()
    assert [message.split(",")[0] for message in messages] == [
        f"random on {name}" for name in sorted(BAD)
    ]
    assert left_behind(str(tmp_path)) == []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("this user cannot mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def large(seeds: range) -> hpo.Experiment:
    return hpo.Experiment(
        name="large",
        problems=[hpo.problem("curves", max_epochs=27)],
        strategies={"random": hpo.Random(), "hyperband": hpo.Hyperband()},
        seeds=seeds,
        budget=hpo.Budget(evaluations=16),
        parallel=4,
    )


def test_a_full_disk_is_said_and_the_experiment_goes_on_with_room(small_disk: Path, tmp_path: Path):
    with pytest.raises(StoreWriteError, match="the disk is full: make room"):
        hpo.run(large(range(4)), out=small_disk, device="cpu")
    stored = hpo.Result.read(small_disk)
    assert len(stored.reports()) > 50
    assert not stored.is_finished
    shutil.copytree(small_disk, tmp_path / "roomy")
    result = hpo.run(large(range(4)), out=tmp_path / "roomy", device="cpu")
    whole = hpo.run(large(range(4)), out=tmp_path / "whole", device="cpu")
    values = [c for c in whole.reports() if not c.endswith("_seconds")]
    assert result.reports()[values].equals(whole.reports()[values])


def test_two_processes_on_one_folder_do_not_disturb_each_other(tmp_path: Path):
    code = (
        "import sys, hpo_research as hpo\n"
        "space = hpo.SearchSpace(x=hpo.Float(0, 1))\n"
        "study = hpo.Study(space, hpo.Random(), path=sys.argv[1])\n"
        "study.tell(study.ask()[0].id, 0.5)\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n"
        "study.tell(study.ask()[0].id, 0.25)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(hpo.errors.StoreLockedError, match=f"process {other.pid} on .* is writ"):
            hpo.Study(SPACE, hpo.Random(), path=tmp_path)
        assert len(hpo.Result.read(tmp_path).frame()) == 1  # reading is free
        other.communicate("\n")
    assert other.returncode == 0
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path) as study:
        assert [trial.value for trial in study.trials] == [0.5, 0.25]
