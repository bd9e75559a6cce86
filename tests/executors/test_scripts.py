"""What a script defines is found in a worker under the names that it has in the script."""

import importlib.util
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from waiting import SPACE, drain, segment

from hpo_research.executors.processes import scripts
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.problems.function import FunctionProblem

SOURCE = """
import abc, dataclasses, enum, functools, io, pickle, sys, threading, typing
from multiprocessing import get_context

import torch

calls = {"n": 0}
LOCK = threading.Lock()
WIDTHS = [3, 5]

class Kind(enum.Enum):
    A = 1
    B = 2

@dataclasses.dataclass
class Setting:
    width: int = 3
    def wider(self):
        return dataclasses.replace(self, width=self.width + 1)

class Point(typing.NamedTuple):
    x: float

class Base(abc.ABC):
    @abc.abstractmethod
    def value(self): ...
    class Inner:
        pass

class Derived(Base):
    def value(self):
        return 2.0

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

def square(x):
    return x * x

@functools.lru_cache(maxsize=7)
def cached(x):
    return cached(x - 1) + 1 if x else 0

def same(thing):
    return pickle.loads(pickle.dumps(thing))

def saves_a_model():
    file = io.BytesIO()
    torch.save(Net(), file)
    file.seek(0)
    return float(type(torch.load(file, weights_only=False)) is Net)

def pickles_classes():
    assert same(Kind.B) is Kind.B and same(Setting(4)).wider() == Setting(5)
    assert [field.name for field in dataclasses.fields(Setting)] == ["width"]
    assert same(Point(1.0)) == Point(1.0) and same(Derived()).value() == 2.0
    assert type(same(Base.Inner())) is Base.Inner and isinstance(same(Derived()), Base)
    return 1.0

def pickles_functions():
    assert same(square) is square and same(saves_a_model) is saves_a_model
    assert same(cached) is cached and cached(3) == 3 and cached.cache_info().maxsize == 7
    return 1.0

def reads(path):
    with open(path, "rb") as file:
        return float(pickle.load(file).width == 8)

def uses_a_pool():
    with get_context("fork").Pool(1) as pool:
        return float(pool.map(square, [1])[0])

def counts():
    calls["n"] += 1
    return calls["n"]

def keeps_its_state():
    before = calls["n"]
    module = sys.modules[__name__]
    assert module.counts() == before + 1 and module.counts() == before + 2
    assert module.calls is calls and calls["n"] == before + 2
    return 1.0

def looks_at_values():
    module = sys.modules[__name__]
    assert module.WIDTHS == [3, 5] and module.torch is torch and not hasattr(module, "nothing")
    assert {"Net", "square", "WIDTHS"} <= set(dir(module))
    return 1.0

def asks_for_a_lock():
    return sys.modules[__name__].LOCK

def by_attribute(config):
    deed = getattr(sys.modules[__name__], config["does"])
    return deed(config["path"]) if config["path"] else deed()

def by_globals(config):
    deed = globals()[config["does"]]
    return deed(config["path"]) if config["path"] else deed()
"""
DEEDS = [
    "saves_a_model",
    "pickles_classes",
    "pickles_functions",
    "uses_a_pool",
    "keeps_its_state",
    "looks_at_values",
]
PLACES = {"a main program": "__main__", "a file": "experiment_of_a_test"}


@dataclass(frozen=True)
class Either:
    """A function of two scripts."""

    main: Callable[[dict], float]
    file: Callable[[dict], float]

    def __call__(self, config: dict) -> float:
        return (self.main if config["place"] == "a main program" else self.file)(config)


def loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], str | float]]:
    """What each deed gave, in both kinds of scripts: a value, or the reason why not."""
    folder = tmp_path_factory.mktemp("scripts")
    path = folder / "script.py"
    path.write_text(SOURCE)
    jobs = []
    with pytest.MonkeyPatch.context() as patch:
        for name in PLACES.values():
            patch.setitem(sys.modules, name, sys.modules.get(name, ModuleType(name)))
        modules = {place: loaded(name, path) for place, name in PLACES.items()}
        for place, module in modules.items():
            written = folder / place
            written.write_bytes(pickle.dumps(module.Setting(8)))
            jobs += [(place, deed, "") for deed in [*DEEDS, "asks_for_a_lock"]]
            jobs.append((place, "reads", str(written)))
        f = Either(modules["a main program"].by_attribute, modules["a file"].by_globals)
        with closing(ProcessExecutor(FunctionProblem(f, SPACE), workers=1)) as executor:
            executor.submit(
                [
                    segment(i, config={"place": place, "does": deed, "path": path})
                    for i, (place, deed, path) in enumerate(jobs)
                ]
            )
            reports, outcomes = drain(executor)
    values = {report.trial: report.metrics["loss"] for report in reports}
    yield {
        (place, deed): values.get(i, outcomes[0, i].reason)
        for i, (place, deed, _) in enumerate(jobs)
    }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("deed", [*DEEDS, "reads"])
def test_what_a_script_defines_is_found_by_its_name(done, deed: str, place: str) -> None:
    assert done[place, deed] == 1.0


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_could_not_be_sent_says_why(done, place: str) -> None:
    reason = done[place, "asks_for_a_lock"]
    assert f"{PLACES[place]}.LOCK is not in the worker processes: it is a lock" in reason
    assert "let the function itself refer to it" in reason


def test_what_is_too_large_is_sent_only_to_a_function_that_refers_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scripts, "_MOST", 10_000)
    module = ModuleType("script_with_data")
    exec("data = bytes(20_000)\ndef uses():\n    return data\nother = 3", vars(module))
    pickled = scripts.dumps(module.uses, [module])
    (script,), thing = pickle.loads(pickled)
    assert set(script.entries) == {"other"}
    assert set(script.missing) == {"data", "uses"}
    assert "more than 0 MB" in script.missing["data"]
    assert len(thing) > 20_000


def test_an_object_that_fails_when_it_is_pickled_spoils_no_other() -> None:
    module = ModuleType("script_with_a_fault")
    exec(
        "class Stubborn:\n    def __reduce__(self):\n        raise ValueError('no')\n"
        "thing = Stubborn()\ndef f():\n    return 1",
        vars(module),
    )
    module.lock = threading.Lock()  # type: ignore[attr-defined]
    (script,), _ = pickle.loads(scripts.dumps(module.f, [module]))
    assert {"f", "Stubborn"} <= set(script.entries)
    assert "ValueError: no" in script.missing["thing"]
