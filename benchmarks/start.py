"""What it costs to begin: processor time and peak memory of small programs.

    python -m benchmarks.start [NAME ...] [--beside CHECKOUT] [--rounds 7]

A minute for each build. Each program is a process of its own, whose processor time (user and
system) and peak of memory are printed. The store that is read holds 2 problems × 2 strategies ×
3 seeds of 20 trials, written by the other build where there is one.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.beside import ROOT, Measured, compare, parser, process

HPO = "import sys; from hpo_research.cli import main; sys.argv[0] = 'hpo'; main()"
SEARCH = """
import hpo_research as hpo
run = hpo.Run(hpo.SearchSpace(x=hpo.Float(0, 1), n=hpo.Integer(1, 99)), total=9)
for strategy in (hpo.Random(), hpo.Grid("fit")):
    (ask,) = strategy.ask([run], [9])
    assert len(ask.proposals) > 1
"""
STUDY = """
import hpo_research as hpo
study = hpo.Study(hpo.SearchSpace(x=hpo.Float(0, 1)), hpo.Random())
for trial in study.ask(9):
    study.tell(trial.id, trial.config["x"])
"""
WRITE = """
import hpo_research as hpo
experiment = hpo.Experiment(
    "small",
    [hpo.problem("branin"), hpo.problem("hartmann6")],
    {"random": hpo.Random(), "Sobol": hpo.Random("sobol")},
    range(3),
    hpo.Budget(trials=20),
)
hpo.run(experiment, out="small")
"""
PROGRAMS = {
    "python itself": ["pass"],
    "import hpo_research": ["import hpo_research"],
    "hpo --help": [HPO, "--help"],
    "hpo --version": [HPO, "--version"],
    "hpo status": [HPO, "status", "small"],
    "hpo problems": [HPO, "problems"],
    "Result.read": ["import hpo_research; hpo_research.Result.read('small')"],
    "grid and random search": [SEARCH],
    "a study, random": [STUDY],
    "Bayesian()": ["import hpo_research; hpo_research.Bayesian()"],
}

READING = {"hpo status", "Result.read"}


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    options = parser("benchmarks.start", __doc__ or "", PROGRAMS, rounds=7).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if READING & {*(options.names or PROGRAMS)}:
            process(options.beside or ROOT, [WRITE], place)
        measures = {
            name: lambda checkout, own=program: Measured({"": process(checkout, own, place)})
            for name, program in PROGRAMS.items()
        }
        compare(measures, options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
