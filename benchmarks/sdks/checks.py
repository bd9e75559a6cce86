"""What both programs need: a script to train, a line a check, and no way out of this machine."""

import socket
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = """\
import argparse, os, pathlib, time

parser = argparse.ArgumentParser()
for name, kind in (("lr", float), ("size", int), ("kind", str), ("epochs", int), ("pause", float)):
    parser.add_argument(f"--{name}", type=kind)
given, _ = parser.parse_known_args()
loss = 1.0
for epoch in range(given.epochs):
    loss = 0.5 * loss + abs(given.lr - 0.01) + 0.01 * given.size
    print(f"epoch {epoch} loss={loss:.6f}", flush=True)
    time.sleep(given.pause)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(f"{loss:.6f}")
"""
ROLE = "arn:aws:iam::111122223333:role/TunerRole"
IMAGE = "example/train:1"
METRICS = [{"Name": "loss", "Regex": r"loss=([0-9.]+)"}]
JOBS = {"objective_type": "Minimize", "max_parallel_jobs": 2}
SETTINGS = {"epochs": 3, "pause": 0.05}
FRAME = (
    *("TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue", "TrainingStartTime"),
    *("TrainingEndTime", "TrainingElapsedTimeSeconds"),
)


def stay_here():
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ConnectionRefusedError(f"{address}: this program stays on its machine")
        return connect(self, address)

    socket.socket.connect = guarded


def script(folder, text=SCRIPT):
    """Write the script that trains."""
    path = Path(folder) / "train.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def check(what, holds, seen=""):
    """Print what was checked, and end the program where it does not hold."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {seen}" if seen != "" else ""), flush=True)
    if not holds:
        sys.exit(1)


def until(holds, seconds=60):
    """Wait until something holds."""
    by = time.monotonic() + seconds
    while not holds() and time.monotonic() < by:
        time.sleep(0.1)
    return holds()


def check_frame(frame, hyperparameters, jobs):
    """Hold the SDK's frame against what must be in it."""
    expected = {*hyperparameters, *FRAME}
    check("analytics: columns", set(frame.columns) == expected, sorted(frame.columns))
    finals = frame["FinalObjectiveValue"]
    check("analytics: a value a job", len(frame) == jobs and finals.notna().all(), len(frame))
    check("analytics: seconds", (frame["TrainingElapsedTimeSeconds"] > 0).all())


def folder():
    """Return an empty folder for the jobs."""
    return Path(tempfile.mkdtemp(prefix="tuning-jobs-"))
