"""A real `hpo run` process, killed with SIGKILL again and again, gives the same export."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from hpo_research.analysis.result import Result
from hpo_research.errors import StoreError
from hpo_research.store import Store

EXPERIMENT = '''
"""Does a killed experiment give the numbers of an uninterrupted one?"""
import hpo_research as hpo

experiment = hpo.Experiment(
    name="killed",
    problems=[
        hpo.problem("branin"),
        hpo.problem("curves", max_epochs=9, noise=0.1),
        hpo.problem("digits-mlp", max_epochs=9),
    ],
    strategies={
        "grid": hpo.Grid("fit"),
        "random": hpo.Random(),
        "hyperband": hpo.Hyperband(inner=hpo.Random(kind="sobol")),
        "q-EI": hpo.Bayesian(starts=4),
    },
    seeds=[0],
    parallel=4,
    budget=hpo.Budget(evaluations=24),
)
'''
HPO = [sys.executable, "-c", "from hpo_research.cli import main; main()"]


def started(file: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [*HPO, "run", file, "--out", out, "--device", "cpu", "--quiet", "--no-report"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(file: Path, out: Path) -> None:
    with started(file, out) as process:
        _, complaint = process.communicate(timeout=240)
    assert process.returncode == 0, complaint.decode()
    subprocess.run([*HPO, "export", out], check=True, capture_output=True)


def rows(out: Path) -> int:
    try:
        with Store.read(out) as store:
            return store.rows()
    except StoreError:
        return 0


def killed(process: subprocess.Popen[bytes], out: Path, at: float) -> int:
    """Kill the process when the store holds that many rows, and find the experiment unfinished."""
    with process:
        while rows(out) < at:
            assert process.poll() is None, "the experiment ended before it could be killed"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not Result.read(out).is_finished
    return rows(out)


def exported(out: Path) -> dict[str, bytes]:
    """The exported files, byte for byte, without the columns that hold seconds."""
    texts = {}
    for path in sorted((out / "export").iterdir()):
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        kept = [name for name in frame if not name.endswith(("_seconds", "_at"))]
        texts[path.name] = frame[kept].to_csv(index=False).encode()
    return texts


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("whole")
    file = folder / "killed.py"
    file.write_text(EXPERIMENT)
    finished(file, folder / "out")
    texts = exported(folder / "out")
    assert texts.keys() == {"trials.csv", "reports.csv"}
    return file, rows(folder / "out"), texts


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_early_late_and_at_a_random_moment_equals_uninterrupted(whole, tmp_path: Path):
    file, total, texts = whole
    shares = [0.1, random.SystemRandom().uniform(0.1, 0.9), 0.9]
    print("killed at", shares)  # shown where the test fails
    for share in shares:
        left = killed(started(file, tmp_path), tmp_path, share * total)
        assert share * total <= left < total
    finished(file, tmp_path)
    assert exported(tmp_path) == texts
