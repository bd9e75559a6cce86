"""Shards as jobs: what a cluster is asked for, what it sees, and what preemption leaves."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpo_research.cli import app
from hpo_research.cluster.settings import Settings, minutes, settings
from hpo_research.cluster.submission import Task, hpo, submit
from hpo_research.errors import ExperimentError, MachineError

pytest.importorskip("submitit")

SBATCH = """#!/bin/sh
cp "$1" "{folder}/script$(ls {folder} | grep -c script)"
echo "Submitted batch job 4$(ls {folder} | grep -c script)"
"""
EXPERIMENT = """
import hpo_research as hpo
experiment = hpo.Experiment(
    "tiny", problems=[hpo.problem("branin")], strategies={"random": hpo.Random()},
    seeds=range(4), budget=hpo.Budget(evaluations=3),
)
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster that keeps the files it is given and runs none of them."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH.format(folder=folder), "srun": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(EXPERIMENT)
    return folder


def command(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_shards_are_one_array_job_and_the_merge_comes_after_all_of_them(slurm, tmp_path):
    (tmp_path / "gpu.toml").write_text(
        'partition = "slow"\nmemory = "8GB"\nat_once = 2\n[sbatch]\nqos = "low"\n'
    )
    flags = ["--cluster", "gpu.toml", "--partition", "gpu", "--time", "4:00:00", "--gpus", 1]
    done = command("run", "tiny.py", "--on", "slurm", "--shards", 3, "--seeds", "0:3", *flags)
    assert done.exit_code == 0, done.output
    array, merge = (set((slurm / name).read_text().splitlines()) for name in ("script0", "script1"))
    asked = "array=0-2%2 partition=gpu time=240 mem=8GB gpus-per-node=1 qos=low job-name=tiny"
    assert {f"#SBATCH --{own}" for own in asked.split()} <= array
    assert {"#SBATCH --requeue", "#SBATCH --signal=USR2@90"} <= array
    assert {"#SBATCH --dependency=afterany:41", "#SBATCH --job-name=tiny-merge"} <= merge
    assert not any(line.startswith(("#SBATCH --gpus", "#SBATCH --array")) for line in merge)
    assert "as job 41; logs are in" in done.stdout
    assert f"job 42 merges them into {tmp_path}/results/tiny" in done.stdout


def test_a_single_element_is_told_its_shard_by_our_own_words(slurm, tmp_path):
    import pickle

    command("run", "tiny.py", "--on", "slurm", "--shards", 2, "--seeds", "0:2")
    pickled = sorted((tmp_path / "results/tiny/jobs").glob("41_*_submitted.pkl"))
    tasks = [pickle.loads(path.read_bytes()).function for path in pickled]
    words = [task.commands[0][3:] for task in tasks]
    assert [own[own.index("--shard") + 1] for own in words] == ["1/2", "2/2"]
    assert [own[-4:] for own in words] == [
        ["--seeds", "0:2", "--out", str(tmp_path / "results/tiny")]
    ] * 2


def test_without_a_cluster_the_answer_is_clear(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match='--on slurm: Could not detect "srun"'):
        submit("slurm", "x", tmp_path, [Task(["true"])], wanted=Settings())


WRONG = {
    "partition, too": (["--partition", "a"], 2, "--partition: only with --on slurm or --on local"),
    "unknown": (["--on", "lsf", "--shards", "2"], 2, "expected slurm or local, got 'lsf'"),
    "how many": (["--on", "slurm"], 2, "say how many, such as --shards 8"),
    "both": (["--on", "slurm", "--shards", "2", "--shard", "1/2"], 2, "leave it out with --on"),
    "too many": (["--on", "slurm", "--shards", "9"], 1, "has 4 runs; use at most as many shards"),
    "time": (["--on", "slurm", "--shards", "2", "--time", "soon"], 1, "got 'soon'"),
    "memory": (["--on", "slurm", "--shards", "2", "--memory", "8"], 1, "such as 8GB, got '8'"),
    "file": (["--on", "slurm", "--shards", "2", "--cluster", "no.toml"], 1, "is not a TOML file"),
}


@pytest.mark.parametrize(("words", "code", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_before_anything_is_submitted(slurm, words, code, message):
    done = command("run", "tiny.py", *words)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not list(slurm.glob("script*"))


def test_a_file_with_unknown_or_wrong_entries_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text('queue = "x"\n')
    with pytest.raises(ExperimentError, match=r"has queue; expected partition, time, .*\[sbatch\]"):
        settings(tmp_path / "a.toml", {})
    (tmp_path / "a.toml").write_text('gpus = -1\ncpus = "2"\nsbatch = 3\nsetup = "x"\n')
    with pytest.raises(ExperimentError) as found:
        settings(tmp_path / "a.toml", {})
    assert [line.split()[1] for line in str(found.value).splitlines()] == [
        *("gpus", "cpus", "sbatch", "setup")
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("90", 90), (90, 90), ("1:30", 90), ("4:00:00", 240), ("2-00:00:01", 2881), ("x", 0), (-1, 0)],
)
def test_times_are_read_as_slurm_writes_them(given, expected):
    # hours:minutes and not minutes:seconds: nobody asks a cluster for seconds
    assert minutes(given) == expected


BEATS = """
import os, signal, sys, time
folder = sys.argv[1]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with open(f"{folder}/beats", "a") as file:
    file.write(f"{os.getpid()}\\n")
while not os.path.exists(f"{folder}/done"):
    time.sleep(0.02)
"""


def _until(said, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_preempted_job_ends_what_it_runs_and_begins_it_again(tmp_path: Path):
    beats = tmp_path / "beats"
    task = Task([sys.executable, "-c", BEATS, str(tmp_path)])
    jobs = submit("local", "beats", tmp_path, [task], wanted=Settings())
    _until(beats.exists)
    _until(lambda: beats.read_text().endswith("\n"))
    (first,) = map(int, beats.read_text().split())
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(first, signal.SIGUSR2)  # sent to every process: it is for the job alone
    os.kill(parent, signal.SIGUSR2)
    _until(lambda: len(beats.read_text().split()) == 2)
    assert not Path(f"/proc/{first}").exists()
    (tmp_path / "done").touch()
    _until(lambda: all(job.done() for job in jobs.jobs))


def test_the_first_command_that_fails_is_the_last(tmp_path: Path):
    assert Task(["true"], ["false"], ["touch", str(tmp_path / "x")])() == 1
    assert not (tmp_path / "x").exists()
    assert hpo("merge", "a")[3:] == ["merge", "a"]
