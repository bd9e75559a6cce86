"""Functions that laws train in worker processes, in a module that is quick to load there."""

import os
import time
from contextlib import suppress

from hpo_research.errors import ProblemError

LENGTHS = {"a": 2, "b": 4, "c": 1}
"""Where trials of open length end, by kind."""


def is_gap(epoch, x):
    """Whether a value is missing: at even epochs, and with x > 0.5 at the last of five."""
    return epoch % 2 == 0 or (epoch == 5 and x > 0.5)


def own_x(config):
    """The hyperparameter itself."""
    return config["x"]


def steps(config, report):
    """A function that is slow to return when it is told to, and says when it is alive."""
    with open(os.environ["HPO_LAWS"], "a") as file:
        file.write(f"{time.monotonic()} 1\n")
    for epoch in range(report.start + 1, report.until + 1):
        if not report(epoch, config["x"] + 1 / epoch):
            time.sleep(0.05)
            break
    with open(os.environ["HPO_LAWS"], "a") as file:
        file.write(f"{time.monotonic()} -1\n")


def gappy(config, report):
    """Misses values, in different ways."""
    for epoch in range(report.start + 1, report.until + 1):
        value = config["x"] + 1 / epoch
        if is_gap(epoch, config["x"]):
            value = (None, float("inf"), {"double": 1.0})[epoch // 2 % 3]
        if not report(epoch, value):
            return


def endless(config, report):
    """Ends by itself; with x > 0.5 the last value of kind "b" is missing."""
    for epoch in range(report.start + 1, report.until + 1):
        value = float("nan") if epoch == 4 and config["x"] > 0.5 else config["x"] + 1 / epoch
        if not report(epoch, value) or epoch == LENGTHS[config["kind"]]:
            return


def marked(config, report):
    """A function whose values tell in which session they were computed; it keeps its epochs."""
    with open(os.environ["HPO_LAWS"] + ".sitting") as file:
        session = int(file.read())
    for epoch in range(report.start + 1, report.until + 1):
        with suppress(ProblemError):  # where it can resume
            (report.folder / "epoch").write_text(str(epoch))
        if not report(epoch, 10 * session + config["x"] / epoch):
            return


def any_of_them(config, report):
    """The one that the laws are about now: a pool of processes serves them all."""
    with open(os.environ["HPO_LAWS"] + ".function") as file:
        return globals()[file.read()](config, report)
