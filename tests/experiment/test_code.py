"""The user's code by digests: what is a change, what is none, and what is reached."""

import ast
import importlib.util
import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import hpo_research as hpo
from hpo_research.analysis.changes import is_same
from hpo_research.experiment import digests
from hpo_research.experiment.code import code_of
from hpo_research.experiment.digests import COMPILED

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))

FUNCTION = '''
import functools
import math
import numpy as np

SCALE = 3.0
TABLE = {"a": [1, 2], "grid": np.arange(3)}


def helper(x):
    """What it does."""
    return x * SCALE


def loss(config, shift=1):
    total = helper(config["x"]) + shift  # the sum
    for name in ("a", "b"):
        if name in {"a", "c"} and total > 0:
            total += math.exp(0) + len(TABLE["a"])
    return total


def unused():
    return 1
'''

STRATEGY = """
from dataclasses import dataclass, field
from functools import cached_property

import hpo_research as hpo


class Base:
    def tool(self):
        return "base"

    def left_alone(self):
        return 0


@dataclass(frozen=True)
class Options:
    width: int = 2

    @property
    def double(self):
        return 2 * self.width


@dataclass(frozen=True)
class Mine(Base):
    eta: int = 3
    LIMIT = 7
    options: Options = field(default_factory=Options)

    def ask(self, runs, slots):
        return [hpo.Ask() for _ in runs]

    @staticmethod
    def spread(x):
        return x + 1

    @cached_property
    def cached(self):
        return 5


experiment = Mine()
"""


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., ModuleType]:
    """Write a module and run it, as `hpo run` does; a second one of a name replaces the first."""

    def make(text: str, name: str = "own_code") -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        linecache.checkcache(str(path))
        spec = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        exec(compile(text, str(path), "exec"), vars(module))  # no bytecode of an older text
        return module

    yield make
    for name in ("own_code", "own_helpers"):
        sys.modules.pop(name, None)


def changed(old: dict[str, str], new: dict[str, str]) -> set[str]:
    """The pieces that are other, new or gone."""
    return {name for name in old | new if not is_same(old.get(name, ""), new.get(name, ""))}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # the sum", ""),
        ('    """What it does."""\n', ""),
        ('"""What it does."""', '"""Something else."""'),
        ("def helper(x):", "\n\n\n# moved\ndef helper(\n    x,\n):"),
        ('if name in {"a", "c"} and total > 0:', 'if (\n  name in {"a", "c"}\n  and total > 0):'),
        ("def loss(config, shift=1):", "def loss(config: dict, shift: int = 1) -> float:"),
        ("return total\n", "pass\n    return (total)\n"),
        ("return 1\n", "return 2\n"),
        ("import math\n", "import math\nimport json\n"),
    ],
    ids=[
        "comment",
        "docstring",
        "its text",
        "moved",
        "layout",
        "hints",
        "pass",
        "unused",
        "import",
    ],
)
def test_what_changes_no_number_is_no_change(made, old: str, new: str):
    assert old in FUNCTION
    before = code_of(hpo.FunctionProblem(made(FUNCTION).loss, SPACE))
    after = code_of(hpo.FunctionProblem(made(FUNCTION.replace(old, new)).loss, SPACE))
    assert before.keys() == {
        f"own_code.{name}" for name in ("loss", "helper", "SCALE", "TABLE")
    } | {"shift of own_code.loss"}
    assert changed(before, after) == set()


@pytest.mark.parametrize(
    ("old", "new", "piece"),
    [
        ('helper(config["x"]) + shift', 'helper(config["x"]) - shift', "own_code.loss"),
        ('{"a", "c"}', '{"a", "d"}', "own_code.loss"),
        ("math.exp(0)", "math.exp(1)", "own_code.loss"),
        ("x * SCALE", "x + SCALE", "own_code.helper"),
        ("SCALE = 3.0", "SCALE = 3", "own_code.SCALE"),
        ("np.arange(3)", "np.arange(3) + 1", "own_code.TABLE"),
        ("[1, 2]", "[1, 3]", "own_code.TABLE"),
        ("shift=1", "shift=2", "shift of own_code.loss"),
    ],
)
def test_a_change_in_a_function_or_in_what_it_reaches_is_named(made, old, new, piece: str):
    assert old in FUNCTION
    before = code_of(hpo.FunctionProblem(made(FUNCTION).loss, SPACE))
    after = code_of(hpo.FunctionProblem(made(FUNCTION.replace(old, new)).loss, SPACE))
    assert piece in changed(before, after) <= {piece, "own_code.loss"}


