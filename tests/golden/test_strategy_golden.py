"""Golden runs of the strategies without a model: every trial and every proposal, exactly.

`python tests/golden/test_strategy_golden.py` from the repository root writes the file anew; a
commit that does so says "new numbers" and why. The space keeps to arithmetic that is the same on
every processor: no float on a log scale.
"""

import json
from pathlib import Path

import pytest

from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.grid import Grid
from hpo_research.strategies.halving.asha import ASHA, AsynchronousHyperband
from hpo_research.strategies.halving.early_discarding import EarlyDiscarding
from hpo_research.strategies.halving.hyperband import Hyperband
from hpo_research.strategies.halving.successive_halving import SuccessiveHalving
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.random import Random
from tests.strategies.simulated import Loop

FILE = Path(__file__).with_name("strategies.json")
STRATEGIES: dict[str, Strategy] = {
    "grid fit": Grid("fit"),
    "grid points": Grid({"x": 3, "width": [8, 32], "dropout": 2}),
    "random uniform": Random(),
    "random sobol": Random("sobol"),
    "hyperband ceil": Hyperband(),
    "hyperband floor": Hyperband(rounding="floor"),
    "hyperband sobol": Hyperband(eta=2, inner=Random("sobol")),
    "successive halving": SuccessiveHalving(),
    "early discarding": EarlyDiscarding(candidates=8, top=2),
    "asha": ASHA(),
    "asynchronous hyperband": AsynchronousHyperband(),
}
SPACE = SearchSpace(
    x=Float(-1.0, 3.0),
    width=Integer(4, 64, scale="log"),
    dropout=Float(0.0, 0.5, step=0.125),
    activation=Categorical(("relu", "gelu", "silu")),
)


def curve(trial: Trial, epoch: int) -> float | None:
    """Rational in the configuration and the epoch; one kind of network diverges."""
    config = trial.config
    if config["activation"] == "silu" and config["x"] > 2 and epoch > 1:
        return None
    return (config["x"] - 1) ** 2 + config["width"] / 64 / epoch + config["dropout"]


def played(strategy: Strategy) -> dict[str, object]:
    run = Run(SPACE, max_epochs=9, seed=20, total=40)
    done = Loop(parallel=4, trials=24).drive(strategy, run, curve)
    proposals = [[p.kind, p.trial, p.until, p.origin] for ask in done.asks for p in ask.proposals]
    trials = [[t.config, t.status, t.reached, t.value] for t in done.trials]
    return {"proposals": proposals, "trials": trials, "notes": [dict(a.notes) for a in done.asks]}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_run_equals_its_golden_record(name):
    golden = json.loads(FILE.read_text())
    assert json.loads(json.dumps(played(STRATEGIES[name]))) == golden[name]


def test_every_golden_record_is_played():
    assert set(json.loads(FILE.read_text())) == set(STRATEGIES)


if __name__ == "__main__":
    records = {name: played(strategy) for name, strategy in STRATEGIES.items()}
    FILE.write_text(json.dumps(records, indent=None, separators=(",", ":")).replace("]],", "]],\n"))
