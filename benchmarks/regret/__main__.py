"""The regret of searches on BBOB and on tables of trained networks: recorded, and compared.

    python -m benchmarks.regret rivals [--part report] [--seeds 10] [--only NAME ...]
    python -m benchmarks.regret ours [VARIANT ...] [--part report] [--seeds 10] [--again]
    python -m benchmarks.regret tune VARIANT ... [--dims 2 5 10] [--instances 1 2] [--seeds 2]
    python -m benchmarks.regret table NAME ... [--part report] [--evaluations 10 20 30 60] [--brief]

`table` takes seconds and prints a table of `DEFAULTS.md`: the first name beside the others, on the
runs that all of them have. `ours` takes an hour, `tune` two for each variant, `rivals` days. Runs
that are recorded already are left out, so that a killed command goes on. A record is
`regret/recorded/PART/NAME.jsonl`; the part of `tune` is `tuning`. `declared.py` says what the
parts are.
"""

import argparse
import itertools
import sys
import time
import traceback
from collections.abc import Iterator, Sequence

from benchmarks.regret import ours
from benchmarks.regret.brief import brief
from benchmarks.regret.declared import PARTS, SEEDS, Task, Tuning
from benchmarks.regret.ours import VARIANTS
from benchmarks.regret.record import FOLDER, Record, read
from benchmarks.regret.table import AT, markdown
from hpo_research.errors import MissingPackageError, StoreError
from hpo_research.threads import limited

NAMES = (
    "random",
    "scipy-annealing",
    "optuna-tpe",
    "optuna-gp",
    "optuna-gp-our-design",
    "smac-rf",
    "egobox",
    "ax",
    "botorch",
    "botorch-our-design",
    "smac-gp",
    "hebo",
    "ax-quality",
)
"""The rivals, the cheap ones first; random search is ours."""


def rivals(options: argparse.Namespace) -> int:
    """Record the rivals on a part, problem by problem; return how many runs failed.

    All of them meet a problem before any meets the next one, so that whenever it ends nearly all
    runs are paired. One that cannot be run is refused before any is.
    """
    names = [name for name in NAMES if not options.only or name in options.only]
    if not VARIANTS.keys() >= set(names):
        from benchmarks.regret.rivals import require

        for name in names:
            if name not in VARIANTS:
                require(name)
    records = {name: Record(f"{options.part}/{name}") for name in names}
    end = time.monotonic() + 60 * options.limit_minutes
    failed = 0
    for tasks in PARTS[options.part]()[: options.seeds]:
        for _, own in itertools.groupby(tasks, lambda task: task.problem.name):
            due = list(own)
            for name in names:
                for run in _runs(name, [task for task in due if task not in records[name]]):
                    if time.monotonic() > end:
                        print("the time is up; the same command goes on")
                        return failed
                    failed += not _recorded(records[name], name, run)
    return failed