@pytest.mark.parametrize(
    ("old", "new", "piece"),
    [
        ("hpo.Ask() for", "hpo.Ask(()) for", "Mine.ask"),
        ("x + 1", "x + 2", "Mine.spread"),
        ("return 5", "return 6", "Mine.cached"),
        ("LIMIT = 7", "LIMIT = 8", "Mine.LIMIT"),
        ('"base"', '"other"', "Base.tool"),
        ("2 * self.width", "3 * self.width", "Options.double"),
        ("    LIMIT = 7", "    LIMIT = 7\n\n    def tool(self):\n        return 1\n", "Mine.tool"),
        ("class Mine(Base)", "class Mine", "Base.tool"),
    ],
)
def test_every_method_of_a_strategy_its_bases_and_its_parts_counts(made, old, new, piece: str):
    assert old in STRATEGY
    before = code_of(hpo.Hyperband(inner=made(STRATEGY).experiment))
    after = code_of(hpo.Hyperband(inner=made(STRATEGY.replace(old, new)).experiment))
    assert f"own_code.{piece}" in changed(before, after)
    assert len(changed(before, after)) <= 2


KINDS = {
    "lambda": ("f = lambda c: c['x'] + 1", "+ 1", "+ 2"),
    "two lambdas": ("f, g = lambda c: c['x'] + 1, lambda c: 5", "+ 1", "+ 2"),
    "partial": (
        "import functools\ndef g(c, k): return k\nf = functools.partial(g, k=[1])",
        "[1]",
        "[2]",
    ),
    "partial's function": (
        "import functools\ndef g(c, k): return k\nf = functools.partial(g, k=1)",
        "return k",
        "return -k",
    ),
    "callable": ("class C:\n    def __call__(self, c): return 1\nf = C()", "return 1", "return 2"),
    "callable's state": (
        "class C:\n    def __init__(self): self.k = 1\n    def __call__(self, c): return self.k\n"
        "f = C()",
        "self.k = 1",
        "self.k = 2",
    ),
    "bound method": ("class C:\n    def go(self, c): return 1\nf = C().go", "return 1", "return 2"),
    "closure": (
        "def make(k):\n    def g(c): return k\n    return g\nf = make(1)",
        "make(1)",
        "make(2)",
    ),
    "closure's function": (
        "def make(h):\n    def g(c): return h(c)\n    return g\nf = make(lambda c: 1)",
        "lambda c: 1",
        "lambda c: 2",
    ),
    "decorated": (
        "import functools\ndef deco(h):\n    @functools.wraps(h)\n    def w(c): return h(c)\n"
        "    return w\n@deco\ndef f(c): return 1",
        "return 1",
        "return 2",
    ),
    "decorator": (
        "import functools\ndef deco(h):\n    @functools.wraps(h)\n    def w(c): return h(c)\n"
        "    return w\n@deco\ndef f(c): return 1",
        "def w(c): return h(c)",
        "def w(c): return -h(c)",
    ),
    "cached": ("import functools\n@functools.cache\ndef f(c): return 1", "return 1", "return 2"),
    "array captured": (
        "import torch\ndef make(k):\n    def g(c): return k\n    return g\n"
        "f = make(torch.ones(2, 2))",
        "torch.ones",
        "torch.zeros",
    ),
    "class in a global": (
        "class K:\n    RATE = 1\n    def go(self): return 1\ndef f(c): return K().go()",
        "return 1",
        "return 2",
    ),
    "constant of a class": ("class K:\n    RATE = 1\ndef f(c): return K.RATE", "= 1", "= 2"),
    "enum": (
        "import enum\nclass E(enum.Enum):\n    A = 1\ndef f(c): return E.A.value",
        "A = 1",
        "A = 2",
    ),
    "inside another": ("def f(c):\n    def g(): return 1\n    return g()", "return 1", "return 2"),
    "through a list": (
        "def g(c): return 1\nALL = [g]\ndef f(c): return ALL[0](c)",
        "turn 1",
        "turn 2",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("has_source", [True, False], ids=["file", "exec"])
def test_a_change_is_seen_in_every_kind_of_function(made, kind: str, has_source: bool):
    text, old, new = KINDS[kind]
    codes = []
    for source in (text, text, text.replace(old, new)):
        if has_source:
            f = made(source).f
        else:
            place = {"__name__": "__main__"}
            exec(source, place)
            f = place["f"]
        codes.append(code_of(hpo.FunctionProblem(f, SPACE, name="f")))
    assert changed(codes[0], codes[1]) == set()
    assert changed(codes[0], codes[2])
    functions = [digest for digest in codes[0].values() if COMPILED in digest]
    assert functions and all(("ast:" in digest) == has_source for digest in functions)


def test_other_modules_of_the_user_are_reached_by_name_and_from_within(made, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    helpers = "def used(x): return x\ndef other(x): return x\n"
    texts = {
        "own_code.py": "import own_helpers\ndef loss(c): return own_helpers.used(c['x'])\n",
        "inner": "def loss(c):\n    from own_helpers import used\n    return used(c['x'])\n",
    }
    made(helpers, "own_helpers")
    by_name = code_of(hpo.FunctionProblem(made(texts["own_code.py"]).loss, SPACE))
    within = code_of(hpo.FunctionProblem(made(texts["inner"]).loss, SPACE))
    assert by_name.keys() == {"own_code.loss", "own_helpers.used"}
    assert within.keys() == {"own_code.loss", "module own_helpers"}
    made(helpers.replace("return x", "return 2 * x", 1), "own_helpers")
    after = code_of(hpo.FunctionProblem(made(texts["own_code.py"]).loss, SPACE))
    assert changed(by_name, after) == {"own_helpers.used"}
    after = code_of(hpo.FunctionProblem(made(texts["inner"]).loss, SPACE))
    assert changed(within, after) == {"module own_helpers"}


def test_a_file_edited_after_its_import_does_not_pass_for_what_runs(made, tmp_path):
    module = made(FUNCTION)
    before = code_of(hpo.FunctionProblem(module.loss, SPACE))
    (tmp_path / "own_code.py").write_text(FUNCTION.replace("x * SCALE", "x + SCALE"))
    digests._of_code.cache_clear()
    after = code_of(hpo.FunctionProblem(module.loss, SPACE))
    assert changed(before, after) == set()
    assert "ast:" in before["own_code.helper"] and "ast:" not in after["own_code.helper"]


def test_a_cell_of_a_notebook_has_a_source(monkeypatch):
    def run(text: str, number: int) -> dict[str, str]:
        file = f"<cell-{number}>"
        monkeypatch.setitem(
            linecache.cache, file, (len(text), None, text.splitlines(keepends=True), file)
        )
        place: dict[str, object] = {"__name__": "__main__"}
        for statement in ast.parse(text).body:  # as IPython does
            exec(compile(ast.Module([statement], []), file, "exec"), place)
        return code_of(place["experiment"])

    before, after = run(STRATEGY, 1), run("# a comment\n" + STRATEGY, 2)
    assert "ast:" in before["__main__.Mine.ask"]
    assert changed(before, after) == set()
    assert changed(before, run(STRATEGY.replace("x + 1", "x + 2"), 3)) == {"__main__.Mine.spread"}


def test_packages_are_not_entered():
    for thing in (hpo.Random(), hpo.Bayesian(), hpo.problem("branin"), hpo.Hyperband()):
        assert code_of(thing) == {}


def test_digests_are_the_same_in_another_process(made, tmp_path):
    here = code_of(hpo.FunctionProblem(made(FUNCTION).loss, SPACE))
    path = tmp_path / "script.py"
    path.write_text(
        f"{FUNCTION}\nfrom hpo_research.experiment.code import code_of\nprint(code_of([loss]))\n"
    )
    there = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    named = {name.replace("own_code", "__main__"): digest for name, digest in here.items()}
    assert ast.literal_eval(there.stdout) == named


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("ast:a cpython-311:b", "ast:a cpython-312:c", True),
        ("ast:a cpython-311:b", "ast:d cpython-312:c", False),
        ("ast:a cpython-311:b", "ast:d cpython-311:b", True),
        ("cpython-311:b", "cpython-312:b", None),
        ("value:a", "value:b", False),
        ("0123456789abcdef", "ast:a cpython-311:b", None),
    ],
)
def test_only_digests_of_one_kind_are_compared(old: str, new: str, same: bool | None):
    assert is_same(old, new) is same
