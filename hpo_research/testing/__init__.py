"""The laws of strategies, problems and executors, to hold your own to: one line each.

`check_strategy(Mine())`, `check_problem(mine)` and `check_executor(Mine)` raise `LawError` with a
line for each law that is broken. They need no test runner; in one, each is a test.
"""

from hpo_research.testing.executors import check_executor
from hpo_research.testing.laws import LawError
from hpo_research.testing.problems import check_problem
from hpo_research.testing.strategies import check_strategy

__all__ = ["LawError", "check_executor", "check_problem", "check_strategy"]
