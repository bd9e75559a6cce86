"""The floors of the package and the manner of its source, read from the syntax trees."""

import ast
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from hpo_research import heavy

PACKAGE = "hpo_research"
ROOT = Path(__file__).parents[1] / PACKAGE

# From the ground up. A module imports from lower floors and from its own package, nothing else.
FLOORS = [
    {"text", "heavy", "version", "moved"},
    {"errors", "options", "scratch", "html"},
    {"ambient", "rng", "threads", "device", "linalg", "compiled", "paths"}
    | {"rows", "habits", "origin", "scalars", "lists", "shown"},
    {"space", "states", "elementary", "vectors"},
    {"tiles"},
    {"records"},
    {"entries"},
    {"ledger", "run"},
    {"store", "optim"},
    {"gp", "training", "jobs"},
    {"curve_gp"},
    {"acquisition"},
    {"problems"},
    {"strategies", "executors"},
    {"analysis", "rivals"},
    {"figures", "tables", "progress"},
    {"experiment", "loop"},
    {"study", "tune", "doctor", "recording", "testing", "suites"},
    {"sagemaker", "carps", "cluster"},
    {PACKAGE},  # its __init__, which re-exports
    {"report", "dashboard"},
    {"cli"},
]
FLOOR = {unit: level for level, units in enumerate(FLOORS) for unit in units}
# The same within the packages that have rooms of their own; a room is a module or a package.
ROOMS = {
    "strategies": [
        {"earlier"},
        {"protocol", "tried", "lattice", "ordered", "sobol"},
        {"answers", "random", "grid"},
        {"stop_decisions", "sparing"},
        {"models", "halving"},
        {"stopping", "completion"},
        {"bayesian", "freeze_thaw"},
        {"model_hyperband"},
    ],
    "executors": [
        {"protocol", "states"},
        {"streams", "remembered", "processes"},
        {"lock_step", "simulated", "scripts"},
        {"choice"},
    ],
}
ROOM = {
    f"{unit}.{room}": level
    for unit, floors in ROOMS.items()
    for level, rooms in enumerate(floors)
    for room in rooms
}

# Tensors in, tensors out: these know no records, store, strategies or spaces.
TENSORS_ONLY = {"optim", "gp", "curve_gp", "acquisition", "training"}
BELOW_TENSORS = TENSORS_ONLY | {
    "errors",
    "ambient",
    "rng",
    "threads",
    "device",
    "linalg",
    "elementary",
    "vectors",
    "tiles",
}
BELOW_TENSORS |= {"compiled", "options", "moved"}

# Or slow: imported where needed, in one module.
OPTIONAL = {"IPython", "mlxtend", "optuna_dashboard", "pyarrow", "sklearn", "submitit", "tueplots"}
# Modules that speak to another tool in its own words, subclass its classes, say; `heavy` names it
# for annotations alone.
ADAPTERS = {
    "optuna": {f"analysis.optuna_view.{m}" for m in ("distributions", "journal")}
    | {f"analysis.optuna_view.{m}" for m in ("storage", "studies", "trials")}
    | {"rivals.engines.optuna"},
}
HEAVY = set(heavy.PACKAGES)
# What programs need that read a store, search a space or a grid, or ask for help. They, and all
# that is imported with them, say `heavy.torch`; `tests/test_start.py` runs such programs.
LIGHT = {
    *(
        PACKAGE,
        "cli.app",
        "cli.export",
        "cli.job_commands",
        "cli.report",
        "cli.status",
        "cli.stop",
        "cli.rescue",
        "records",
        "entries",
        "ledger",
        "space",
        "store.store",
    ),
    *("store.rescue", "analysis.result", "strategies.grid", "strategies.random", "study", "tune"),
    *(
        "experiment.loop",
        "executors.processes.executor",
        "executors.processes.forking",
        "executors.scripts",
        "problems.function",
        "problems.script",
    ),
    *("strategies.stopping.median", "strategies.completion"),
    *("sagemaker.loading", "sagemaker.names", "sagemaker.parents", "sagemaker.search"),
    *("sagemaker.standing", "sagemaker.running", "sagemaker.trainers", "cli.tune"),
    "sagemaker.client.local",
}
EXTRA_ARGUMENTS = {
    ("space.search_space", "__init__"),  # SearchSpace(name=Float(...))
    ("problems.registry", "problem"),  # problem("ackley", dimension=10)
    ("suites.catalog", "suite"),  # suite("bbob", dimension=7)
    ("rivals.registry", "rival"),  # rival("optuna-tpe", n_startup_trials=20)
    ("habits", "called"),  # what a door was called with
    ("ledger", "_change"),  # the fields of a trial
    ("sagemaker.client.transport", "_keep"),  # botocore's events say more with each version
    ("sagemaker.client.transport", "__call__"),
}
# Forked workers reseed NumPy for users' functions, which would else all draw the same numbers.
RESEEDS = {("executors.processes.worker", "numpy.random.seed")}
# Where the global streams are made or, for other people's libraries, lent and given back.
STREAMS = {"rng", "rivals.engines.seeded"}
VAGUE = {
    *("utils", "util", "common", "helpers", "helper", "misc", "core", "sampler", "searcher"),
    *("scheduler", "pruner", "designer", "manager", "factory", "handler"),
}
GLOBAL_DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
GLOBAL_DRAWS_LIKE = {"rand_like", "randn_like", "randint_like"}
# What takes torch's default dtype, which is the user's, where none is named.
FACTORIES = {
    *("zeros", "ones", "empty", "full", "eye", "arange", "range", "linspace", "logspace"),
    *("tensor", "scalar_tensor", "as_tensor", "asarray", "Tensor", "empty_strided", "rand"),
    *("randn", "normal", "hann_window", "hamming_window", "blackman_window", "kaiser_window"),
}
GLOBAL_STATE = {"manual_seed", "manual_seed_all", "set_default_dtype", "set_default_device"}


