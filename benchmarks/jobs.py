"""What a job costs outside its training code: started, read, stored.

    python -m benchmarks.jobs [--jobs 100] [--lines 1000000]

Half a minute. Random search over programs, two at a time, asynchronously, with its store on disk:

- jobs of a shell that prints one value, and of Python that does: processor time a job of this
  process (loop, reading, storing), and of all processes, the keeper and the programs among them;
- one job that prints a million values, and one of a million lines with two metrics each: processor
  time of this process, and by how many MiB the peak of its memory rises.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import hpo_research as hpo

SPACE = hpo.SearchSpace(lr=hpo.Float(0, 1))
LINES = """
import sys
count, end = int(sys.argv[1]), sys.argv[2]
for i in range(1, count + 1):
    sys.stdout.write(f"epoch {i} loss={1 / i:.6f}{end}\\n")
"""
Cost = tuple[float, float, float]
"""Processor seconds of this process and of others, MiB of its peak."""


def cost(command: Sequence[str], trials: int, metrics: dict[str, str]) -> Cost:
    """Run an experiment of a program and return what it cost."""
    script = hpo.Script(tuple(command), SPACE, metrics=metrics, name="program")
    experiment = hpo.Experiment(
        name="jobs",
        problems=[script],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=trials),
        parallel=2,
        execution="asynchronous",
    )
    with tempfile.TemporaryDirectory() as folder:
        before = _usage()
        result = hpo.run(experiment, out=Path(folder, "out"), progress=False)
        after = _usage()
    (run,) = result.runs.values()
    ends = {trial.status for trial in run.trials}
    if ends != {"finished"} or len(run.trials) != trials:
        raise SystemExit(f"expected {trials} finished trials, got {len(run.trials)}: {ends}")
    own, others, peak = (b - a for a, b in zip(before, after, strict=True))
    return own, others, peak


def _usage() -> Cost:
    own = resource.getrusage(resource.RUSAGE_SELF)
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = [usage.ru_utime + usage.ru_stime for usage in (own, others)]
    return seconds[0], seconds[1], own.ru_maxrss / 1024


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser("benchmarks.jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    loss = {"loss": r"loss=(\S+)"}
    programs = {
        "a shell": ("sh", "-c", "echo loss=1"),
        "Python": (sys.executable, "-I", "-S", "-c", "print('loss=1')"),
    }
    cost(programs["a shell"], 2, loss)  # what is loaded once
    print("a job of           this process ms   all processes ms")
    for name, command in programs.items():
        own, others, _ = cost(command, options.jobs, loss)
        each = [1000 * seconds / options.jobs for seconds in (own, own + others)]
        print(f"{name:18} {each[0]:15.2f} {each[1]:18.2f}")
    print(f"{options.lines} lines of    this process s    MiB")
    shapes = {"one metric": ("", loss), "two": (" acc=0.5", {**loss, "acc": r"acc=(\S+)"})}
    for name, (end, metrics) in shapes.items():
        command = (sys.executable, "-I", "-S", "-c", LINES, str(options.lines), end)
        own, _, peak = cost(command, 1, metrics)
        print(f"{name:18} {own:15.2f} {peak:8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
