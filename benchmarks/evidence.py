"""The slow statistical claims: `make evidence` runs them and records what came.

The record, `benchmarks/evidence.json`, holds each claim with its numbers, the command, the commit
and the versions. `make test` checks that it is there, that its claims hold, and reruns a part.
"""

import json
import sys
from pathlib import Path

import numpy as np

import hpo_research as hpo
from hpo_research.analysis.curves import Curve, curve
from hpo_research.cli.loading import load

RECORD = Path(__file__).with_name("evidence.json")
EXPERIMENT = Path(__file__).parents[1] / "experiments" / "hyperband_on_digits.py"
EVERY = 10**9  # points of a curve: none is left out
PART_SEEDS = (0, 1)
PART_EVALUATIONS = 8
"""What `make test` runs again: the first evaluations of the first seeds."""


def epochs_to_reach(incumbents: Curve, target: float) -> list[float]:
    """Return for each seed the first cost at which its incumbent is at most the target."""
    reached = incumbents.values <= target
    return [
        float(incumbents.cost[np.argmax(row)]) if row.any() else float("inf") for row in reached
    ]


def at_cost(incumbents: Curve, cost: int) -> list[float]:
    """Return each seed's incumbent when it had spent this many epochs."""
    column = int(np.searchsorted(incumbents.cost, cost, side="right")) - 1
    return [float(value) for value in incumbents.values[:, column]]


def part(result: hpo.Result) -> dict[str, list[float]]:
    """Return the incumbents of the first seeds after the first evaluations, by strategy."""
    cost = PART_EVALUATIONS * 27
    return {
        name: at_cost(curve(result, "digits-mlp", name, points=EVERY), cost)[: len(PART_SEEDS)]
        for name in ("random", "hyperband")
    }


def claim(result: hpo.Result) -> dict[str, object]:
    """Measure the claim of `experiments/hyperband_on_digits.py`."""
    random = curve(result, "digits-mlp", "random", points=EVERY)
    hyperband = curve(result, "digits-mlp", "hyperband", points=EVERY)
    budget = 48 * 27
    target = float(np.median(at_cost(random, budget)))
    needed = epochs_to_reach(hyperband, target)
    return {
        "claim": "Over 30 paired seeds on digits-mlp (27 epochs, 48 evaluations a run) the median "
        "Hyperband run reaches random search's final median log loss in at most half its epochs.",
        "random_final_median_log_loss": target,
        "hyperband_final_median_log_loss": float(np.median(at_cost(hyperband, budget))),
        "epochs_of_random": budget,
        "hyperband_epochs_to_reach_it": [int(n) if np.isfinite(n) else None for n in needed],
        "hyperband_median_epochs": float(np.median(needed)),
        "share": float(np.median(needed)) / budget,
        "holds": bool(np.median(needed) <= budget / 2),
        "part": part(result),
    }


def main() -> int:
    """Run the claims, write the record, and return 0 where all hold."""
    result = hpo.run(load(EXPERIMENT), device="cpu")
    found = claim(result)
    # The store knows with what the numbers were made, in however many sittings.
    record = {"command": "make evidence", "claims": [found], "made_with": result.provenance}
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    print(f"recorded in {RECORD.relative_to(Path.cwd())}")
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
