"""Marks beside values: of the strategies that lead, by the test that `analysis.leaders` made."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpo_research.analysis.leaders import Leaders, Mark


def mark(led: Mapping[str, Leaders], problem: str, strategy: str) -> Mark:
    """Return the mark of a strategy on a problem, none where nothing was tested."""
    return led[problem].mark(strategy) if problem in led else ""


def with_tests(frame: pd.DataFrame, led: Mapping[str, Leaders], of: str = "") -> pd.DataFrame:
    """Return a frame of problems and strategies with each one's mark and p against the best.

    The columns are `mark` and `p_best`, and begin with `of` where it is given.
    """
    pairs = list(zip(frame["problem"], frame["strategy"], strict=True))
    p = [led[key].p.get(name, np.nan) if key in led else np.nan for key, name in pairs]
    before = f"{of}_" if of else ""
    found = frame.copy()
    found[f"{before}mark"] = [mark(led, *pair) for pair in pairs]
    found[f"{before}p_best"] = p
    return found
