"""A problem and a strategy made for tests: every rule of the loop shows in their numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpo_research import heavy
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Ask, Direction, Report, Run, Segment, start, stop
from hpo_research.space import Categorical, Float, SearchSpace

SPACE = SearchSpace(x=Float(0, 1), kind=Categorical(["a", "b", "c"]))


@dataclass(frozen=True)
class Walk:
    """A value that walks from epoch to epoch: it cannot be right unless the state was.

    Some configurations fail: `kind="c"` with x above `fails_above` reports NaN at epoch 2.
    """

    name: str = "walk"
    max_epochs: int = 9
    can_resume: bool = True
    direction: Direction = "minimize"
    fails_above: float = 0.7
    metric: str = "loss"
    space: SearchSpace = field(default=SPACE)
    optimum: float | None = None
    has_recorded_seconds: bool = True

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        live = {s.key: (s, self._begin(s)) for s in segments}
        epochs = {s.key: s.start for s in segments}
        while live:
            reports = []
            for key, (segment, state) in live.items():
                epochs[key] += 1
                step = segment.stream.at("step", epochs[key]).uniform(1, like=state)
                state = state * 0.9 + step * float(segment.config["x"])
                live[key] = (segment, state)
                reports.append(self._report(segment, epochs[key], state))
            dropped = yield reports
            for key in dropped or ():
                live.pop(key, None)
            live = {k: v for k, v in live.items() if epochs[k] < v[0].until}

    def _begin(self, segment: Segment) -> "heavy.torch.Tensor":
        if segment.state is None:
            assert segment.start == 0
            return heavy.torch.ones(1, dtype=heavy.torch.float64)
        return segment.state["value"]

    def _report(self, segment: Segment, epoch: int, state: "heavy.torch.Tensor") -> Report:
        value = float(state)
        if segment.config["kind"] == "c" and segment.config["x"] > self.fails_above and epoch == 2:
            value = float("nan")
        return Report(
            *segment.key,
            epoch,
            {self.metric: value, "double": 2 * value},
            seconds=0.5 + float(segment.config["x"]),
            state=lambda: {"value": state.clone()},
        )


@dataclass(frozen=True)
class Halving:
    """Starts uniform draws and stops a trial that is worse than the mean at epoch `rung`."""

    rung: int = 3

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        return [self._ask(run, free) for run, free in zip(runs, slots, strict=True)]

    def _ask(self, run: Run, free: int) -> Ask:
        known = [v for t in run.trials if (v := t.value_at(self.rung)) is not None]
        stops = [
            stop(t.id)
            for t in run.running
            if t.reached == self.rung and t.values[-1] > sum(known) / len(known)
        ]
        n = len(run.trials)
        draws = [
            run.stream.at("uniform", n + i).generator().random((1, run.space.dimension))
            for i in range(free)
        ]
        starts = [start(run.space.from_uniform(u)[0], run.max_epochs, "halving") for u in draws]
        return Ask((*stops, *starts), {"mean": sum(known) / len(known)} if known else {})


def label(value: object) -> str:
    """A short name of a parameter, the same in every process: without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))[:40]
