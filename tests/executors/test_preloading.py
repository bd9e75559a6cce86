"""What a fork server loads before it forks: what the problem refers to, and nothing else."""

import sys
from importlib import import_module

import pytest

from hpo_research.executors.processes import scripts
from hpo_research.executors.processes.pickling import dumps
from hpo_research.executors.processes.preloading import wanted
from hpo_research.problems.function import FunctionProblem
from hpo_research.space import Float, SearchSpace

TORCH = ("torch", "torch._dynamo")
SHARED = "import pandas as pd\n\ndef scale(x):\n    return pd.Series([x]).mean()\n"
BODIES = {
    "nothing": ("def f(config):\n    return config['x']\n", ()),
    "a module at its head": (
        "import torch\n\ndef f(config):\n    return float(torch.tensor(config['x']))\n",
        TORCH,
    ),
    "a name of a module": (
        "from torch import tensor\n\ndef f(config):\n    return float(tensor(config['x']))\n",
        TORCH,
    ),
    "an import inside": (
        "def f(config):\n    from scipy.stats import norm\n    return norm.pdf(config['x'])\n",
        ("scipy", "scipy.stats"),
    ),
    "a word that is a folder's name": ("def f(config):\n    return config['folder_here']\n", ()),
    "another module of the user's": (
        "from shared_here import scale\n\ndef f(config):\n    return scale(config['x'])\n",
        ("pandas",),
    ),
}


def loads_for(function):
    problem = FunctionProblem(function, SearchSpace(x=Float(0, 1)))
    return wanted(scripts.thing_of(dumps(problem)))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("goes", ["by reference", "by value"])
def test_what_a_function_uses_is_loaded_once_and_nothing_else(body, goes, tmp_path, monkeypatch):
    text, expected = BODIES[body]
    (tmp_path / "shared_here.py").write_text(SHARED)
    (tmp_path / "train_here.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "folder_here").mkdir()
    (tmp_path / "folder_here" / "other.py").write_text("import torch\n")
    for name in ("train_here", "shared_here", "folder_here", "folder_here.other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import_module("folder_here.other")
    module = import_module("train_here")
    if goes == "by value":
        monkeypatch.syspath_prepend(tmp_path / "elsewhere")
        sys.path.remove(str(tmp_path))
    assert loads_for(module.f) == expected
