"""What Syne Tune and Ray decide at the rungs of ASHA: recorded, one package at a time.

    python -m venv syne && syne/bin/pip install "syne-tune==0.16.0"
    syne/bin/python tests/strategies/oracles/record_asha.py syne-tune
    python -m venv ray && ray/bin/pip install "ray[tune]==2.60.0"
    ray/bin/python tests/strategies/oracles/record_asha.py ray

It reads `asha.json` beside it, reports what stands there to the package's own scheduler, in that
order, and writes back what it answered and where its rungs lie: a letter an event, `g` to go on,
`s` to stop, `-` where the trial was stopped before. The events of the first rung, 301 reports of
one epoch, were given; `draw` draws the others anew. A trial that failed is one that reports no
more.
"""

import json
import random
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np

PATH = Path(__file__).with_name("asha.json")


def drawn() -> list[dict]:
    """Return scenarios in which trials report in any order, by one epoch or by several at once."""
    scenarios = []
    for number, (eta, most, least, skips, levels, direction, sizes) in enumerate(
        [
            (3, 27, 1, 1, 1000, "minimize", (1,)),
            (3, 30, 1, 1, 1000, "maximize", (1,)),
            (2, 17, 1, 1, 1000, "minimize", (1,)),
            (4, 40, 2, 1, 1000, "minimize", (1,)),
            (3, 28, 1, 1, 6, "minimize", (1,)),
            (2, 16, 3, 1, 5, "maximize", (1,)),
            (3, 81, 1, 7, 1000, "minimize", (1,)),
            (2, 33, 1, 5, 8, "minimize", (1,)),
            (3, 30, 1, 6, 1000, "minimize", (27, 12, 6, 4)),
            (2, 9, 1, 3, 9, "maximize", (8, 6, 4, 4)),
        ]
    ):
        draws = random.Random(number)
        trials = 14 if sizes == (1,) else 2 * sum(sizes)
        reached, events = [0] * trials, []
        ends = [draws.choice([most, most, most, draws.randint(1, most)]) for _ in range(trials)]
        while any(r < e for r, e in zip(reached, ends, strict=True)):
            trial = draws.choice([t for t in range(trials) if reached[t] < ends[t]])
            reached[trial] = min(reached[trial] + draws.randint(1, skips), ends[trial])
            if reached[trial] < most:  # the last report ends a trial, whatever it says
                events.append([trial, reached[trial], draws.randrange(levels) / levels])
        facts = {"eta": eta, "max_epochs": most, "min_epochs": least, "direction": direction}
        places = [bracket for bracket, size in enumerate(sizes) for _ in range(size)]
        facts |= {"brackets": len(sizes), "bracket_of": (places * trials)[:trials]}
        scenarios.append({**facts, "trials": trials, "events": events})
    return scenarios


class Syne:
    """The scheduler of Syne Tune."""

    def __init__(self, scenario: dict) -> None:
        from syne_tune.config_space import uniform
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        self.scheduler = AsynchronousSuccessiveHalving(
            {"x": uniform(0, 1)},
            "loss",
            do_minimize=scenario["direction"] == "minimize",
            time_attr="epoch",
            max_t=scenario["max_epochs"],
            grace_period=scenario["min_epochs"],
            reduction_factor=scenario["eta"],
            brackets=scenario["brackets"],
            random_seed=0,
        )
        self.brackets = self.scheduler.brackets
        self.rungs = [[epochs for epochs, _ in bracket.rungs] for bracket in self.brackets]

    def add(self, trial: int, bracket: int) -> SimpleNamespace:
        made = SimpleNamespace(trial_id=trial, config={"x": 0.5})
        self.scheduler.on_trial_add(made)
        self.scheduler.trial_info[trial] = self.brackets[bracket]
        return made

    def goes_on(self, trial: SimpleNamespace, epoch: int, loss: float) -> bool:
        decision = self.scheduler.on_trial_result(trial, {"loss": loss, "epoch": epoch})
        return {"CONTINUE": True, "STOP": False}[str(decision)]


class Ray:
    """The scheduler of Ray Tune."""

    def __init__(self, scenario: dict) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler

        self.scheduler = AsyncHyperBandScheduler(
            "epoch",
            "loss",
            {"minimize": "min", "maximize": "max"}[scenario["direction"]],
            max_t=scenario["max_epochs"],
            grace_period=scenario["min_epochs"],
            reduction_factor=scenario["eta"],
            brackets=scenario["brackets"],
        )
        self.brackets = self.scheduler._brackets
        self.rungs = [[epochs for epochs, _ in bracket._rungs] for bracket in self.brackets]

    def add(self, trial: int, bracket: int) -> SimpleNamespace:
        made = SimpleNamespace(trial_id=str(trial))
        self.scheduler.on_trial_add(None, made)
        self.scheduler._trial_info[str(trial)] = self.brackets[bracket]
        return made

    def goes_on(self, trial: SimpleNamespace, epoch: int, loss: float) -> bool:
        result = {"loss": loss, "epoch": epoch}
        return {"CONTINUE": True, "STOP": False}[
            self.scheduler.on_trial_result(None, trial, result)
        ]


def answered(scheduler: Syne | Ray, scenario: dict) -> str:
    """Report a scenario's events and return the letters of its decisions."""
    of = scenario.get("bracket_of") or [0] * scenario["trials"]
    trials = [scheduler.add(trial, of[trial]) for trial in range(scenario["trials"])]
    stopped: set[int] = set()
    letters = ""
    for number, epoch, loss in scenario["events"]:
        if number in stopped:
            letters += "-"
        elif scheduler.goes_on(trials[number], epoch, loss):
            letters += "g"
        else:
            letters += "s"
            stopped.add(number)
    return letters


def main(package: str) -> None:
    """Draw, or record what a package answers."""
    known = json.loads(PATH.read_text())
    if package == "draw":
        given = [scenario for scenario in known["scenarios"] if scenario.get("given")]
        known["scenarios"] = [*given, *drawn()]
    else:
        name = {"syne-tune": "syne-tune", "ray": "ray"}[package]
        made = {"syne-tune": Syne, "ray": Ray}[package]
        known["versions"][package] = f"{name} {version(name)}, NumPy {np.__version__}"
        for scenario in known["scenarios"]:
            scheduler = made(scenario)
            scenario[package] = answered(scheduler, scenario)
            scenario[f"{package} rungs"] = scheduler.rungs
    rows = ",\n".join(
        json.dumps(scenario, separators=(",", ":")) for scenario in known["scenarios"]
    )
    versions = json.dumps(known["versions"])
    PATH.write_text(f'{{"versions": {versions}, "scenarios": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