# --- reading ---


def name_of(path: Path) -> str:
    """The module's name inside the package: `space.bins`, `space` for its __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or PACKAGE


PATHS = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
SOURCES = {name: path.read_text(encoding="utf-8") for name, path in PATHS.items()}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}
PACKAGES = {name for name, path in PATHS.items() if path.name == "__init__.py"}
# What lazy packages load when it is used.
STUBS = {
    name_of(path.with_suffix(".py")): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("__init__.pyi"))
}


def unit_of(module: str) -> str:
    return module.split(".")[0]


def room_of(module: str) -> str:
    """The module's room within its package: `strategies.halving` for `strategies.halving.asha`."""
    return ".".join(module.split(".")[:2])


def imported(tree: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    """Every import as an absolute dotted name with its line; relative ones are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = [PACKAGE, *(module.split(".") if module != PACKAGE else [])]
                above = node.level - (module in PACKAGES)
                base = ".".join([*here[: len(here) - above], *([base] if base else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def inner_imports(tree: ast.AST, module: str) -> Iterator[tuple[str, int]]:
    """The modules of this package that a module imports."""
    for name, line in imported(tree, module):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            path = name.removeprefix(PACKAGE).strip(".")
            while path and path not in SOURCES and "." in path:
                path = path.rpartition(".")[0]
            # `from hpo_research import Float` takes a name from the root, not a module.
            yield (path if path in SOURCES or unit_of(path) in FLOOR else PACKAGE), line


def full_name(node: ast.AST, aliases: dict[str, str]) -> str:
    """`np.random.seed` as `numpy.random.seed`; empty for anything but dotted names."""
    if isinstance(node, ast.Attribute):
        base = full_name(node.value, aliases)
        return f"{base}.{node.attr}" if base else ""
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def outer_name(node: ast.AST, aliases: dict[str, str]) -> str:
    """The same, with `heavy.torch.zeros` as `torch.zeros`."""
    return full_name(node, aliases).removeprefix(f"{PACKAGE}.heavy.")


def aliases_of(tree: ast.AST) -> dict[str, str]:
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            aliases |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return aliases


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    yield from (node for node in ast.walk(tree) if isinstance(node, kinds))


def outside_functions(tree: ast.Module) -> ast.Module:
    """The imports that run when a module is loaded."""
    inside = {id(node) for function in functions(tree) for node in ast.walk(function)}
    kinds = ast.Import | ast.ImportFrom
    nodes = [n for n in ast.walk(tree) if isinstance(n, kinds) and id(n) not in inside]
    return ast.Module(nodes, [])


def lazy_names(package: str) -> dict[str, str]:
    """The names that a lazy package has, each with the module that it loads."""
    names = imported(STUBS.get(package, ast.Module([], [])), package)
    paths = [name.removeprefix(f"{PACKAGE}.") for name, _ in names]
    return {
        path.rpartition(".")[2]: path if path in SOURCES else path.rpartition(".")[0]
        for path in paths
    }


def loaded_with(doors: Iterable[str], trees: dict[str, ast.Module]) -> dict[str, str]:
    """The modules that are loaded with these ones, each with the one that brings it."""
    found = dict.fromkeys(doors, "")
    left = list(found)
    while left:
        own = left.pop()
        for name, _ in imported(outside_functions(trees[own]), own):
            if name.startswith(f"{PACKAGE}."):
                path = name.removeprefix(f"{PACKAGE}.")
                package, _, last = path.rpartition(".")
                if path not in trees:  # no module, but a name in one
                    path = lazy_names(package or PACKAGE).get(last, package)
                parts = path.split(".")
                for end in range(1, len(parts) + 1):
                    target = ".".join(parts[:end])
                    if target in trees and target not in found:
                        found[target] = own
                        left.append(target)
    return found


WITH_LIGHT = loaded_with(LIGHT, TREES)


# --- checks: each reads one module and lists what is wrong with it ---


def imports_that_go_up(tree: ast.Module, module: str) -> list[str]:
    own = unit_of(module)
    return [
        f"line {line}: {module} may not import {target}, which is not below it"
        for one in (tree, STUBS.get(module, ast.Module([], [])))
        for target, line in inner_imports(one, module)
        if unit_of(target) != own and FLOOR.get(unit_of(target), 99) >= FLOOR.get(own, 99)
    ]


def rooms_that_go_up(tree: ast.Module, module: str) -> list[str]:
    own = room_of(module)
    return [
        f"line {line}: {module} may not import {target}: {own} is not above {room_of(target)}"
        for target, line in inner_imports(tree, module)
        if unit_of(target) == unit_of(module) and unit_of(module) in ROOMS
        if own != room_of(target) and room_of(target) != unit_of(module) != module
        if ROOM.get(room_of(target), 99) >= ROOM.get(own, 99)
    ]


def records_among_tensors(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {line}: {module} works on tensors only and may not import {target}"
        for target, line in inner_imports(tree, module)
        if unit_of(module) in TENSORS_ONLY and unit_of(target) not in BELOW_TENSORS
    ]


def hidden_imports(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {line}: {name} is imported inside {function.name}"
        for function in functions(tree)
        for name, line in imported(function, module)
        if name.split(".")[0] not in OPTIONAL
    ]


def heavy_with_light(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {line}: {module} is light (by way of {WITH_LIGHT[module] or 'LIGHT'}) and loads "
        f"{name}; say heavy.{name.split('.')[0]}, or name a module of ours through its package"
        for name, line in imported(outside_functions(tree), module)
        if module in WITH_LIGHT and name.removeprefix(f"{PACKAGE}.heavy.").split(".")[0] in HEAVY
    ]


def imports_for_typing(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {line}: {name} hides imports from the program"
        for name, line in imported(tree, module)
        if name == "typing.TYPE_CHECKING"
    ] + [
        f"line {node.lineno}: typing.TYPE_CHECKING hides imports from the program"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING"
    ]


def global_randomness(tree: ast.Module, module: str) -> list[str]:
    if module in STREAMS:
        return []
    aliases = aliases_of(tree)
    wrong = [
        f"line {line}: {name} is a global random stream; draw from rng.Stream"
        for name, line in imported(tree, module)
        if name == "random" or name.startswith(("random.", "numpy.random."))
    ]
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        name = outer_name(node, aliases)
        last = name.rpartition(".")[2]
        generator_type = name == "numpy.random.Generator" and id(node) not in called
        if (module, name) in RESEEDS or generator_type:
            continue
        if name.startswith("numpy.random."):
            wrong.append(f"line {node.lineno}: {name} belongs in rng.py")
        elif name == f"torch.{last}" and id(node) in called and last in GLOBAL_DRAWS:
            if "generator" not in {keyword.arg for keyword in called[id(node)].keywords}:
                wrong.append(f"line {node.lineno}: {name} draws from the global stream")
        elif name == f"torch.{last}" and last in GLOBAL_DRAWS_LIKE:
            wrong.append(f"line {node.lineno}: {name} draws from the global stream")
    return wrong


def global_state(tree: ast.Module, module: str) -> list[str]:
    if module in STREAMS:
        return []
    return [
        f"line {node.lineno}: {node.attr} changes the whole process"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in GLOBAL_STATE
    ] + [
        f"line {line}: {name} changes the whole process"
        for name, line in imported(tree, module)
        if name.rpartition(".")[2] in GLOBAL_STATE
    ]


def is_number(node: ast.AST) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant)


def default_dtypes(tree: ast.Module, module: str) -> list[str]:
    """Tensors whose dtype is the one that the user's program has set for all of torch."""
    aliases = aliases_of(tree)
    wrong = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = outer_name(node.func, aliases)
        last = name.rpartition(".")[2]
        if name == "torch.where" and all(map(is_number, node.args[1:])):
            wrong.append(f"line {node.lineno}: torch.where of two numbers is the user's default")
        if name != f"torch.{last}" or last not in FACTORIES:
            continue
        if "dtype" not in {keyword.arg for keyword in node.keywords}:
            wrong.append(f"line {node.lineno}: {name} names no dtype, so the user's default is it")
    return wrong + [
        f"line {node.lineno}: get_default_dtype reads what belongs to the user"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "get_default_dtype"
    ]


def devices_by_hand(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {node.lineno}: .cuda() picks a device; use .to(device)"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "cuda"
        and module != "rng"
    ]


def vague_names(tree: ast.Module, module: str) -> list[str]:
    words = {word for part in module.split(".") for word in part.split("_")}
    return [f"{module}: {word} is no noun of this package" for word in sorted(words & VAGUE)]


def calls_of_super(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {node.lineno}: super() is called; compose, do not subclass"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and full_name(node.func, {}) == "super"
    ]


def extra_arguments(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {function.lineno}: {function.name} takes **{function.args.kwarg.arg}"
        for function in functions(tree)
        if function.args.kwarg and (module, function.name) not in EXTRA_ARGUMENTS
    ]


def length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def long_functions(tree: ast.Module, module: str) -> list[str]:
    return [
        f"line {function.lineno}: {function.name} has {length(function)} lines, at most 60"
        for function in functions(tree)
        if length(function) > 60
    ]


def long_modules(tree: ast.Module, module: str) -> list[str]:
    lines = max((node.end_lineno for node in tree.body), default=0)
    return [f"{module} has {lines} lines, at most 400"] if lines > 400 else []


def missing_docstrings(tree: ast.Module, module: str) -> list[str]:
    return [] if ast.get_docstring(tree) else [f"{module} does not say what it is"]


def missing_floors(tree: ast.Module, module: str) -> list[str]:
    unit, room = unit_of(module), room_of(module)
    if unit not in FLOOR:
        return [f"{module}: place {unit} in FLOORS"]
    is_placed = unit not in ROOMS or module == unit or room in ROOM
    return [] if is_placed else [f"{module}: place {room} in ROOMS"]


Check = Callable[[ast.Module, str], list[str]]
CHECKS: list[Check] = [
    missing_floors,
    imports_that_go_up,
    rooms_that_go_up,
    records_among_tensors,
    hidden_imports,
    heavy_with_light,
    imports_for_typing,
    global_randomness,
    global_state,
    default_dtypes,
    devices_by_hand,
    vague_names,
    calls_of_super,
    extra_arguments,
    long_functions,
    long_modules,
    missing_docstrings,
]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one import cycle, none if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def importers_of(package: str, trees: dict[str, ast.Module]) -> set[str]:
    return {
        module
        for module, tree in trees.items()
        for name, _ in imported(tree, module)
        if name.split(".")[0] == package
    }


# --- the package ---


@pytest.mark.parametrize("module", TREES)
def test_a_module_keeps_to_its_floor_and_the_manner(module):
    complaints = [f"{c.__name__}: {line}" for c in CHECKS for line in c(TREES[module], module)]
    assert complaints == []


def test_the_package_has_no_import_cycle():
    graph = {
        module: {target for target, _ in inner_imports(tree, module)} - {module}
        for module, tree in TREES.items()
    }
    assert cycle(graph) == []


@pytest.mark.parametrize("package", sorted(OPTIONAL))
def test_an_optional_package_is_imported_in_one_module_at_most(package):
    assert len(importers_of(package, TREES)) <= 1


@pytest.mark.parametrize("package", sorted(ADAPTERS))
def test_another_tool_is_imported_by_its_adapters_alone(package):
    assert importers_of(package, TREES) == ADAPTERS[package]


# --- each check can be seen to fail ---

WRONG = [
    (missing_floors, "attic", "", "place attic in FLOORS"),
    (imports_that_go_up, "store.store", "from hpo_research.strategies import Grid", "strategies"),
    (imports_that_go_up, "store", "import hpo_research.cli", "may not import cli"),
    (imports_that_go_up, "space.bins", "from hpo_research import records", "import records"),
    (imports_that_go_up, "space.bins", "from ..records import Run", "may not import records"),
    (
        imports_that_go_up,
        "executors.processes.pool",
        "from hpo_research.analysis import x",
        "analysis",
    ),
    (imports_that_go_up, "study", "from hpo_research import Float", f"may not import {PACKAGE}"),
    (imports_that_go_up, "rng", "def f():\n    import hpo_research.space", "import space"),
    (missing_floors, "strategies.attic", "", "place strategies.attic in ROOMS"),
    (
        rooms_that_go_up,
        "strategies.halving.asha",
        "from hpo_research.strategies.stopping.median import MedianStopping",
        "strategies.halving is not above strategies.stopping",
    ),
    (
        rooms_that_go_up,
        "strategies.models.inputs",
        "from hpo_research.strategies import bayesian",
        "may not import strategies.bayesian",
    ),
    (
        rooms_that_go_up,
        "strategies.halving.asha",
        "from hpo_research.strategies.models import encoding",
        "may not import strategies.models.encoding",
    ),
    (
        rooms_that_go_up,
        "executors.processes.pool",
        "def f():\n    from hpo_research.executors.choice import executor_for",
        "line 2",
    ),
    (rooms_that_go_up, "executors.streams", "from .choice import executor_for", "line 1"),
    (records_among_tensors, "training.mlp", "from hpo_research.space import Float", "space"),
    (records_among_tensors, "gp.fit", "from hpo_research.store import Store", "store"),
    (hidden_imports, "store", "def f():\n    import json", "json is imported inside f"),
    (
        hidden_imports,
        "store",
        "class A:\n    def f(self):\n        from os import path",
        "inside f",
    ),
    (heavy_with_light, "space", "import torch", "say heavy.torch"),
    (heavy_with_light, "rng", "class A:\n    from scipy import stats", "say heavy.scipy"),
    (heavy_with_light, "records", "from hpo_research.heavy import pandas", "loads"),
    (imports_for_typing, "store", "from typing import TYPE_CHECKING", "hides imports"),
    (imports_for_typing, "store", "import typing\nif typing.TYPE_CHECKING: pass", "line 2"),
    (global_randomness, "store", "import random", "random is a global random stream"),
    (global_randomness, "store", "from random import choice", "random.choice is a global"),
    (global_randomness, "store", "from numpy.random import seed", "numpy.random.seed is a global"),
    (global_randomness, "store", "import numpy as np\nnp.random.rand(3)", "numpy.random.rand"),
    (global_randomness, "store", "import numpy as np\nnp.random.default_rng(3)", "default_rng"),
    (global_randomness, "store", "import numpy as np\nnp.random.Generator(x)", "Generator belongs"),
    (global_randomness, "store", "from numpy import random\nrandom.rand()", "numpy.random.rand"),
    (global_randomness, "store", "import torch\ntorch.randn(3)", "torch.randn draws from"),
    (global_randomness, "store", "import torch\ntorch.rand_like(x)", "torch.rand_like draws from"),
    (global_state, "store", "torch.manual_seed(0)", "manual_seed changes the whole process"),
    (global_state, "store", "torch.cuda.manual_seed_all(0)", "manual_seed_all"),
    (global_state, "store", "from torch import manual_seed", "torch.manual_seed changes"),
    (global_state, "store", "torch.set_default_dtype(torch.float64)", "set_default_dtype"),
    (default_dtypes, "gp", "import torch\ntorch.zeros(3)", "torch.zeros names no dtype"),
    (default_dtypes, "gp", "from torch import tensor\ntensor([0.5])", "torch.tensor names no"),
    (default_dtypes, "gp", "import torch as t\nt.arange(3, device=d)", "torch.arange names no"),
    (default_dtypes, "gp", "import torch\ntorch.as_tensor([1])", "torch.as_tensor names no"),
    (default_dtypes, "gp", "import torch\ntorch.where(x, 0.0, -1.0)", "where of two numbers"),
    (
        default_dtypes,
        "rng",
        "from hpo_research import heavy\nheavy.torch.ones(3)",
        "names no dtype",
    ),
    (default_dtypes, "gp", "torch.get_default_dtype()", "belongs to the user"),
    (devices_by_hand, "store", "x = model(y).cuda()", ".cuda() picks a device"),
    (vague_names, "store.utils", "", "utils is no noun"),
    (vague_names, "strategies.random_sampler", "", "sampler is no noun"),
    (calls_of_super, "store", "class A(B):\n    def f(self): super().f()", "super() is called"),
    (extra_arguments, "store", "def f(**options): ...", "f takes **options"),
    (extra_arguments, "store", "class A:\n    def __init__(self, **k): ...", "__init__ takes **k"),
    (long_functions, "store", "def f():\n" + "    x = 1\n" * 60, "f has 61 lines, at most 60"),
    (long_modules, "store", "x = 1\n" * 401, "store has 401 lines, at most 400"),
    (missing_docstrings, "store", "x = 1", "store does not say what it is"),
]

RIGHT = [
    (imports_that_go_up, "study", "from hpo_research.space import Float"),
    (imports_that_go_up, "analysis.rebuild", "from hpo_research.strategies.grid import Grid"),
    (imports_that_go_up, "space.bins", "from hpo_research.space.scale import LINEAR"),
    (imports_that_go_up, "space.bins", "from .scale import LINEAR"),
    (imports_that_go_up, "cli", "import hpo_research as hpo"),
    (missing_floors, "strategies.halving.attic", ""),
    (rooms_that_go_up, "strategies.halving.asha", "from hpo_research.strategies import answers"),
    (
        rooms_that_go_up,
        "strategies.halving.asha",
        "from hpo_research.strategies.halving import hyperband",
    ),
    (rooms_that_go_up, "strategies.random", "from hpo_research import strategies"),
    (rooms_that_go_up, "executors.choice", "from hpo_research.space import Float"),
    (records_among_tensors, "acquisition.ei", "from hpo_research.gp import Model"),
    (hidden_imports, "store", "def f():\n    import pyarrow.parquet"),
    (heavy_with_light, "gp.fit", "import torch"),
    (heavy_with_light, "space", "def f() -> 'heavy.pandas.DataFrame': ..."),
    (global_randomness, "store", "from hpo_research.strategies.random import Random"),
    (global_randomness, "store", "import numpy as np\ndef f(g: np.random.Generator): ..."),
    (global_randomness, "store", "import torch\ntorch.rand(3, generator=g)"),
    (global_randomness, "rng", "import numpy as np\nnp.random.Generator(np.random.Philox(key=1))"),
    (global_randomness, "store", "stream.normal(3, like=x)"),
    (default_dtypes, "gp", "import torch\ntorch.zeros(3, dtype=torch.float64)"),
    (default_dtypes, "gp", "import torch\ntorch.zeros_like(x), torch.from_numpy(y)"),
    (default_dtypes, "gp", "import torch\ntorch.where(x, y, 0.0)"),
    (default_dtypes, "gp", "import numpy as np\nnp.zeros(3)"),
    (devices_by_hand, "device", "import torch\ntorch.cuda.is_available()"),
    (extra_arguments, "space.search_space", "class S:\n    def __init__(self, **named): ..."),
    (long_functions, "store", "def f():\n" + "    x = 1\n" * 59),
    (long_modules, "store", "x = 1\n" * 400),
    (missing_docstrings, "store", '"""The store."""'),
]


@pytest.mark.parametrize(("check", "module", "source", "complaint"), WRONG)
def test_a_check_sees_what_is_wrong(check, module, source, complaint):
    assert any(complaint in line for line in check(ast.parse(source), module))


@pytest.mark.parametrize(("check", "module", "source"), RIGHT)
def test_a_check_lets_pass_what_is_right(check, module, source):
    assert check(ast.parse(source), module) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_has_been_seen_to_fail(check):
    assert check in {case[0] for case in WRONG}


@pytest.mark.parametrize(
    ("graph", "size"),
    [
        ({"a": {"b"}, "b": {"a"}}, 3),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, 3),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, 0),
    ],
)
def test_a_cycle_is_found_where_there_is_one(graph, size):
    assert len(cycle(graph)) == size


def test_what_is_loaded_with_a_module_is_followed_and_what_is_lazy_is_not():
    sources = {
        **{"a": "from hpo_research import store\ndef f():\n    from hpo_research import lazy"},
        **{"b": "from hpo_research.store import RunName", "store": "", "store.rows": "import c"},
        **{"store.store": "", "lazy": "import torch"},
    }
    trees = {module: ast.parse(source) for module, source in sources.items()}
    assert loaded_with(["a"], trees) == {"a": "", "store": "a"}
    assert loaded_with(["b"], trees) == {"b": "", "store": "b", "store.rows": "b"}


def test_two_importers_of_an_optional_package_are_counted():
    sources = {"a": "import pyarrow", "b": "def f():\n    from pyarrow import parquet", "c": ""}
    trees = {module: ast.parse(source) for module, source in sources.items()}
    assert importers_of("pyarrow", trees) == {"a", "b"}
