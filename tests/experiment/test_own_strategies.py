"""Own strategies that raise, or say what no strategy may: one error, and a store that goes on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from doubles import SPACE, Walk, label
from hypothesis import HealthCheck, given, settings

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.errors import HpoError, StrategyError, StudyError
from hpo_research.experiment.loop import execute
from hpo_research.records import Ask, Resume, Start, Stop, resume, start, stop
from hpo_research.store import Store

MIDDLE = {"x": 0.5, "kind": "a"}
Answer = Callable[[Sequence[hpo.Run], Sequence[int]], object]


@dataclass(frozen=True)
class Says:
    """Random search, until `answer` is there to answer for it."""

    answer: list[Answer] = field(default_factory=list, metadata={"identity": False})

    def ask(self, runs, slots):
        return self.answer[0](runs, slots) if self.answer else hpo.Random().ask(runs, slots)


def asked(answer: Answer, epochs: int = 9) -> hpo.Study:
    """A study with trial 0 running and trial 1 paused, whose strategy answers so from now on."""
    says = Says()
    study = hpo.Study(SPACE, says, max_epochs=epochs)
    says.answer.append(
        lambda runs, slots: [Ask((start(MIDDLE, 1, "own"), start(MIDDLE, 1, "own")))]
    )
    study.ask(2)
    says.answer.clear()
    says.answer.append(lambda runs, slots: [Ask()])
    study.tell(1, 0.5)
    says.answer.clear()
    says.answer.append(answer)
    return study


def begin(**changes: object) -> list[Ask]:
    return [Ask((replace(start(MIDDLE, 3, "own"), **changes),))]


WRONG = [
    (None, "study: expected a list of one Ask per run, got None of type NoneType"),
    ({"x": 1}, "expected a list of one Ask per run, got {'x': 1} of type dict"),
    ((Ask() for _ in "a"), "expected a list of one Ask per run, got .* of type generator"),
    (Ask(), r"expected a list of one Ask per run, got Ask\("),
    ("asks", "expected a list of one Ask per run, got 'asks' of type str"),
    ([MIDDLE], "study, seed 0: expected an Ask, got {'x': 0.5, 'kind': 'a'} of type dict"),
    ([Ask(start(MIDDLE, 1, ""))], r"expected a tuple of start\(...\), .* got Start\("),
    ([Ask(None)], "expected a tuple of start.*got None"),
    ([Ask(({"x": 1},))], "expected proposals from start.*got {'x': 1} of type dict"),
    ([Ask((("start", MIDDLE, 1),))], "expected proposals from start.* of type tuple"),
    ([Ask((Start,))], "expected proposals from start.*got <class"),
    (begin(config="x=0.5"), "proposal: expected a mapping from name to value, got 'x=0.5'"),
    (begin(config=np.zeros(2)), "proposal: expected a mapping from name to value, got array"),
    (begin(config={"x": 0.5}), "proposal: 'kind' is missing"),
    (begin(config={**MIDDLE, 3: 1}), "proposal: 3 is not a hyperparameter of this space"),
    (begin(config={**MIDDLE, "x": np.array([0.5])}), r"proposal: x: expected a number"),
    (begin(config={**MIDDLE, "x": math.nan}), r"proposal: x: expected a number .* got nan"),
    (begin(config={**MIDDLE, "kind": []}), r"proposal: kind: expected one of"),
    (
        begin(until=3.0),
        r"until must be an integer above 0 and at most 9, got 3.0 of type float",
    ),
    (begin(until=math.nan), "until must be an integer .* got nan of type float"),
    (begin(until=True), "until must be an integer .* got True of type bool"),
    (begin(until=None), "until must be an integer .* got None"),
    (begin(until=2**70), "until must be an integer"),
    (begin(origin=b"own"), "origin must be a string, got b'own' of type bytes"),
    ([Ask((resume(True, 3),))], "cannot resume trial True of type bool, which does not exist"),
    ([Ask((resume(1.0, 3),))], r"cannot resume trial 1\.0 of type float, which does not exist"),
    ([Ask((resume("1", 3),))], "cannot resume trial '1' of type str, which does not exist"),
    ([Ask((resume(2**70, 3),))], "cannot resume trial 1180591620717411303424, which does not"),
    ([Ask((stop(-1),))], "cannot stop trial -1, which does not exist; name one by its id, below 2"),
    ([Ask((stop(0), stop(np.int64(0))))], "trial 0 is resumed or stopped twice in one ask"),
    ([Ask((), ["a"])], r"notes must be a dict, got \['a'\] of type list"),
    ([Ask((), {3: 1.0})], "the names of notes must be strings, got 3 of type int"),
    ([Ask((), {"a": None})], "note 'a' must be a number, a string or a list of numbers, got None"),
    ([Ask((), {"a": [[1.0]]})], r"note 'a' must be .* got \[\[1.0\]\]"),
    ([Ask((), {"a": np.zeros((2, 2))})], "note 'a' must be"),
    ([Ask((), {"a": {"b": 1}})], "note 'a' must be"),
    ([Ask((), {"a": b"x"})], "note 'a' must be"),
    ([Ask((), {"a": 1j})], "note 'a' must be"),
    ([Ask((), {"a": 10**5000})], "note 'a' must be"),
    ([Ask((), {}, 3.0)], "seconds must be a dict, got 3.0 of type float"),
    ([Ask((), {}, {"fit": "1 s"})], r"seconds\['fit'\] must be a number of seconds, got '1 s'"),
    ([Ask((), {}, {"fit": -1.0})], r"seconds\['fit'\] must be a number of seconds, got -1.0"),
    ([Ask((), {}, {"fit": math.nan})], r"seconds\['fit'\] must be a number of seconds, got nan"),
]


@pytest.mark.parametrize(("answer", "message"), WRONG, ids=[label(m) for _, m in WRONG])
def test_what_no_strategy_may_say_is_one_line(answer: object, message: str):
    study = asked(lambda runs, slots: answer)
    with pytest.raises(StrategyError, match=message) as caught:
        study.ask(3)
    assert len(str(caught.value).splitlines()) == 1
    assert [trial.id for trial in study.pending] == [0]
    study.tell(0, 0.25) if answer is None else None  # the books are whole


def test_numpy_and_torch_scalars_are_taken_as_what_they_are():
    proposals = [
        start({"x": np.float32(0.5), "kind": np.str_("a")}, np.int64(3), np.str_("own")),
        resume(np.int64(1), np.uint8(4)),
        stop(np.int32(0)),
    ]
    notes = {
        "scalar": np.float64(0.5),
        "array": np.arange(2),
        "tensor": torch.ones(2),
        "zero": torch.tensor(1),
        "flag": np.bool_(True),
        "tuple": (1, np.float32(0.5)),
        "nan": math.nan,
        "text": np.str_("why"),
    }
    study = asked(lambda runs, slots: [Ask(proposals, notes, {"fit": np.float32(0.5)})])
    assert [(trial.id, trial.until, trial.origin) for trial in study.ask(2)] == [
        (2, 3, "own"),
        (1, 4, "own"),
    ]
    ask = study._ledger.asks[-1]
    kinds = {key: type(note) for key, note in ask.notes.items()}
    assert kinds == dict.fromkeys(notes, list) | {
        "scalar": float, "zero": int, "flag": bool, "nan": float, "text": str
    }  # fmt: skip
    assert ask.notes["tensor"] == [1.0, 1.0] and ask.notes["tuple"] == [1, 0.5]
    assert ask.seconds == {"fit": 0.5}
    assert {type(p.until) for p in ask.proposals} == {int}
    assert type(study.trials[2].config["x"]) is float


def test_what_a_strategy_keeps_of_its_answer_changes_nothing_afterwards():
    config, notes = dict(MIDDLE), {"a": [1.0]}
    study = asked(lambda runs, slots: [Ask((start(config, 3, "own"),), notes)])
    study.ask()
    config["x"], notes["b"] = 0.9, 2.0
    notes["a"].append(2.0)
    assert study.trials[2].config == MIDDLE
    assert study._ledger.asks[-1].notes == {"a": [1.0]}


def test_text_that_is_no_unicode_is_stored_with_a_sign_for_it(tmp_path: Path):
    says = Says([lambda runs, slots: [Ask((start(MIDDLE, 1, "\ud800"),), {"\ud800": "\ud800"})]])
    with hpo.Study(SPACE, says, path=tmp_path) as study:
        study.ask()
    assert hpo.Result.read(tmp_path).frame()["origin"].tolist() == ["\\ud800"]


# --- strategies that raise ---


def raises(runs, slots):
    if any(run.seed == 1 and run.trials for run in runs):
        return {}["missing"]  # the line of the user's
    return hpo.Random().ask(runs, slots)


def experiment(says: Says, **changes: object) -> hpo.Experiment:
    fields = {
        "name": "own",
        "problems": [Walk(name="one"), Walk(name="two")],
        "strategies": {"mine": says},
        "seeds": [0, 1],
        "budget": hpo.Budget(trials=3),
        "parallel": 1,
    }
    return hpo.Experiment(**{**fields, **changes})


def test_an_exception_in_a_strategy_names_the_run_and_the_line_and_all_is_kept(tmp_path: Path):
    says = Says()
    own = experiment(says)
    says.answer.append(raises)
    with pytest.raises(StrategyError) as caught:
        hpo.run(own, out=tmp_path, device="cpu")
    message = str(caught.value)
    assert message.startswith(
        "mine on one, seed 1: ask raised KeyError: 'missing' (test_own_strategies.py:"
    )
    assert 'in raises: return {}["missing"]' in message
    assert message.endswith("everything stored so far is kept, and the same call resumes once the "
                            "strategy is fixed")  # fmt: skip
    assert isinstance(caught.value.__cause__, KeyError)
    assert len(hpo.Result.read(tmp_path).frame()) == 4
    says.answer.clear()
    mended = hpo.run(own, out=tmp_path, device="cpu")
    with Store.in_memory() as store:
        execute(own, store, Compute())
        whole = hpo.Result.of(store)
    columns = ["problem", "strategy", "seed", "trial", "config.x", "value"]
    assert mended.frame()[columns].equals(whole.frame()[columns])


def test_a_strategy_that_fails_in_company_alone_names_everybody():
    says = Says()
    own = experiment(says)
    says.answer.append(lambda runs, slots: [Ask()] if len(runs) == 1 else 1 / 0)
    with Store.in_memory() as store, pytest.raises(StrategyError) as caught:
        execute(own, store, Compute())
    assert str(caught.value).startswith(
        "mine on one, two, seeds 0, 1 (asked together; asked alone, none of its runs fails): "
        "ask raised ZeroDivisionError"
    )


def burst(x, y):
    raise RuntimeError("the kernel burst")


def test_a_model_of_the_users_that_fails_is_named_with_the_run_and_the_line():
    theirs = {"theirs": hpo.Bayesian(model=burst, initial=2)}
    with pytest.raises(StrategyError) as caught:
        experiment(None, strategies=theirs, problems=[Walk()])
    assert str(caught.value).startswith(
        "theirs on walk, seed 0: Bayesian(model=burst, acquisition=qlogei): tried before the first "
        "trial, this does not run (docs/botorch.md lists what does): RuntimeError: the kernel burst"
    )
    assert "RuntimeError: the kernel burst (test_own_strategies.py:" in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [SystemExit(3), hpo.errors.SpaceError("x"), MemoryError()])
def test_whatever_a_strategy_raises_is_one_error(error: BaseException):
    def answer(runs, slots):
        raise error

    with pytest.raises(StrategyError, match=f"study, seed 0: ask raised .*{type(error).__name__}"):
        asked(answer).ask()


def test_ctrl_c_and_a_refusal_of_its_own_pass_through_a_strategy():
    for error in (KeyboardInterrupt(), StrategyError("not for me")):

        def answer(runs, slots, error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            asked(answer).ask()
        assert caught.value is error


def changes_a_config(runs, slots):
    runs[0].trials[0].config["x"] = 0.0


def changes_values(runs, slots):
    runs[0].losses[:] = 0.0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (changes_a_config, r"TypeError: a trial's configuration cannot be changed; change a copy"),
        (changes_values, "ValueError: assignment destination is read-only"),
        (lambda runs, slots: runs.clear() or [Ask()], ""),
        (lambda runs, slots: slots.append(3) or [Ask()], ""),
    ],
)
def test_a_run_cannot_be_changed_by_who_is_asked(answer: Answer, message: str):
    study = asked(answer)
    before = study.trials
    if message:
        with pytest.raises(StrategyError, match=message):
            study.ask()
    else:
        study.ask()
    assert study.trials == before
    with pytest.raises(TypeError, match="cannot be changed"):
        study.trials[0].config["x"] = 0.0
    assert dict(study.trials[0].config) == MIDDLE


@dataclass
class Loose:
    """Not frozen."""

    count: int = 0

    def ask(self, runs, slots):
        return [Ask() for _ in runs]


def test_a_dataclass_that_is_not_frozen_is_refused_with_the_line_to_write():
    message = r"must be a frozen dataclass, got Loose.*write @dataclass\(frozen=True\)"
    with pytest.raises(StudyError, match=f"strategy {message}"):
        hpo.Study(SPACE, Loose())
    with pytest.raises(hpo.errors.ExperimentError, match=rf"strategies\['mine'\] {message}"):
        experiment(Loose())
    with pytest.raises(StudyError, match=f"strategy inner= {message}"):
        hpo.Study(SPACE, hpo.MedianStopping(Loose()))


# --- whatever a strategy says ---


class Unshown:
    """An object that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("not to be shown")


