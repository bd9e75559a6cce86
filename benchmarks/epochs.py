"""Regret against epochs: the strategies that stop early, beside random search, on paired seeds.

    python -m benchmarks.epochs [PROBLEM ...] [--seeds 10] [--first 0] [--evaluations 20]
        [--parallel 4] [--only NAME ...]

Ten minutes a problem. Problems are `BASE/AGREEMENT` (synthetic learning curves, such as
`hartmann6/0.8`) or names of `hpo problems`. A run may spend `evaluations` times the problem's
epochs. Printed at each quarter of that: the median over seeds of the regret of the best value
reported so far, and its mean log10, values below 1e-4 counted as that; then the epoch at which the
median reaches random search's last one, and its share. Where the optimum is not known, regret is
from the best value of any run.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

import hpo_research as hpo
from hpo_research.analysis.choices import Choices, choices
from hpo_research.analysis.incumbents import at, curve
from hpo_research.problems.curves import LearningCurves

PROBLEMS = ("hartmann6/0.8", "branin/0.5", "ackley/0.5")
QUARTERS = (0.25, 0.5, 0.75, 1.0)
STRATEGIES: Mapping[str, hpo.Strategy] = {
    "random": hpo.Random(),
    "hyperband": hpo.Hyperband(),
    "asha": hpo.ASHA(),
    "one epoch top 3": hpo.EarlyDiscarding(),
    "model hyperband": hpo.ModelHyperband(),
    "freeze-thaw": hpo.FreezeThaw(),
    "freeze-thaw greedy=2": hpo.FreezeThaw(greedy=2),
    "freeze-thaw greedy=3": hpo.FreezeThaw(greedy=3),
    "freeze-thaw standardised": hpo.FreezeThaw(transform="standardise"),
}
LEAST = 1e-4


def built(name: str) -> hpo.Problem:
    """Build a problem from its name here."""
    base, _, agreement = name.partition("/")
    if agreement:
        return LearningCurves(base, agreement=float(agreement), name=name)
    return hpo.problem(name)


def searched(
    problem: hpo.Problem, strategies: Mapping[str, hpo.Strategy], options: argparse.Namespace
) -> tuple[dict[str, np.ndarray], list[Choices]]:
    """Run the strategies on a problem.

    Return the best losses at every epoch (shape: seeds epochs), and what runs stood for at each
    quarter where values are noisy.
    """
    experiment = hpo.Experiment(
        "epochs",
        [problem],
        dict(strategies),
        range(options.first, options.first + options.seeds),
        hpo.Budget(evaluations=options.evaluations),
        parallel=options.parallel,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = hpo.run(experiment, out=folder, device="cpu")
        epochs = np.arange(1.0, options.evaluations * problem.max_epochs + 1)
        found = {
            name: at(curve(result, problem.name, name, points=10**9), epochs) for name in strategies
        }
        stood_for = choices(result, len(QUARTERS))
    sign = 1.0 if problem.direction == "minimize" else -1.0
    return {name: sign * values for name, values in found.items()}, stood_for


def table(problem: hpo.Problem, losses: Mapping[str, np.ndarray]) -> str:
    """Return a Markdown table of regret at each quarter, a line a strategy."""
    sign = 1.0 if problem.direction == "minimize" else -1.0
    best = min(float(np.nanmin(values)) for values in losses.values())
    floor = best if problem.optimum is None else min(best, sign * problem.optimum)
    regrets = {
        name: np.where(np.isnan(values), np.inf, values - floor) for name, values in losses.items()
    }
    last = len(next(iter(regrets.values()))[0])
    places = [round(share * last) - 1 for share in QUARTERS]
    target = float(np.median(regrets["random"][:, -1]))
    lines = [
        "| " + " | ".join(["Strategy", *(f"{q:.0%}" for q in QUARTERS), "Log10", "Reaches"]) + " |",
        "| --- |" + " ---: |" * (len(QUARTERS) + 2),
    ]
    for name, values in regrets.items():
        median = np.median(values, axis=0)
        logs = " ".join(f"{np.log10(values[:, k].clip(LEAST)).mean():.2f}" for k in places)
        reached = median <= target
        epoch = int(np.argmax(reached)) + 1
        reach = f"{epoch} ({epoch / last:.2f})" if reached.any() else "never"
        numbers = [f"{median[k]:.3g}" for k in places]
        lines.append("| " + " | ".join([name, *numbers, logs, reach]) + " |")
    return "\n".join(lines)


def noise_free_table(problem: hpo.Problem, own: Choices) -> str:
    """Return a Markdown table of medians without noise at each quarter, by both choices."""
    floor = 0.0 if own.is_regret or problem.optimum is None else problem.optimum
    sign = 1.0 if own.is_regret or problem.direction == "minimize" else -1.0
    lines = [
        "| Without noise | Recommended at 25%, 50%, 75%, 100% | Best observed |",
        "| --- | ---: | ---: |",
    ]
    for name, model in own.recommended.items():
        pair = (np.median(sign * (c.values - floor), axis=0) for c in (model, own.observed[name]))
        cells = [", ".join(f"{value:.3g}" for value in values) for values in pair]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.epochs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("problems", nargs="*", default=PROBLEMS)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--evaluations", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--only", nargs="*", choices=STRATEGIES, default=list(STRATEGIES))
    options = parser.parse_args(arguments)
    names = dict.fromkeys(["random", *options.only])
    for name in options.problems:
        problem = built(name)
        losses, stood_for = searched(problem, {own: STRATEGIES[own] for own in names}, options)
        print(f"\n{name}: {options.seeds} seeds\n\n{table(problem, losses)}", flush=True)
        for own in stood_for:
            print(f"\n{noise_free_table(problem, own)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
