"""Text from outside: reasons that can be stored, names that can be shown, safe messages."""

import os
import xml.etree.ElementTree as ET

import pytest

import hpo_research as hpo
from hpo_research import errors, text
from hpo_research.analysis.result import Result
from hpo_research.errors import ExperimentError, ProblemError, SpaceError
from hpo_research.experiment.experiment import Experiment
from hpo_research.records import Outcome, start
from hpo_research.store import RunName, Store

HOSTILE = {
    "surrogate": os.fsdecode(b"caf\xe9.csv"),
    "escape": "\x1b]0;owned\x07\x1b[31mred",
    "nul": "a\0b",
    "csi": "a\x9b31mb",
    "return": "real\rfake",
    "override": "\u202egnp.exe",
    "isolate": "a\u2066b",
    "noncharacter": "a\ufffe\U0010ffffb",
    "separator": "a\u2028b",
    "delete": "a\x7fb",
}
HARMLESS = [
    "",
    "plain",
    "naïve café",
    "日本語",
    "👩\u200d🔬",
    "שלום",
    "a\nb\tc",
    "5 % of $x_1$ & [red]",
]

every_hostile = pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
STORED = {name: HOSTILE[name] for name in ("surrogate", "escape", "nul")}
in_stores = pytest.mark.parametrize("hostile", STORED.values(), ids=STORED)
SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


@every_hostile
def test_hostile_text_becomes_what_utf8_xml_and_terminals_take(hostile):
    shown = text.visible(hostile)
    assert text.is_visible(shown) and not text.is_visible(hostile)
    assert ET.fromstring(f"<a>{shown}</a>").text == shown.encode("utf-8").decode("utf-8")
    assert text.visible(shown) == shown


@pytest.mark.parametrize("harmless", HARMLESS)
def test_harmless_text_stays_as_it_is(harmless):
    assert text.visible(harmless) == harmless == text.storable(harmless)


def test_every_hidden_character_is_found_and_an_escape_says_which():
    assert text.visible("\x1b\udce9\u202e\U0001ffff") == r"\x1b\udce9\u202e\U0001ffff"
    every = "".join(map(chr, range(0x110000)))
    assert len(text._HIDDEN.findall(every)) == 0x20 - 2 + 0x21 + 0x800 + 11 + 32 + 34


def test_a_long_reason_loses_its_middle_and_nothing_the_second_time():
    once = text.storable("begin" + "x" * 10**6 + "end")
    assert once.startswith("begin") and once.endswith("end") and "characters left out" in once
    assert len(once) <= text.REASON_LENGTH
    assert text.storable(once) == once


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**5000, "an integer of 16610 bits"),
        (Rude(), "<Rude whose repr raises RuntimeError>"),
        ("\x1b", r"'\x1b'"),
        (1.5, "1.5"),
    ],
    ids=["huge", "rude", "escape", "number"],
)
def test_whatever_came_can_be_quoted(value, shown):
    assert text.quoted(value) == shown


@in_stores
def test_a_reason_is_stored_and_read_back(hostile, tmp_path):
    with Store.write(tmp_path) as store:
        store.add_runs([RunName("p", "s", 0)])
        outcome = Outcome(1, 0, "failed", 0, f"cannot read {hostile}")
        store.append_poll([], [outcome])
        ((_, read),) = store.history().of(1).outcomes
    assert read == outcome
    assert read.reason == f"cannot read {text.visible(hostile)}"


@every_hostile
def test_the_origin_of_a_proposal_can_be_stored(hostile):
    assert start({}, 1, hostile).origin == text.visible(hostile)


@in_stores
def test_a_study_takes_any_reason_twice_and_opens_again(hostile, tmp_path):
    for _ in range(2):
        with hpo.Study(SPACE, hpo.Random(), path=tmp_path) as study:
            trial = study.trials[0] if study.trials else study.ask()[0]
            study.fail(trial.id, hostile)
            study.fail(trial.id, hostile)
            assert study.trials[0].reason == text.visible(hostile)
    assert Result.read(tmp_path).messages()[0].endswith(text.visible(hostile))


@in_stores
def test_a_category_comes_back_as_it_went_in(hostile, tmp_path):
    space = hpo.SearchSpace(file=hpo.Categorical([hostile, text.visible(hostile)]))
    with hpo.Study(space, hpo.Grid(), path=tmp_path) as study:
        study.tell(study.ask()[0].id, 1.0)
        study.enqueue({"file": text.visible(hostile)})
    with hpo.Study(space, hpo.Grid(), path=tmp_path) as study:
        study.tell(study.ask()[0].id, 2.0)
        values = [trial.config["file"] for trial in study.trials]
    assert values == [hostile, text.visible(hostile)]
    assert [trial.config["file"] for trial in _trials(tmp_path)] == values


def _trials(folder):
    (run,) = Result.read(folder).runs.values()
    return run.trials


NAMES = {**HOSTILE, "break": "a\nb", "tab": "a\tb", "long": "x" * 201, "empty": ""}
every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@every_name
def test_a_name_that_cannot_be_shown_is_refused_at_birth(name):
    def loss(config):
        return config["x"]

    options = {
        "name": "e",
        "problems": [hpo.problem("branin")],
        "strategies": {"random": hpo.Random()},
        "seeds": [0],
        "budget": hpo.Budget(trials=1),
    }
    rule = "must (be|have)"
    with pytest.raises(SpaceError, match=f"^SearchSpace: a name {rule}"):
        hpo.SearchSpace({name: hpo.Float(0, 1)})
    with pytest.raises(ExperimentError, match=f"^Experiment: name {rule}"):
        Experiment(**{**options, "name": name})
    with pytest.raises(ExperimentError, match=f"^Experiment: a strategy's name {rule}"):
        Experiment(**{**options, "strategies": {name: hpo.Random()}})
    with pytest.raises(ProblemError, match=f"metric {rule}"):
        hpo.FunctionProblem(loss, SPACE, metric=name)
    if name:  # an empty name means that of the function
        with pytest.raises(ProblemError, match=f"name {rule}"):
            hpo.FunctionProblem(loss, SPACE, name=name)


class Branin2:
    """A problem of the user's own, known by what it is named."""

    def __init__(self, name, metric):
        self._inner = hpo.problem("branin")
        self.name, self.metric = name, metric

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_a_problem_of_ones_own_is_refused_for_its_names_too():
    options = ("e", [Branin2("a\x1b", "b\x1b")], {"r": hpo.Random()}, [0], hpo.Budget(trials=1))
    with pytest.raises(ExperimentError) as caught:
        Experiment(*options)
    assert [line[:35] for line in str(caught.value).splitlines()] == [
        "Experiment: a problem's name must b",
        "Experiment: a problem's metric must",
    ]


@every_hostile
def test_the_message_of_an_error_is_safe_to_print(hostile):
    for name in dir(errors):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.HpoError):
            assert str(kind(f"about {hostile}")) == f"about {text.visible(hostile)}"
