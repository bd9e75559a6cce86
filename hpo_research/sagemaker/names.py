"""Names of training jobs: the tuning job's, a number of three digits or more, eight hex digits.

The number is the trial's, counted from 1. The digits come from the run's seed and the trial alone,
so that a name is the same whoever makes it, and nobody has to store it.
"""

import re

from hpo_research.rng import Stream

_JOB = re.compile(r"(.+)-([0-9]{3,})-([0-9a-f]{8})", re.DOTALL)


def training_job(tuning_job: str, seed: int, trial: int) -> str:
    """Return the name of a trial's training job: at most 63 characters where the job's has 32."""
    digits = Stream(seed).at("training job", trial).integer() & 0xFFFF_FFFF
    return f"{tuning_job}-{trial + 1:03d}-{digits:08x}"


def parts(name: str) -> tuple[str, int] | None:
    """Return the tuning job and the trial that a name speaks of, None where it is no such name.

    Whether there is such a job its tuning job's store alone can tell: `training_job` with the seed
    of its run gives the name back, or does not.
    """
    found = _JOB.fullmatch(name)
    if found is None or int(found[2]) < 1 or found[2] != f"{int(found[2]):03d}":
        return None
    return found[1], int(found[2]) - 1


def trial_of(name: str, tuning_job: str, seed: int) -> int | None:
    """Return the trial whose training job has a name, in a run; None where none has."""
    found = parts(name)
    if found is None or training_job(tuning_job, seed, found[1]) != name:
        return None
    return found[1]
