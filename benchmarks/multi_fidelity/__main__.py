"""Other people's multi-fidelity searches beside ours, on the recorded tables.

    benchmarks/multi_fidelity/environments.sh FOLDER
    python -m benchmarks.multi_fidelity run NAME ... --environments FOLDER [--seeds 30]
    python -m benchmarks.multi_fidelity table [NAME ...] [--markdown]

`environments.sh` installs each package into an environment of its own, pinned. `run` lets searches
run on the tables: four trials at a time in lock-step, the epochs of 20 full trainings. None of the
others takes a list of configurations. As `NAME-listed`, what one of them proposes is trained as the
nearest configuration of the list that is left; ours know the list, and start none twice either. As
`NAME` all run on the tables as functions on the whole box (`snapped.py`), where many points stand
for one configuration. Runs are appended to
`recorded/NAME.jsonl` as they are there, those that are there are left. `table` prints the median
regret and the mean rank after each quarter over the seeds that all searches have: of the best
value reported at any epoch, and without noise of the trial that each stands for.

Only newly trained epochs are charged: a trial that is asked for at more epochs goes on from where
it was, also where the package trains it anew (DEHB and SMAC say nothing of checkpoints, but name
the configuration again; NePS names the trial that it continues; Syne Tune's ASHA pauses none).
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hpo_research as hpo
from benchmarks.multi_fidelity.record import Record, lines
from benchmarks.multi_fidelity.snapped import Snapped
from benchmarks.multi_fidelity.table import page
from benchmarks.multi_fidelity.told import CHILDREN, Child, Told
from hpo_research.problems.tabulated import Tabulated

LISTED = "-listed"
TABLES = ("digits-mlp", "digits-cnn", "mnist5k-mlp")
EVALUATIONS, PARALLEL = 20, 4


@dataclass(frozen=True)
class Rival:
    """Where a search of another package is begun: its environment, and the script of its child."""

    environment: str
    script: str
    arguments: tuple[str, ...] = ()


RIVALS: Mapping[str, Rival] = {
    "syne-tune-asha": Rival("syne-tune", "of_syne_tune", ("asha",)),
    "syne-tune-cqr": Rival("syne-tune", "of_syne_tune", ("cqr",)),
    "dehb": Rival("dehb", "of_dehb"),
    "smac": Rival("smac", "of_smac"),
    "neps-async-hb": Rival("neps", "of_neps", ("async-hb",)),
    "neps-priorband": Rival("neps", "of_neps", ("priorband",)),
}
OURS: Mapping[str, hpo.Strategy] = {
    "random": hpo.Random(),
    "asha": hpo.ASHA(),
    "hyperband": hpo.Hyperband(),
    "model-hyperband": hpo.ModelHyperband(),
    "freeze-thaw": hpo.FreezeThaw(),
}

NAMES = [f"{name}{listed}" for listed in (LISTED, "") for name in (*OURS, *RIVALS)]


@contextmanager
def searching(name: str, environments: Path) -> Iterator[tuple[hpo.Strategy, Child | None]]:
    """Begin a search; one of another package has a child."""
    name = name.removesuffix(LISTED)
    if name in OURS:
        yield OURS[name], None
        return
    rival = RIVALS[name]
    python = environments / rival.environment / "bin" / "python"
    with Child(python, CHILDREN / f"{rival.script}.py", *rival.arguments) as child:
        yield Told(name, child), child


def run(name: str, table: str, seeds: Sequence[int], environments: Path) -> None:
    """Run a search on a table with the seeds that its record lacks, and record it."""
    recorded = Tabulated(table)
    problem = recorded if name.endswith(LISTED) else Snapped(recorded)
    record = Record(name)
    left = [seed for seed in seeds if (problem.name, seed) not in record.lines]
    if not left:
        return
    with searching(name, environments) as (strategy, child), tempfile.TemporaryDirectory() as to:
        experiment = hpo.Experiment(
            "multi-fidelity",
            [problem],
            {name: strategy},
            left,
            hpo.Budget(evaluations=EVALUATIONS),
            parallel=PARALLEL,
        )
        result = hpo.run(experiment, out=to, device="cpu")
        if messages := result.messages():
            print("\n".join(messages), file=sys.stderr)
        record.append(lines(result, problem.name, name), child.versions if child else {})


def main(arguments: Sequence[str]) -> int:
    """Run or print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.multi_fidelity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    running = actions.add_parser("run")
    running.add_argument("names", nargs="+", choices=NAMES, metavar="NAME")
    running.add_argument("--environments", type=Path, default=Path("environments"))
    running.add_argument("--tables", nargs="*", default=TABLES, choices=TABLES)
    running.add_argument("--seeds", type=int, default=30)
    printing = actions.add_parser("table")
    printing.add_argument("names", nargs="*", metavar="NAME", default=NAMES)
    options = parser.parse_args(arguments)
    if options.action == "table":
        print(page(options.names, TABLES))
        return 0
    for name in options.names:
        for table in options.tables:
            run(name, table, range(options.seeds), options.environments)
            print(f"{name} on {table}: {options.seeds} seeds", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