NUMBERS = st.one_of(
    st.integers(-2, 4),
    st.sampled_from([2**70, -(2**70), 3.0, math.nan, math.inf, 1j, True, None, "1", b"1"]),
    st.sampled_from([np.int64(1), np.float32(0.5), np.array(1), np.bool_(1), torch.tensor(1)]),
)
ODD = st.one_of(
    NUMBERS,
    st.text(max_size=3),
    st.sampled_from([Unshown(), object(), Ask, [], (), {}, {1}, np.zeros(2), np.zeros((2, 2))]),
)
VALUES = st.one_of(ODD, st.floats(0, 1), st.sampled_from(["a", "b", "c"]))
CONFIGS = st.one_of(
    ODD,
    st.fixed_dictionaries({"x": VALUES, "kind": VALUES}),
    st.fixed_dictionaries({"x": st.floats(0, 1), "kind": st.sampled_from("abc")}),
    st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), VALUES, max_size=2),
)
PROPOSALS = st.one_of(
    st.builds(Start, CONFIGS, NUMBERS, ODD, NUMBERS),
    st.builds(Resume, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(Stop, ODD),
    st.builds(start, CONFIGS, NUMBERS, st.text(max_size=3)),
    st.builds(resume, NUMBERS, NUMBERS),
    st.builds(stop, NUMBERS),
    ODD,
)
NOTES = st.one_of(
    ODD,
    st.dictionaries(
        st.one_of(
            st.text(max_size=2),
            ODD.filter(
                lambda v: (
                    getattr(v, "__hash__", None) and not isinstance(v, np.ndarray | torch.Tensor)
                )
            ),
        ),
        st.one_of(VALUES, st.lists(VALUES, max_size=2)),
        max_size=2,
    ),
)
ASKS = st.one_of(
    st.builds(Ask, st.one_of(st.lists(PROPOSALS, max_size=3), ODD), NOTES, NOTES),
    st.builds(Ask, st.lists(PROPOSALS, max_size=2).map(tuple)),
    ODD,
)
ANSWERS = st.one_of(st.lists(ASKS, min_size=1, max_size=1), st.lists(ASKS, max_size=2), ODD)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(answers=st.lists(ANSWERS, min_size=1, max_size=4))
def test_whatever_a_strategy_answers_only_our_errors_come_and_the_study_goes_on(answers):
    study = asked(lambda runs, slots: answers[0])
    for answer in answers:
        study._strategy.answer[0] = lambda runs, slots, answer=answer: answer
        before = study.trials
        try:
            study.ask(3)
        except HpoError:
            assert study.trials == before
    stored = hpo.Result.of(study._store)
    (run,) = stored.runs.values()
    fields = hpo.Trial.__dataclass_fields__
    for name in fields:  # also those that == leaves out
        own, theirs = ([getattr(t, name) for t in s.trials] for s in (run, study))
        assert repr(own) == repr(theirs)
    assert repr(run.asks) == repr(study._ledger.run().asks)
    study._strategy.answer.clear()
    for trial in study.ask(2):
        study.tell(trial.id, 0.5)
    study.close()
