"""Asking jobs to stop: a request in the folder, which the process reads at its next turn."""

import contextlib
import time
from pathlib import Path

from hpo_research.errors import StoreEmptyError
from hpo_research.sagemaker.client.refusals import Refusal
from hpo_research.store import RunName, Store, requests
from hpo_research.store.connection import FILE

REASON = "stopped by StopHyperParameterTuningJob"
_PATIENCE = 30.0  # seconds until the process of a new job has begun its run


def stop_run(folder: Path) -> None:
    """Ask for the end of a job. Raises `Refusal` where its process has not begun it."""
    requests.write(folder, requests.Request(_runs(folder), REASON))


def stop_trial(folder: Path, trial: int) -> None:
    """Ask for the end of one training job; the tuning job goes on."""
    requests.write(
        folder, requests.Request(_runs(folder), "stopped by StopTrainingJob", trials=(trial,))
    )


def _runs(folder: Path) -> tuple[RunName, ...]:
    by = time.monotonic() + _PATIENCE
    while time.monotonic() < by:
        if (folder / FILE).is_file():
            with contextlib.suppress(StoreEmptyError), Store.read(folder) as store:
                if runs := tuple(store.runs()):
                    return runs
        time.sleep(0.05)
    why = f"{folder.name}: its process has not begun within {_PATIENCE:g} seconds; see its folder"
    raise Refusal("ValidationException", why)
