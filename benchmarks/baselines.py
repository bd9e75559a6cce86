"""Measure the baselines of every suite and write them into the package: what scores lie between.

    python -m benchmarks.baselines            all suites but those of trained networks
    python -m benchmarks.baselines bbob-5d    those named alone; others are kept
    python -m benchmarks.baselines models --problems svm-wine mlp-wine    of a suite, these problems

BBOB's noiseless functions have fifteen instances each, as many as COCO runs.
"""

import argparse
import math
import re
from collections.abc import Iterator

from hpo_research.analysis.baselines import PLACE, Baseline, Scale, stored, written
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.records import Segment, best_value
from hpo_research.rng import Stream
from hpo_research.strategies.sobol import sobol
from hpo_research.suites.catalog import suite, suites
from hpo_research.suites.measured import key, measured
from hpo_research.suites.suite import Suite

INSTANCES = range(1, 16)
SEARCHED, BATCH = 256, 64
TRAINED = {"classifiers", "models"}  # an hour of a core each
PROTOCOLS = {"hpobench", "hpolib", "nasbench201"}


def variants(name: str) -> Iterator[Suite]:
    """Yield a suite, and what else of it is worth scores."""
    if re.fullmatch(r"bbob-\d+d", name):
        yield suite(name, instances=INSTANCES)
    else:
        yield suite(name)
    if name in PROTOCOLS:
        yield suite(name, protocol="one seed")


def best_known(problem: Problem) -> float | None:
    """Return the best last value of so many Sobol points, where the optimum is unknown."""
    if problem.optimum is not None:
        return None
    cube = sobol(Stream(0), problem.space.dimension, first=0, count=SEARCHED)
    last = last_epoch(problem.max_epochs)
    segments = [
        Segment(0, i, config, last, Stream(0).at("trial", i))
        for i, config in enumerate(problem.space.from_uniform(cube))
    ]
    seen = []
    for i in range(0, SEARCHED, BATCH):
        for reports in problem.evaluate(segments[i : i + BATCH]):
            seen += [r.metrics.get(problem.metric, math.nan) for r in reports if r.epoch == last]
    return best_value([v for v in seen if math.isfinite(v)], problem.direction)


def baseline(problem: Problem, scale: Scale) -> Baseline:
    return measured(problem, scale, best_known(problem))


def main() -> None:
    names = [own.name for own in suites()]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="SUITE")
    parser.add_argument("--problems", nargs="*", metavar="PROBLEM", help="of suites, only these")
    options = parser.parse_args()
    found: dict[str, Baseline] = dict(stored()) if PLACE.exists() else {}
    for name in options.names or [own for own in names if own not in TRAINED]:
        for own in variants(name):
            for problem in own:
                if options.problems and problem.name not in options.problems:
                    continue
                found[key(problem)] = baseline(problem, own.scale)
                if name in TRAINED:
                    print(problem.name, flush=True)
                    PLACE.write_text(written(found), encoding="utf-8")
        print(f"{name}: {len(found)} baselines in all", flush=True)
        PLACE.write_text(written(found), encoding="utf-8")


if __name__ == "__main__":
    main()
