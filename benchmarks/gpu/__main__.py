"""What runs on a GPU: its tests, agreement with the CPU, and seconds; eight minutes at most.

    python -m benchmarks.gpu [--parts begin agreement tests asks training graphs] [--no-record]
    python -m benchmarks.gpu --rehearse

Needs a CUDA device, and says so where there is none (exit code 2). Each part has a budget of its
own and is ended with it; what it had found by then stands. Rows are printed and recorded as they
come: in `gpu/results.json` by card, and in `RESULTS.md`. The exit code is 1 where a part failed,
was ended early, or found what does not hold. `--rehearse` runs the same in small on the CPU and
keeps nothing: it tests this script, not a GPU. From a clean checkout nothing need be installed but
the packages: `PYTHONPATH=. python -m benchmarks.gpu`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks import record
from benchmarks.beside import ROOT
from benchmarks.gpu.page import RECORD, text
from benchmarks.record import Json
from hpo_research.device import resolve

BUDGETS = {"begin": 70, "agreement": 50, "tests": 100, "asks": 100, "training": 100, "graphs": 50}
"""Seconds a part may take, in the order in which they are run; less than eight minutes in all."""
_REHEARSED = 600
CHILD = "benchmarks.gpu.child"
NO_DEVICE = 2
_LOOK = 0.1  # seconds between looks at what the process has written


def main(arguments: list[str]) -> int:
    """Run the parts, and return 0 where all of them came to their end and hold."""
    asked = _parser().parse_args(arguments)
    if not asked.rehearse and not torch.cuda.is_available():
        print("no CUDA device here; --rehearse runs the parts in small on the CPU", file=sys.stderr)
        return NO_DEVICE
    device = "cpu" if asked.rehearse else resolve("auto")
    run = _Run(device, asked.rehearse, is_kept=not (asked.rehearse or asked.no_record))
    left = list(asked.parts)
    while left:
        left = run.parts(left)
    return int(run.is_wanting)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--rehearse", action="store_true", help="in small on the CPU, not recorded")
    return parser


class _Run:
    """One process after another: the next takes what one that was ended, or died, has left."""

    def __init__(self, device: str, is_small: bool, *, is_kept: bool) -> None:
        self._device, self._is_small, self._is_kept = device, is_small, is_kept
        self.is_wanting = False

    def parts(self, names: list[str]) -> list[str]:
        """Run parts in one process, and return those that it did not begin."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.jsonl"
            out.touch()
            size = "small" if self._is_small else "full"
            command = [sys.executable, "-m", CHILD, self._device, size, str(out)]
            # What pytest and tracebacks print is for people: not among the rows.
            process = subprocess.Popen([*command, *names], cwd=ROOT, stdout=2)
            try:
                return self._followed(process, out, list(names))
            finally:
                process.kill()
                process.wait()

    def _followed(self, process: subprocess.Popen, out: Path, left: list[str]) -> list[str]:
        """Read what it writes until it ends, or a part's time is over."""
        began, current, rows = time.monotonic(), "", list[Json]()
        with out.open() as file:
            while True:
                is_over = process.poll() is not None  # asked before the last look at the file
                for line in iter(file.readline, ""):
                    said = json.loads(line)
                    event = said["event"]
                    if event == "begun":
                        began, current, rows = time.monotonic(), said["part"], []
                        left.remove(current)
                    elif event == "row":
                        rows.append(said["row"])
                        self._enter(current, rows, "not at its end")
                    else:
                        why = said.get("why")
                        self._enter(current, rows, f"failed: {why}" if why else "complete")
                        current = ""
                if is_over:
                    if current or left:
                        why = f"the process ended with {process.returncode}"
                        self._enter(current or left.pop(0), rows, why)
                    return left
                budget = _REHEARSED if self._is_small else BUDGETS[current or left[0]]
                if time.monotonic() - began > budget:
                    self._enter(current or left.pop(0), rows, f"ended after its {budget} s")
                    return left
                time.sleep(_LOOK)

    def _enter(self, part: str, rows: list[Json], state: str) -> None:
        """Print what is new of a part, and record the part as it stands."""
        if state == "not at its end":
            row = rows[-1]
            verdict = {True: " (holds)", False: " (DOES NOT HOLD)", None: ""}[row["holds"]]
            print(f"{part}: {row['what']}: {row['found']}{verdict}", flush=True)
        else:
            self.is_wanting |= state != "complete" or any(r["holds"] is False for r in rows)
            print(f"{part}: {state}", flush=True)
        if self._is_kept:
            made_with = {**record.made_with(), **_driver()}
            entry = {"measured": rows, "state": state, "made_with": made_with}
            card = torch.cuda.get_device_name(self._device)
            record.put("gpu", text(record.enter(RECORD, (card, part), entry)))


def _driver() -> dict[str, str]:
    """Return the versions of CUDA that torch was built for, and of the driver."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = f"unknown ({type(error).__name__})"
    return {"cuda": str(torch.version.cuda), "driver": said.split("\n")[0].strip()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
