"""How fast the core is beside its rivals.

    OMP_NUM_THREADS=1 python -m benchmarks.speed [targets] [--rows 1 ... 10] [--beside CHECKOUT]
        [--no-record] [--quick]
    OMP_NUM_THREADS=1 python -m benchmarks.speed growth [--no-record] [--quick]
    OMP_NUM_THREADS=1 python -m benchmarks.speed profile [--no-record] [--quick]
    OMP_NUM_THREADS=1 python -m benchmarks.speed agreement --beside CHECKOUT [--quick]

`targets`, an hour: seconds and ratios of fits, asks and a study beside BoTorch, Optuna, Ax and
egobox, a row each (rows 3, 4 and 7 take minutes). With `--beside CHECKOUT` the last build is
measured too, in turn with this one, and so is row 10. `growth`, half an hour: an ask over runs,
trials, dimensions and batch sizes. `profile`, a minute: which stage of an ask its time goes to.
Printed are the tables of `RESULTS.md`, which are recorded there and in `speed/results.json`.
`agreement`, a minute: by how much fifty asks differ from those of another build; printed only.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.record import Json, made_with, put
from benchmarks.speed import agreement, growth, page, profiled
from benchmarks.speed.measured import HEADINGS, markdown, packed
from benchmarks.speed.own import FULL, QUICK, Beside
from benchmarks.speed.rows import AVERAGE, ROWS, average, compared
from hpo_research.threads import limited

_ROWS = [*ROWS, AVERAGE]
_TEXTS = {"targets": page.targets, "growth": growth.text, "profile": profiled.text}


def main(arguments: list[str]) -> int:
    """Measure what is asked for, print it, and record it unless the sizes are tiny."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    is_kept = not (asked.quick or asked.no_record)
    beside = None if asked.beside is None else Beside(asked.beside.resolve(), asked.rounds)
    with limited():
        if asked.what == "targets":
            _targets(asked.rows, beside, is_quick=asked.quick, is_kept=is_kept)
        elif asked.what == "agreement":
            if beside is None:
                parser.error("agreement: expected --beside CHECKOUT, the build to compare with")
            print(agreement.measured(beside, is_quick=asked.quick))
        else:
            measured = growth.measured if asked.what == "growth" else profiled.measured
            _show(asked.what, measured(is_quick=asked.quick), is_kept=is_kept)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", default="targets", choices=[*_TEXTS, "agreement"])
    parser.add_argument("--rows", nargs="+", choices=_ROWS, default=_ROWS)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="of the last build")
    parser.add_argument("--rounds", type=int, default=3, help="with the last build; 3")
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded")
    return parser


def _targets(names: list[str], beside: Beside | None, *, is_quick: bool, is_kept: bool) -> None:
    """Measure rows one after another; each is recorded at once."""
    found: list[list[str]] = []
    for name in names:
        size = QUICK if is_quick else FULL
        rows = average(size, beside) if name == AVERAGE else ROWS[name](size)
        if beside is not None:
            rows = compared(name, rows, size, beside)
        found += [[name, *row.cells()] for row in rows]
        print(f"row {name}: {', '.join(row.verdict for row in rows)}", file=sys.stderr, flush=True)
        if is_kept:
            put("targets", page.targets(page.enter("targets", name, [*map(packed, rows)])))
    print(markdown(("row", *HEADINGS), found))


def _show(what: str, content: list[Json], *, is_kept: bool) -> None:
    """Print growth or profile, and record it."""
    if not is_kept:
        print(_TEXTS[what]({what: {"all": {"measured": content, "made_with": made_with()}}}))
        return
    text = _TEXTS[what](page.enter(what, "all", content))
    put(what, text)
    print(text)
    if what == "growth":
        growth.draw(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
