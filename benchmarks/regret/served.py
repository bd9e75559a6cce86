"""A search in an environment of its own, served over a pipe: `python -P served.py NAME`.

It runs where nothing of this repository is installed, so it needs the standard library and the
search alone. A line of JSON comes in, a line goes out:

    {"space": [...], "seed": 0, "evaluations": 60}  ->  {"versions": {...}, "seconds": 0.1}
    {"ask": 4}                                      ->  {"configs": [[...], ...], "seconds": 1.2}
    {"tell": [0.5, ...]}                            ->  {"seconds": 0.0}

A space is a list of hyperparameters: `{"low": -5.0, "high": 5.0}` is a number, `{"size": 4,
"ordered": true}` stands for the indices of so many values. A configuration lists their values in
this order. Losses are told in the order of what was asked for last. Seconds are the processor's.

- `hebo`: `HEBO` with nothing but a seed. Grids are integers, categories are categories.
- `smac-rf`, `smac-gp`: `HyperparameterOptimizationFacade` and `BlackBoxFacade`, told that the
  function is deterministic and how many evaluations there will be, of which they make the length
  of their initial design. Grids are integers.
"""

import json
import os
import platform
import random
import sys
import tempfile
import time
from importlib import metadata

PACKAGES = {
    "hebo": ("HEBO", "torch", "gpytorch", "pymoo", "numpy", "pandas", "scikit-learn"),
    "smac-rf": ("smac", "ConfigSpace", "numpy", "scipy", "scikit-learn"),
    "smac-gp": ("smac", "ConfigSpace", "numpy", "scipy", "scikit-learn"),
}


class Hebo:
    """HEBO's optimiser; its own draws, NumPy's and torch's follow the seed."""

    def __init__(self, space, seed, evaluations):
        import numpy as np
        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        torch.set_num_threads(1)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._array = np.array
        self._names = _names(space)
        self._optimiser = HEBO(
            DesignSpace().parse(
                [self._parameter(*named) for named in zip(self._names, space, strict=True)]
            ),
            scramble_seed=seed,
        )

    @staticmethod
    def _parameter(name, parameter):
        if "low" in parameter:
            return {"name": name, "type": "num", "lb": parameter["low"], "ub": parameter["high"]}
        if parameter["ordered"]:
            return {"name": name, "type": "int", "lb": 0, "ub": parameter["size"] - 1}
        return {"name": name, "type": "cat", "categories": list(range(parameter["size"]))}

    def ask(self, count):
        """Return so many configurations."""
        self._asked = self._optimiser.suggest(n_suggestions=count)
        return [[row[name] for name in self._names] for _, row in self._asked.iterrows()]

    def tell(self, losses):
        """Take the losses of what was asked for last."""
        self._optimiser.observe(self._asked, self._array(losses).reshape(-1, 1))


class Smac:
    """A façade of SMAC, asked for one configuration after the other."""

    def __init__(self, facade, space, seed, evaluations):
        import smac
        from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
        from smac.runhistory.dataclasses import TrialValue

        def parameter(name, given):
            if "low" in given:
                return Float(name, (given["low"], given["high"]))
            if given["ordered"]:
                return Integer(name, (0, given["size"] - 1))
            return Categorical(name, list(range(given["size"])))

        self._names = _names(space)
        configurations = ConfigurationSpace(seed=seed)
        configurations.add([parameter(*named) for named in zip(self._names, space, strict=True)])
        self._folder = tempfile.TemporaryDirectory()  # of its logs; gone with the process
        scenario = smac.Scenario(
            configurations,
            deterministic=True,
            n_trials=evaluations,
            seed=seed,
            output_directory=self._folder.name,
        )
        self._value = TrialValue
        self._facade = getattr(smac, facade)(scenario, _never, overwrite=True, logging_level=40)

    def ask(self, count):
        """Return so many configurations."""
        self._asked = [self._facade.ask() for _ in range(count)]
        return [[info.config[name] for name in self._names] for info in self._asked]

    def tell(self, losses):
        """Take the losses of what was asked for last."""
        for info, loss in zip(self._asked, losses, strict=True):
            self._facade.tell(info, self._value(cost=loss))


SEARCHES = {
    "hebo": Hebo,
    "smac-rf": lambda *given: Smac("HyperparameterOptimizationFacade", *given),
    "smac-gp": lambda *given: Smac("BlackBoxFacade", *given),
}


def _names(space):
    return [f"x{i:03}" for i in range(len(space))]


def _never(config, seed=0):
    raise RuntimeError("the search is asked and told, it evaluates nothing itself")


def _plain(value):
    """Return a number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


def serve(name, orders, answers):
    """Begin the search of the first order, then answer the others until there are no more."""
    search = None
    for line in orders:
        order = json.loads(line)
        began = time.process_time()
        answer = {}
        if search is None:
            search = SEARCHES[name](order["space"], order["seed"], order["evaluations"])
            answer["versions"] = {package: metadata.version(package) for package in PACKAGES[name]}
            answer["versions"]["python"] = platform.python_version()
        elif "ask" in order:
            answer["configs"] = [[_plain(v) for v in row] for row in search.ask(order["ask"])]
        else:
            search.tell(order["tell"])
        answer["seconds"] = time.process_time() - began
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main(name):
    """Serve on standard input and output."""
    # What libraries print must not come between the answers.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        serve(name, sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1])
