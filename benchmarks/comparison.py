"""The tables of `COMPARISON.md`, and what the whole comparison would take.

    python -m benchmarks.comparison table DIR ...     of results of experiments/comparison.py
    python -m benchmarks.comparison run SUITE ...     all or these suites, one after the other
    python -m benchmarks.comparison cost NAME ...     an evaluation of each strategy, and the whole

`table` prints of each results folder, in Markdown, a row a strategy: its mean rank (of final
values, over seeds and problems), its mean score, problems won, tied and lost against random search
(by medians over seeds), and milliseconds of search an evaluation. `cost` lets each strategy or
rival alone search BBOB's f8 in five dimensions, 40 evaluations of one seed, and prints the mean of
the last 20 asks, and how long its part of the whole comparison is at that price, at the least:
asks grow. Those that stop early, which have problems of several epochs alone, are left out.
"""

import argparse
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

import hpo_research as hpo
from hpo_research.analysis.finals import finals
from hpo_research.analysis.scores import scores
from hpo_research.analysis.spending import ledger
from hpo_research.records import sign
from hpo_research.suites.suite import Suite

FILE = Path(__file__).parents[1] / "experiments" / "comparison.py"
BASE = "random"
EVALUATIONS, LAST = 40, 20


def table(folder: Path) -> str:
    """Return the rows of one results folder."""
    result = hpo.Result.read(folder)
    strategies = list(result.description["strategies"])
    problems = list(result.description["problems"])
    ranked, scored, spent = _ranks(result), _scores(result), _seconds(result)
    lines = [
        f"`{folder.name}`: {len(problems)} problems, {len(result.description['seeds'])} seeds",
        "",
        "| strategy | mean rank | score | won, tied, lost | search, ms an evaluation |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in sorted(strategies, key=lambda own: ranked[own]):
        won = [_sign(result, problem, name) for problem in problems]
        record = "–" if name == BASE else ", ".join(str(won.count(k)) for k in (1, 0, -1))
        score = f"{scored[name]:.1f}" if name in scored else "–"
        lines.append(f"| {name} | {ranked[name]:.2f} | {score} | {record} | {spent[name]:.2g} |")
    return "\n".join(lines)


def _ranks(result: hpo.Result) -> dict[str, float]:
    """Return mean ranks by final losses: over the seeds of a problem, then over problems."""
    means = []
    for problem in result.description["problems"]:
        own = finals(result, problem).values
        losses = np.nan_to_num(_flip(result, problem) * np.array(list(own.values())), nan=np.inf)
        means.append(dict(zip(own, rankdata(losses, axis=0).mean(axis=1), strict=True)))
    return {name: float(np.mean([own[name] for own in means])) for name in means[0]}


def _flip(result: hpo.Result, problem: str) -> int:
    return sign(result.description["problems"][problem]["direction"])


def _scores(result: hpo.Result) -> dict[str, float]:
    found = scores(result)
    names = found[0].values if found else {}
    return {name: float(np.mean([np.mean(own.values[name]) for own in found])) for name in names}


def _seconds(result: hpo.Result) -> dict[str, float]:
    """Return the milliseconds of search that a trial trained to the end costs."""
    mean = ledger(result).groupby("strategy")["search_seconds"].mean()
    evaluations = result.description["budget"]["evaluations"]
    return {str(name): 1e3 * float(value) / evaluations for name, value in mean.items()}


def _sign(result: hpo.Result, problem: str, strategy: str) -> int:
    """Return 1 where a strategy's median is better than that of random search, −1 if worse."""
    own = finals(result, problem).values
    ahead = np.nanmedian(own[BASE]) - np.nanmedian(own[strategy])
    return int(np.sign(_flip(result, problem) * ahead))


def cost(name: str, strategy: hpo.Strategy) -> float:
    """Return the seconds of search an evaluation, of the last of a short run."""
    (problem,) = hpo.suite("bbob-5d", functions=[8], instances=[1])
    budget = hpo.Budget(evaluations=EVALUATIONS)
    with tempfile.TemporaryDirectory() as folder:
        own = hpo.Experiment("cost", [problem], {name: strategy}, [0], budget, parallel=1)
        (run,) = hpo.run(own, out=folder, device="cpu", progress=False).runs.values()
    asks = [sum(ask.seconds.values()) for ask in run.asks]
    return float(np.mean(asks[EVALUATIONS - LAST : EVALUATIONS]))


def main(arguments: Sequence[str]) -> int:
    """Print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table").add_argument("folders", nargs="+", type=Path, metavar="DIR")
    actions.add_parser("run").add_argument("suites", nargs="*", metavar="SUITE")
    actions.add_parser("cost").add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    if options.action == "table":
        print("\n\n".join(table(folder) for folder in options.folders))
        return 0
    if options.action == "run":
        return _run(options.suites)
    _costs(options.names)
    return 0


def _run(suites: Sequence[str]) -> int:
    """Run one suite after the other, each in a process of its own; stop where one goes wrong."""
    for name in suites or [listing.name for listing in hpo.suites()]:
        hpo_command = str(Path(sys.executable).with_name("hpo"))
        command = [hpo_command, "run", str(FILE), "--suite", name]
        if code := subprocess.run(command).returncode:
            return code
    return 0


def _costs(names: Sequence[str]) -> None:
    file = runpy.run_path(str(FILE))
    own: dict[str, hpo.Strategy] = file["WHOLE"]
    known = [*own, *file["FAST"], *file["SLOW"]]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"{', '.join(unknown)}: expected some of {', '.join(known)}")
    print("| strategy | version | ms an evaluation | hours, bbob-5d | hours, all suites |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in names or known:
        strategy = own[name] if name in own else hpo.rival(name)
        seconds = cost(name, strategy)
        is_part = name in file["PARTS"] or name in file["SLOW"]
        seeds = file["SLOW_SEEDS"] if name in file["SLOW"] else file["SEEDS"]
        spent = {
            listing.name: 2 * seeds * _evaluations(hpo.suite(listing.name), is_part)
            for listing in hpo.suites()
        }
        hours = (n * seconds / 3600 for n in (spent["bbob-5d"], sum(spent.values())))
        version = getattr(strategy, "version", "")
        cells = (name, version, *(f"{x:.3g}" for x in (1e3 * seconds, *hours)))
        print(f"| {' | '.join(cells)} |", flush=True)


def _evaluations(suite: Suite, is_part: bool) -> int:
    """Return a seed's evaluations on a suite; with several epochs those alone that are in it."""
    has_parts = any(problem.max_epochs > 1 for problem in suite)
    return 0 if has_parts and not is_part else len(suite) * (suite.budget.evaluations or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
