"""An epoch of K small networks trained as one batch, beside plain PyTorch and `torch.func.vmap`.

    OMP_NUM_THREADS=1 python -m benchmarks.training [--cases NAME ...] [--counts K ...]
        [--ways ours loop vmap] [--device cpu] [--no-record]

Two hours for all on the CPU, seconds for `--cases digits-mlp --counts 8 --ways ours loop`. Printed
are milliseconds a network-epoch, evaluation included, after one to warm up, and the rivals' ratios.
On the CPU one thread works and processor seconds are compared, which busy neighbours disturb least;
on a GPU, seconds. Rows with all three ways are recorded, in `training/results.json` and
`RESULTS.md`.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import record
from benchmarks.record import Json
from benchmarks.training.cases import CASES, Case
from benchmarks.training.rivals import loop, ours, stacked
from hpo_research.threads import limited

RECORD = Path(__file__).with_name("results.json")
PAGE = record.PAGE
COUNTS = (8, 32, 81, 256)
WAYS = {"ours": ours, "loop": loop, "vmap": stacked}
COMMAND = ("OMP_NUM_THREADS=1", "python", "-m", "benchmarks.training")


def main(arguments: list[str]) -> int:
    """Measure, print and record."""
    asked = _parser().parse_args(arguments)
    command = " ".join([*COMMAND, *arguments])
    with limited():
        for name in asked.cases:
            for count in asked.counts:
                row = measured(CASES[name], count, asked.device, asked.ways)
                print(_line(name, row), flush=True)
                if asked.no_record or set(asked.ways) != set(WAYS):
                    continue
                key = f"{asked.device} {name} {count}"
                made_with = {**record.made_with(), "command": command}
                found = record.enter(RECORD, (key,), {**row, "made_with": made_with})
                record.put("training", table(found), PAGE)
    return 0


def table(found: Json) -> str:
    """Return what is recorded as Markdown."""
    rows = ["| networks | K | ours | loop | vmap | loop / ours | vmap / ours |", "| --- " * 7 + "|"]
    titles = [case.title for case in CASES.values()]
    for row in sorted(found.values(), key=lambda r: (titles.index(r["case"]), r["networks"])):
        each = [f"{row['milliseconds'][way]:.1f}" for way in WAYS]
        ratios = [row["loop_ratio"], row["vmap_ratio"]]
        each += [f"{ratio:.{1 if round(ratio, 2) >= 2 else 2}f}×" for ratio in ratios]
        rows.append(f"| {row['case']} | {row['networks']} | {' | '.join(each)} |")
    return "\n".join(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS))
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-record", action="store_true", help="print only")
    return parser


def measured(case: Case, count: int, device: str, ways: list[str]) -> dict[str, object]:
    """Time the ways in turn, so that a slow minute meets them all."""
    data, recipes = case.data().to(device), case.recipes(count)
    spent = {way: 0.0 for way in ways}
    for way in ways:
        WAYS[way](recipes[: min(count, 4)], case.architecture, data, 1)
    for way in ways:
        spent[way] = _seconds(
            lambda way=way: WAYS[way](recipes, case.architecture, data, case.epochs), device
        )
    each = {way: 1000 * seconds / count / case.epochs for way, seconds in spent.items()}
    rivals = [way for way in ways if way != "ours"] if "ours" in ways else []
    ratios = {f"{way}_ratio": each[way] / each["ours"] for way in rivals}
    return {"case": case.title, "networks": count, "milliseconds": each, **ratios}


def _seconds(call: Callable[[], None], device: str) -> float:
    if device == "cpu":
        began = time.process_time()
        call()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def _line(name: str, row: dict) -> str:
    each = ", ".join(f"{way} {ms:.2f} ms" for way, ms in row["milliseconds"].items())
    ratios = ", ".join(f"{key.split('_')[0]} ×{row[key]:.2f}" for key in row if "_ratio" in key)
    line = f"{name}, {row['networks']} networks: {each} a network-epoch"
    return f"{line}; {ratios}" if ratios else line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
