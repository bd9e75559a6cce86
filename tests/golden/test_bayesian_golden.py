"""Golden run of the Gaussian-process strategy: its first model-based ask, to 1e-6.

`python tests/golden/test_bayesian_golden.py` from the repository root writes the file anew; a
commit that does so says "new numbers" and why.
"""

import json
import math
from pathlib import Path

import pytest

from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.strategies.bayesian import Bayesian

FILE = Path(__file__).with_name("bayesian.json")
SPACE = SearchSpace(
    x=Float(-1.0, 3.0),
    rate=Float(1e-4, 1.0, scale="log"),
    width=Integer(4, 64, scale="log"),
    activation=Categorical(("relu", "gelu", "silu")),
)
STRATEGIES = {
    "qlogei": Bayesian(),
    "ucb, standardised": Bayesian(acquisition="ucb", model="rbf", transform="standardise"),
}


def value(config: dict) -> float:
    """Smooth in the numbers, with a jump between activations; 20 at the worst, 0.1 at best."""
    level = {"relu": 0.1, "gelu": 0.3, "silu": 1.0}[config["activation"]]
    return (config["x"] - 1) ** 2 + (math.log10(config["rate"]) + 2) ** 2 + level


def asked(strategy: Bayesian) -> dict[str, object]:
    """The ask after twelve Sobol trials, of which one failed and one still runs."""
    run = Run(SPACE, seed=20)
    (design,) = Bayesian(initial=12, design="sobol").ask([run], [12])
    trials = []
    for number, proposal in enumerate(design.proposals):
        status = {4: "failed", 9: "running"}.get(number, "finished")
        loss = value(proposal.config) if status == "finished" else None
        trials.append(Trial(number, proposal.config, status, 1, value=loss))
    (ask,) = strategy.ask([Run(SPACE, seed=20, trials=tuple(trials))], [3])
    return {"configs": [p.config for p in ask.proposals], "notes": dict(ask.notes)}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_first_ask_of_a_model_equals_its_golden_record(name):
    golden, found = json.loads(FILE.read_text())[name], asked(STRATEGIES[name])
    for expected, config in zip(golden["configs"], found["configs"], strict=True):
        assert config == pytest.approx(expected, abs=1e-6)
    assert found["notes"].keys() == golden["notes"].keys()
    for key, note in golden["notes"].items():
        same = note if isinstance(note, str) else pytest.approx(note, rel=1e-5, abs=1e-6)
        assert found["notes"][key] == same, key


if __name__ == "__main__":
    records = {name: asked(strategy) for name, strategy in STRATEGIES.items()}
    FILE.write_text(json.dumps(records, indent=1) + "\n")
