"""What part of an experiment a command is about: seeds, and names of problems or strategies."""

import re
from collections.abc import Sequence
from dataclasses import replace

from hpo_research.errors import ExperimentError
from hpo_research.experiment import Experiment


def seeds(text: str) -> list[int]:
    """Read seeds: `5` is one, `0,3,5` are three, `0:10` are 0 to 9; they may be mixed.

    Raises `ExperimentError`.
    """
    chosen: list[int] = []
    for part in text.split(","):
        named = re.fullmatch(r"\s*(\d+)\s*(?::\s*(\d+)\s*)?", part)
        if named is None:
            raise ExperimentError(
                f"{text!r}: expected seeds such as 5, or 0,3,5, or 0:10 (which is 0 to 9)"
            )
        first = int(named[1])
        last = first + 1 if named[2] is None else int(named[2])
        if last <= first:
            raise ExperimentError(f"{text!r}: {part.strip()} contains no seed; the end is excluded")
        chosen += range(first, last)
    return list(dict.fromkeys(chosen))


def only(experiment: Experiment, names: Sequence[str]) -> Experiment:
    """Keep the named strategies and problems; of a kind that is not named, keep all.

    Raises `ExperimentError` for a name that is neither.
    """
    problems = [problem.name for problem in experiment.problems]
    strategies = list(experiment.strategies)
    for name in names:
        if name not in (*problems, *strategies):
            raise ExperimentError(
                f"--only {name}: expected a problem ({', '.join(problems)}) or a strategy "
                f"({', '.join(strategies)})"
            )
    named_problems = [p for p in experiment.problems if p.name in names]
    named_strategies = {n: s for n, s in experiment.strategies.items() if n in names}
    return replace(
        experiment,
        problems=named_problems or experiment.problems,
        strategies=named_strategies or experiment.strategies,
    )
