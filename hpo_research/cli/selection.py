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


def among(experiments: Sequence[Experiment], names: Sequence[str]) -> list[Experiment]:
    """Keep the named experiments, strategies and problems; of a kind that is not named, keep all.

    An experiment that has none of the named problems, or none of the named strategies, is left out.
    Raises `ExperimentError` for a name that is none of them, or where nothing is left.
    """
    problems = list(dict.fromkeys(p.name for own in experiments for p in own.problems))
    strategies = list(dict.fromkeys(name for own in experiments for name in own.strategies))
    titles = [own.name for own in experiments] if len(experiments) > 1 else []
    for name in names:
        if name not in (*problems, *strategies, *titles):
            several = f"an experiment ({', '.join(titles)}), " if titles else ""
            raise ExperimentError(
                f"--only {name}: expected {several}a problem ({', '.join(problems)}) or a strategy "
                f"({', '.join(strategies)})"
            )
    chosen = [own for own in experiments if own.name in names] if titles else []
    kept = []
    for own in chosen or experiments:
        named_problems = [p for p in own.problems if p.name in names]
        named = {name: s for name, s in own.strategies.items() if name in names}
        is_left_out = (not named_problems and any(name in problems for name in names)) or (
            not named and any(name in strategies for name in names)
        )
        if not is_left_out:
            kept.append(
                replace(
                    own,
                    problems=named_problems or own.problems,
                    strategies=named or own.strategies,
                )
            )
    if not kept:
        raise ExperimentError(f"--only {', '.join(names)}: no experiment has all of these")
    return kept
