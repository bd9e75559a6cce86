"""What scores are measured between: a simple start, and the best that is possible or known.

The stored ones come with the package, as `python -m benchmarks.baselines` writes them. They belong
to a problem by its identity, as a store holds it: its class and all of its fields but the name.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from hpo_research.errors import StoreError
from hpo_research.records import Direction, sign

Scale = Literal["linear", "log"]

PLACE = Path(__file__).parent / "baselines.json"
"""Where the stored ones lie."""

LEAST_TARGET, GREATEST_TARGET = 1e-8, 1e2
TARGETS = tuple(float(10 ** (2 - k / 5)) for k in range(51))
"""COCO's targets for the regret, 51 from 100 to 10⁻⁸, evenly spaced on a logarithmic axis."""


@dataclass(frozen=True)
class Baseline:
    """The two values of a metric between which a score lies.

    `start` scores 0: the mean over 50 repeats of the best of 5 Sobol points; on the scale `log` it
    is the value whose regret is the geometric mean of theirs. `best` scores 100: the optimum, or
    where that is unknown (`is_optimum` False) the best value found when baselines were measured.
    """

    problem: str
    direction: Direction
    start: float
    best: float
    is_optimum: bool
    scale: Scale

    def score(self, value: float) -> float:
        """Return the score of a value, NaN for NaN, and where the start is the best already.

        It is below 0 where the value is worse than the start, and above 100 where it is better
        than the best known. On the scale `log` it is 100 (ln r₀ − ln r) / (ln r₀ − ln 10⁻⁸), where
        r is the regret, of the start r₀: COCO's hardest target and what is below it scores 100.
        """
        flip = sign(self.direction)
        least = LEAST_TARGET if self.scale == "log" else 0.0
        if flip * (self.start - self.best) <= least:
            return math.nan
        if self.scale == "linear":
            return 100 * (self.start - value) / (self.start - self.best)
        regret = flip * (value - self.best)
        if math.isnan(regret):
            return math.nan
        first = math.log(flip * (self.start - self.best) / LEAST_TARGET)
        return 100 * (1 - math.log(max(regret, LEAST_TARGET) / LEAST_TARGET) / first)

    def targets(self, value: float) -> float:
        """Return the share of COCO's targets that a value reaches, NaN for NaN."""
        regret = sign(self.direction) * (value - self.best)
        if math.isnan(regret):
            return math.nan
        return sum(regret <= target for target in TARGETS) / len(TARGETS)


def key_of(described: Any) -> str:
    """Return what tells a problem apart from others by its description, whatever its name."""
    own = {name: part for name, part in described.items() if name != "name"}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def stored() -> Mapping[str, Baseline]:
    """Return the baselines that come with the package, by key. Raises `StoreError`."""
    try:
        found = json.loads(PLACE.read_text(encoding="utf-8"))
        return {key: Baseline(**own) for key, own in found.items()}
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{PLACE}: the stored baselines cannot be read: {error}") from error


def written(baselines: Mapping[str, Baseline]) -> str:
    """Return baselines as the text of a file, a line each, in the order of their problems."""
    by_name = sorted(baselines.items(), key=lambda pair: (pair[1].problem, pair[0]))
    lines = [f"{json.dumps(key)}: {json.dumps(asdict(own))}" for key, own in by_name]
    return "{\n" + ",\n".join(lines) + "\n}\n"
