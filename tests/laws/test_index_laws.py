"""What a strategy keeps of a run changes nothing: not after any history, in any order of asking."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.records import Run, Trial
from hpo_research.rows import Rows, forget
from hpo_research.space import Float, SearchSpace
from hpo_research.strategies.completion import Completion
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.early_discarding import EarlyDiscarding
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.random import Random
from hpo_research.strategies.stopping.curve import CurveStopping
from hpo_research.strategies.stopping.median import MedianStopping

SPACE = SearchSpace(x=Float(0, 1))
MOST = 9
STRATEGIES = {
    "promote": ASHA(eta=2),
    "stop": ASHA("stop", eta=2),
    "ray": ASHA("stop", eta=2, rule="ray"),
    "continual": ASHA("continual", eta=2),
    "asynchronous hyperband": AsynchronousHyperband(),
    "hyperband": Hyperband(),
    "successive halving": SuccessiveHalving(eta=2, candidates=3, min_epochs=2),
    "one rung": SuccessiveHalving(min_epochs=9),
    "early discarding": EarlyDiscarding(candidates=2, top=1),
    "median sagemaker": MedianStopping(Random(), min_trials=1),
    "median vizier": MedianStopping(Random(), "vizier", min_trials=1),
    "median syne-tune": MedianStopping(Random(), "syne-tune", min_trials=1),
    "target": Completion(Random(), target=0),
    "final target": Completion(Random(), target=0, final_only=True),
    "not improving": Completion(Random(), not_improving=2, improvement=0.1),
    "curves": CurveStopping(Random(), threshold=0.4, min_epochs=1, min_trials=1),
}

steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "report", "report", "pause", "resume", "end", "stop", "fail"]),
        st.integers(0, 30),
        st.integers(1, MOST),
        st.integers(0, 3),
    ),
    min_size=5,
    max_size=40,
)


def changed(trial: Trial, step: str, epochs: int, level: int, came: int) -> Trial | None:
    """What becomes of a trial, None where this cannot become of it."""
    if step == "resume":
        is_open = trial.status == "paused" and trial.until < MOST
        until = min(trial.until + epochs, MOST)
        return replace(trial, status="running", until=until) if is_open else None
    if not trial.is_running:
        return None
    if step == "stop":
        return replace(trial, status="stopped")
    if step == "fail":
        return replace(trial, status="failed", value=None)
    epoch = trial.until if step in ("pause", "end") else min(trial.reached + epochs, trial.until)
    if epoch > trial.reached:
        value = level / 3
        trial = replace(
            trial,
            epochs=(*trial.epochs, epoch),
            values=(*trial.values, value),
            arrivals=(*trial.arrivals, came),
            value=value,
        )
    if epoch < trial.until:
        return trial
    return replace(trial, status="finished" if trial.until == MOST else "paused")


def history(steps) -> list[Rows[Trial]]:
    """The trials of a run after each step, each sharing with those before it."""
    rows: Rows[Trial] = Rows()
    every = []
    for came, (step, number, epochs, level) in enumerate(steps):
        if step == "start" or not rows:
            until = (1, 3, MOST)[level % 3]
            rows = rows.changed({}, [Trial(len(rows), {"x": number / 30}, "running", until)])
        else:
            trial = rows[number % len(rows)]
            new = changed(trial, step, epochs, level, came)
            rows = rows if new is None else rows.changed({trial.id: new})
        every.append(rows)
    return every


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
@settings(max_examples=8, deadline=None)
@given(
    steps=steps,
    slots=st.sampled_from([0, 1, 4]),
    direction=st.sampled_from(["minimize", "maximize"]),
    random=st.randoms(use_true_random=False),
)
def test_what_is_kept_changes_nothing(strategy, steps, slots, direction, random):
    """Forward, back to older runs and forward again; cleared now and then; beside a branch."""
    every = history(steps)
    branch = every[len(every) // 2].changed(
        {}, [Trial(len(every[len(every) // 2]), {}, "running", 1)]
    )
    seen = [*every, branch, *random.sample(every, len(every) // 4), every[-1]]
    for rows in seen:
        run = Run(SPACE, direction=direction, max_epochs=MOST, trials=rows)
        if random.random() < 0.1:
            forget(rows)
        clean = replace(run, trials=tuple(rows))
        assert strategy.ask([run], [slots]) == strategy.ask([clean], [slots])
        assert run.running == clean.running
        known = [(run.sign * trial.value, trial.id) for trial in rows if trial.value is not None]
        assert run.best() == clean.best() == (rows[min(known)[1]] if known else None)
        values = [math.nan if trial.value is None else trial.value for trial in rows]
        np.testing.assert_array_equal(run.values, values)
        np.testing.assert_array_equal(run.losses, run.sign * np.array(values))
