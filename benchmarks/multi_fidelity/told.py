"""A search of another package as a strategy: a process, told all and asked for every slot."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.multi_fidelity.snapped import coordinates
from hpo_research.errors import StrategyError
from hpo_research.records import Ask, Proposal, Run, Trial, resume, start
from hpo_research.space import Categorical, Config, SearchSpace

CHILDREN = Path(__file__).with_name("children")


class Child:
    """A process that speaks `children/exchange.py`, and what it has been told of each run."""

    def __init__(self, python: Path, script: Path, *arguments: str) -> None:
        self.name = " ".join((script.stem, *arguments))
        self.versions: Mapping[str, str] = {}
        self._process = subprocess.Popen(
            [python, script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._runs: dict[int, _Told] = {}

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def asked(self, run: Run, slots: int) -> Ask:
        """Tell what has come since, and ask for so many trials."""
        if run.id not in self._runs:
            self._runs[run.id] = _Told(run.space)
            words = {"axes": _axes(run.space), "seed": run.seed, "epochs": run.max_epochs}
            self.versions = self._say(run, "begin", **words)
        told = self._runs[run.id]
        for trial in run.trials:
            self._tell(run, told, trial)
        proposals: list[Proposal] = []
        while len(proposals) < slots:
            answer = self._say(run, "ask")
            if answer is None:
                break
            proposals.append(told.proposal(run, answer))
        if not proposals and slots and not run.running:
            raise StrategyError(f"{self.name}: asked for nothing, though nothing is running")
        return Ask(tuple(proposals))

    def _tell(self, run: Run, told: "_Told", trial: Trial) -> None:
        known = told.reached[trial.id]
        if trial.is_running or (trial.reached == known and trial.status != "failed"):
            return
        new = [k for k, epoch in enumerate(trial.epochs) if epoch > known]
        epochs: list[int] = [trial.epochs[k] for k in new]
        losses: list[float | None] = [run.sign * trial.values[k] for k in new]
        if trial.status == "failed":
            if trial.id in told.failed:
                return
            told.failed.add(trial.id)
            epochs, losses = [*epochs, trial.reached + 1], [*losses, None]
        told.reached[trial.id] = trial.reached
        self._say(run, "tell", trial=trial.id, epochs=epochs, losses=losses)

    def _say(self, run: Run, do: str, **words: object) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"run": run.id, "do": do, **words}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise StrategyError(
                f"{self.name}: ended with {self._process.wait()} when it was to {do}; what it said "
                "stands above"
            )
        return json.loads(line)


class _Told:
    """How far a child knows each trial of a run, which have failed, and which rows are left."""

    def __init__(self, space: SearchSpace) -> None:
        self._box = SearchSpace(space.parameters)
        self._among = list(space.among or ())
        self._rows = coordinates(space, self._among) if self._among else None
        self.reached: dict[int, int] = {}
        self.failed: set[int] = set()

    def proposal(self, run: Run, answer: Mapping[str, Any]) -> Proposal:
        """Return what a child's answer proposes; its new trials are numbered as the run's."""
        trial, until = answer["trial"], answer["until"]
        if trial in self.reached:
            return resume(trial, until)
        if trial != len(self.reached):
            raise StrategyError(f"expected a new trial {len(self.reached)}, got {trial}")
        self.reached[trial] = 0
        return start(self._config(answer["point"]), until, "rival")

    def _config(self, point: Sequence[float]) -> Config:
        """Return the configuration at a point, in a list the nearest that is left."""
        row = [
            (value + 0.5) / parameter.size if isinstance(parameter, Categorical) else value
            for value, parameter in zip(point, self._box.parameters.values(), strict=True)
        ]
        (config,) = self._box.decode(np.array([row], dtype=float))
        if self._rows is None:
            return config
        distances = ((self._rows - coordinates(self._box, [config])) ** 2).sum(axis=1)
        place = int(distances.argmin())
        self._rows[place] = np.inf
        return self._among[place]


@dataclass(frozen=True)
class Told:
    """A child as a strategy, for one session: what the child knows is in no store."""

    name: str
    child: Child = field(metadata={"identity": False}, compare=False)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Fill the slots of each run."""
        pairs = zip(runs, slots, strict=True)
        return [self.child.asked(run, free) if free > 0 else Ask() for run, free in pairs]


def _axes(space: SearchSpace) -> list[dict[str, object]]:
    """Say what a child's axes are: our own scales are applied here, for all alike."""
    found: list[dict[str, object]] = []
    for parameter in space.parameters.values():
        if isinstance(parameter, Categorical):
            kind = "ordered" if parameter.ordered else "choice"
            found.append({"kind": kind, "size": parameter.size})
        else:
            found.append({"kind": "unit"})
    return found
