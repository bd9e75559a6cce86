"""Execution in worker processes: the user's own code, where nothing it does can hurt the rest."""

import contextlib
import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory

from hpo_research.executors import processes
from hpo_research.executors.messages import (
    Alive,
    Answer,
    Born,
    Died,
    Ended,
    Orders,
    Ready,
    Said,
    Work,
    receive,
    send,
)
from hpo_research.executors.nursery import Nursery
from hpo_research.executors.pickling import dumps
from hpo_research.executors.processes import ProcessId
from hpo_research.executors.protocol import Poll
from hpo_research.problems.function import FunctionProblem
from hpo_research.problems.protocol import Problem
from hpo_research.problems.reporting import PATIENCE
from hpo_research.records import Key, Outcome, Report, Segment

PARKED = 64
"""How many trials may wait in a report in lock-step, each with its process."""