def _runs(name: str, tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    """Yield what is stored at once: our own search many runs, another's each alone."""
    if name in VARIANTS:
        yield from ours.chunks(tasks)
    else:
        from benchmarks.regret.rivals import can

        yield from ([task] for task in tasks if can(name, task))


def _recorded(record: Record, name: str, run: Sequence[Task]) -> bool:
    versions = None
    try:
        if name in VARIANTS:
            (lines,) = ours.searched(name, VARIANTS[name], run, chunk=len(run))
        else:
            from benchmarks.regret.rivals import searched

            (task,) = run
            found = searched(name, task)
            lines, versions = [found.line], found.versions
    except MissingPackageError:
        raise
    except Exception:  # other people's code: its failure is reported, and the next run begins
        where = ", ".join(f"{t.problem.name} q={t.q} seed {t.seed}" for t in run)
        print(f"{name} failed on {where}:\n{traceback.format_exc()}", flush=True)
        return False
    record.append(lines, versions)
    for line in lines:
        print(
            f"{time.strftime('%H:%M:%S')} {name} {line.problem} q={line.q} seed {line.seed}: "
            f"regret {min(line.regrets):.3g} after {len(line.regrets)}, {line.seconds:.1f} s",
            flush=True,
        )
    return True


def own(options: argparse.Namespace) -> int:
    """Record variants of ours on a part."""
    seeds = PARTS[options.part]()[: options.seeds]
    return _variants(options, f"{options.part}/", [task for tasks in seeds for task in tasks])


def tune(options: argparse.Namespace) -> int:
    """Record variants of ours on the tuning part."""
    part = Tuning(
        functions=options.functions,
        dimensions=options.dims,
        instances=options.instances,
        tables=not options.no_tables,
        seeds=options.seeds,
        q=options.q,
        evaluations=options.evaluations,
    )
    return _variants(options, "tuning/", part.tasks())


def _variants(options: argparse.Namespace, folder: str, tasks: Sequence[Task]) -> int:
    for name in options.variants or ["default"]:
        if options.again:
            (FOLDER / f"{folder}{name}.jsonl").unlink(missing_ok=True)
        record = Record(folder + name)
        missing = [task for task in tasks if task not in record]
        began, done = time.monotonic(), 0
        for lines in ours.searched(name, VARIANTS[name], missing, chunk=options.chunk):
            record.append(lines)
            done += len(lines)
            spent = time.monotonic() - began
            print(f"{name}: {done} of {len(missing)} runs in {spent:.0f} s", flush=True)
    return 0


def table(options: argparse.Namespace) -> int:
    """Print the comparison of records."""
    records = {name: read(f"{options.part}/{name}") for name in options.names}
    print((brief if options.brief else markdown)(records, options.evaluations))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("rivals", help="record the rivals on a declared part")
    _add_part(command)
    _add_seeds(command)
    command.add_argument("--only", nargs="+", choices=NAMES, default=[])
    command.add_argument("--limit-minutes", type=float, default=float("inf"))
    command.set_defaults(run=rivals)

    command = commands.add_parser("ours", help="record our variants on a declared part")
    _add_part(command)
    _add_seeds(command)
    command.add_argument("variants", nargs="*", type=_variant, metavar="VARIANT")
    command.set_defaults(run=own)
    _add_recording(command)

    command = commands.add_parser("tune", help="record our variants on the tuning part")
    command.add_argument("variants", nargs="+", type=_variant, metavar="VARIANT")
    command.add_argument("--functions", type=int, nargs="+", default=range(1, 25))
    command.add_argument("--dims", type=int, nargs="*", default=[2, 5, 10])
    command.add_argument("--instances", type=int, nargs="+", default=[1, 2])
    command.add_argument("--seeds", type=int, default=2, help="so many seeds, from 0 on")
    command.add_argument("--q", type=int, default=1)
    command.add_argument("--evaluations", type=int, default=60)
    command.add_argument("--no-tables", action="store_true")
    command.set_defaults(run=tune)
    _add_recording(command)

    command = commands.add_parser("table", help="compare records; the first with the others")
    command.add_argument("names", nargs="+")
    _add_part(command, "tuning")
    command.add_argument("--evaluations", type=int, nargs="+", default=list(AT))
    command.add_argument("--brief", action="store_true", help="a line a search, without classes")
    command.set_defaults(run=table)
    return parser


def _variant(name: str) -> str:
    if name not in VARIANTS:
        raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(VARIANTS)}")
    return name


def _add_part(command: argparse.ArgumentParser, *more: str) -> None:
    command.add_argument("--part", choices=[*PARTS, *more], default="report")


def _add_seeds(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seeds", type=int, default=len(SEEDS), help="so many, from 0 on")


def _add_recording(command: argparse.ArgumentParser) -> None:
    command.add_argument("--again", action="store_true", help="forget what is recorded")
    command.add_argument("--chunk", type=int, default=ours.CHUNK, help="runs stored at once")


if __name__ == "__main__":
    options = _parser().parse_args()
    try:
        with limited():
            sys.exit(1 if options.run(options) else 0)
    except (StoreError, MissingPackageError) as error:
        sys.exit(str(error))
