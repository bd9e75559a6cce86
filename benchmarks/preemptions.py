"""Shards preempted at random, by submitit's local executor: `python -m benchmarks.preemptions`.

At random moments a shard is warned as by Slurm (SIGUSR2 to its job, which ends it and begins it
again), or killed with everything it started (SIGKILL, and submitted again). Merged, the shards must
be what one process makes, seconds apart. Needs `hpo_research[slurm]`.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import psutil

import hpo_research as hpo
from hpo_research.cluster.settings import Settings
from hpo_research.cluster.standing import standing
from hpo_research.cluster.submission import Submitted, Task, submit
from hpo_research.cluster.submission import hpo as command
from hpo_research.errors import StoreError

FILE = """
import time
import hpo_research as hpo

def slow(config, report):
    value = 1.0
    for epoch in range(report.start + 1, report.until + 1):
        time.sleep(0.01)
        value = 0.9 * value + config["x"] / epoch
        if not report(epoch, value):
            return

experiment = hpo.Experiment(
    "preempted",
    problems=[
        hpo.FunctionProblem(slow, hpo.SearchSpace(x=hpo.Float(0, 1)), max_epochs=9, workers=1),
        hpo.problem("branin"),
    ],
    strategies={"halving": hpo.SuccessiveHalving(eta=3), "random": hpo.Random()},
    seeds=range(SEEDS),
    budget=hpo.Budget(evaluations=6),
    parallel=3,
)
"""
TIMES = ["cost_seconds", "epoch_seconds", "clock_seconds"]


def table(folder: Path) -> str:
    """Return what an export of a folder holds, seconds apart."""
    result = hpo.Result.read(folder)
    frames = [result.frame(), result.reports()]
    return "".join(own.drop(columns=TIMES, errors="ignore").to_csv() for own in frames)


def is_finished(out: Path) -> bool:
    try:
        return standing(out).is_finished
    except StoreError:  # none has begun
        return False


def _tree(job: object) -> list[psutil.Process]:
    """Return the processes of a job: its controller, the job itself, and what this runs."""
    try:
        controller = psutil.Process(int(job.job_id))  # type: ignore[attr-defined]
        return [controller, *controller.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def strike(jobs: Submitted, draw: random.Random) -> str:
    """Preempt one of the jobs that run; return how, or nothing where it was between two states."""
    trees = [tree for job in jobs.jobs if len(tree := _tree(job)) > 2]
    if not trees:
        return ""
    tree, kind = draw.choice(trees), draw.choice(["warned", "killed"])
    try:
        if kind == "warned":
            tree[1].send_signal(signal.SIGUSR2)
        else:
            for process in tree:
                process.kill()
    except psutil.NoSuchProcess:
        return ""
    return kind


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--preemptions", type=int, default=200)
    options.add_argument("--shards", type=int, default=2)
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--pause", type=float, default=12.0, help="the longest, in seconds")
    given = options.parse_args()
    draw = random.Random(given.seed)
    counts = {"warned": 0, "killed": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "preempted.py"
        file.write_text(FILE.replace("SEEDS", str(given.seeds)))
        os.environ["OMP_NUM_THREADS"] = "1"
        round_ = 0
        while sum(counts.values()) < given.preemptions:
            # An experiment takes so many preemptions before it is finished; then another one.
            out, round_ = folder / f"out{round_}", round_ + 1
            tasks = [
                Task(
                    command(
                        "run",
                        str(file),
                        "--quiet",
                        "--out",
                        str(out),
                        "--shard",
                        f"{k}/{given.shards}",
                    )
                )
                for k in range(1, given.shards + 1)
            ]
            while not is_finished(out):
                jobs = submit("local", "preempted", out, tasks, wanted=Settings())
                while not all(job.done() for job in jobs.jobs):
                    time.sleep(draw.uniform(0, given.pause))
                    if sum(counts.values()) < given.preemptions and (kind := strike(jobs, draw)):
                        counts[kind] += 1
            hpo.merge(out)
            Task(command("run", str(file), "--quiet", "--out", str(folder / "whole")))()
            if table(out) != table(folder / "whole"):
                raise SystemExit(f"after {counts}, in round {round_}: merged is not whole")
            print(f"{sum(counts.values())} preemptions {counts}: merged equals whole", flush=True)


if __name__ == "__main__":
    main()
