"""The command: `python -m benchmarks.speed`, `... growth`, `... profile`."""

import argparse
import sys

from benchmarks.speed import growth, profiled, record
from benchmarks.speed.measured import HEADINGS, markdown, packed
from benchmarks.speed.rows import FULL, QUICK, ROWS
from hpo_research.threads import limited


def main(arguments: list[str]) -> int:
    """Measure what is asked for, print it, and record it unless the sizes are tiny."""
    asked = _parser().parse_args(arguments)
    with limited():
        if asked.what == "targets":
            _targets(asked.rows, is_quick=asked.quick)
        elif asked.what == "growth":
            _show("growth", growth.measured(is_quick=asked.quick), is_quick=asked.quick)
        else:
            _show("profile", profiled.measured(is_quick=asked.quick), is_quick=asked.quick)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("what", nargs="?", default="targets", choices=list(_TEXTS))
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded")
    return parser


_TEXTS = {"targets": record.targets, "growth": growth.text, "profile": profiled.text}


def _targets(names: list[str], *, is_quick: bool) -> None:
    """Measure rows one after another; each is recorded at once."""
    found: list[list[str]] = []
    for name in names:
        rows = ROWS[name](QUICK if is_quick else FULL)
        found += [[name, *row.cells()] for row in rows]
        print(f"row {name}: {', '.join(row.verdict for row in rows)}", file=sys.stderr, flush=True)
        if not is_quick:
            whole = record.entered("targets", name, [packed(row) for row in rows])
            record.put("targets", record.targets(whole))
    print(markdown(("row", *HEADINGS), found))


def _show(what: str, content: object, *, is_quick: bool) -> None:
    """Print growth or profile, and record it."""
    if is_quick:
        print(_TEXTS[what]({what: {"all": {"measured": content, "made_with": record.made_with()}}}))
        return
    whole = record.entered(what, "all", content)
    text = _TEXTS[what](whole)
    record.put(what, text)
    print(text)
    if what == "growth":
        growth.draw(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
