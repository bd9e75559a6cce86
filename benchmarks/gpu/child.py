"""The process that computes: its rows go to a file as they stand, so that an end loses none."""

import json
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from benchmarks.gpu.parts import PARTS, Place
from hpo_research.threads import limited


def main(device: str, is_small: str, out: str, *names: str) -> None:
    """Run parts one after another; one that raises is told of, and the next begins."""
    path, place = Path(out), Place(device, is_small == "small")
    with limited():
        for name in names:
            _say(path, {"part": name, "event": "begun"})
            try:
                for row in PARTS[name](place):
                    _say(path, {"part": name, "event": "row", "row": asdict(row)})
            except Exception as error:  # other parts may hold; the figure is that this one did not
                traceback.print_exc()
                text = " ".join(f"{type(error).__name__}: {error}".split())
                _say(path, {"part": name, "event": "failed", "why": text[:500]})
            else:
                _say(path, {"part": name, "event": "ended"})


def _say(path: Path, line: dict) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
