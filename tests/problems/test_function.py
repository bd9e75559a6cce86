"""The user's own function as a problem, in this process."""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from hpo_research.errors import ProblemError
from hpo_research.problems.function import FunctionProblem, function_of
from hpo_research.problems.protocol import Problem
from hpo_research.problems.reporting import NoValue, blame, value_reason
from hpo_research.problems.synthetic import Synthetic
from hpo_research.problems.wrappers import Discretised, Noisy
from hpo_research.records import Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import Float, SearchSpace

SPACE = SearchSpace(x=Float(0, 1))


def segment(trial: int = 0, *, until: int = 1, **fields: Any) -> Segment:
    return Segment(0, trial, {"x": trial / 4}, until, Stream(3).at("trial", trial), **fields)


def one(f: Callable[..., object], until: int = 1, **options: Any) -> list[Report]:
    """Run one segment to its end."""
    problem = FunctionProblem(
        f, SPACE, max_epochs=max(until, options.pop("max_epochs", 1)), **options
    )
    return [report for reports in problem.evaluate([segment(until=until)]) for report in reports]


def said(report: Report) -> str:
    value = report.metrics["loss"]
    assert isinstance(value, NoValue)
    assert value != value
    return value.reason


def count(config: dict, report: Callable[[int, object], bool]) -> None:
    for epoch in range(report.start + 1, report.until + 1):
        if not report(epoch, config["x"] + epoch):
            return


def test_it_is_a_frozen_problem_named_after_its_function() -> None:
    problem = FunctionProblem(count, SPACE, max_epochs=3)
    assert isinstance(problem, Problem)
    assert (problem.name, problem.optimum, problem.has_recorded_seconds) == ("count", None, False)
    assert problem == FunctionProblem(count, SPACE, max_epochs=3)
    with pytest.raises(FrozenInstanceError):
        problem.name = "other"


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda config: 0.0, "function"),
        (functools.partial(count, report=None), "count"),
        (count, "count"),
    ],
)
def test_a_function_without_a_name_of_its_own_has_a_sensible_one(f, name: str) -> None:
    assert FunctionProblem(f, SPACE).name == name
    assert FunctionProblem(f, SPACE, name="mine").name == "mine"


@pytest.mark.parametrize(
    ("f", "takes_report"),
    [
        (lambda config: 0, False),
        (lambda config, report: 0, True),
        (lambda config, seed=0: 0, False),
        (lambda config, report=None: 0, True),
        (lambda *arguments: 0, False),
        (lambda config, **options: 0, False),
        (functools.partial(lambda data, config, report: 0, []), True),
        (float, False),
    ],
)
def test_whether_a_function_reports_is_read_from_its_arguments(f, takes_report: bool) -> None:
    assert FunctionProblem(f, SPACE).takes_report is takes_report


@pytest.mark.parametrize(
    ("f", "options", "message"),
    [
        (3, {}, "f must be a function of a config"),
        (lambda: 0, {}, r"expected f\(config\) or f\(config, report\), got function\(\)"),
        (lambda a, b, c: 0, {}, r"got function\(a, b, c\); bind the other arguments"),
        (lambda config, *, data: 0, {}, r"got function\(config, \*, data\)"),
        (lambda config: 0, {"max_epochs": 3}, r"write it as f\(config, report\)"),
        (lambda config: 0, {"can_resume": True}, r"only f\(config, report\) can resume"),
        (count, {"max_epochs": 0}, r"max_epochs=0\): max_epochs must be an integer >= 1"),
        (count, {"workers": 0}, r"workers=0\): workers must be an integer >= 1"),
        (count, {"timeout": 0}, r"timeout=0\): timeout must be a finite number of seconds > 0"),
        (
            count,
            {"memory": "much"},
            r"memory='much'\): memory must be bytes, or a string such as '2 GB'",
        ),
        (count, {"memory": 0}, r"memory=0\): memory must be bytes"),
        (
            count,
            {"direction": "down"},
            r"direction='down'\): direction must be one of minimize, maximize",
        ),
        (count, {"max_epochs": True}, r"max_epochs=True\): max_epochs must be an integer >= 1"),
        (
            count,
            {"workers": 1.5},
            r"workers=1.5\): workers must be an integer >= 1, or None",
        ),
        (
            count,
            {"timeout": "5"},
            r"timeout='5'\): timeout must be a finite number of seconds > 0, or None",
        ),
        (
            count,
            {"timeout": float("inf")},
            r"timeout=inf\): timeout must be a finite number of seconds > 0, or None",
        ),
        (
            count,
            {"timeout": float("nan")},
            r"timeout=nan\): timeout must be a finite number of seconds > 0, or None",
        ),
        (count, {"memory": True}, r"memory=True\): memory must be bytes"),
        (count, {"memory": [1]}, r"memory=\[1\]\): memory must be bytes"),
        (
            count,
            {"max_epochs": 10**5000},
            r"max_epochs=an integer of 16610 bits\): max_epochs must be at most 2\*\*53",
        ),
        (
            count,
            {"workers": 2**70},
            r"workers=\d+\): workers must be at most 2\*\*53, or None",
        ),
        (
            count,
            {"timeout": 10**400},
            r"timeout=10+\): timeout must be a finite number of seconds > 0",
        ),
        (
            count,
            {"timeout": pd.NA},
            r"timeout=<NA>\): timeout must be a finite number of seconds > 0",
        ),
        (count, {"memory": 2**70}, r"memory=\d+\): memory must be bytes"),
        (count, {"memory": "9" * 5000}, r"memory='9+.*\): memory must be bytes"),
        (
            count,
            {"direction": pd.NA},
            r"direction=<NA>\): direction must be one of minimize, maximize",
        ),
        (
            count,
            {"direction": np.array(["minimize"] * 2)},
            r"direction=array.*\): direction must be one",
        ),
        (count, {"metric": 3}, r"metric=3\): metric must be a non-empty string"),
        (count, {"can_resume": 1}, r"can_resume=1\): can_resume must be True or False"),
        (count, {"name": 3}, r"name=3\): name must be a non-empty string"),
    ],
)
def test_a_mistake_is_refused_at_birth(f, options: dict, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        FunctionProblem(f, SPACE, **options)


@pytest.mark.parametrize("space", [3, None, {"x": (0, 1)}, SearchSpace])
def test_a_space_must_be_one(space: object) -> None:
    with pytest.raises(
        ProblemError, match=r"FunctionProblem\(space=.*\): space must be a SearchSpace"
    ):
        FunctionProblem(count, space)


def test_all_mistakes_are_said_at_once_with_a_line_for_each() -> None:
    with pytest.raises(ProblemError) as caught:
        FunctionProblem(lambda: 0, 3, metric=4, max_epochs=0, timeout="5", memory="much")
    names = [line.split("=")[0] for line in str(caught.value).split("\n")]
    assert names[1:] == [
        f"FunctionProblem({name}" for name in ("metric", "space", "max_epochs", "timeout", "memory")
    ]
    assert str(caught.value).startswith("FunctionProblem(function): expected f(config) or")


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_function_is_found_inside_its_wrappers(layers: int) -> None:
    function = FunctionProblem(count, SPACE, max_epochs=3)
    problem = [function, Noisy(function, 0.1), Noisy(Discretised(function, 4), 0.1)][layers]
    assert function_of(problem) is function
    assert function_of(Noisy(Synthetic("branin"), 0.1)) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "loss is not reported at epoch 3"),
        (float("nan"), "loss is nan at epoch 3"),
        (float("-inf"), "loss is -inf at epoch 3"),
        (NoValue("ValueError: bad width"), "ValueError: bad width"),
    ],
)
def test_a_bad_value_has_a_reason(value: float | None, reason: str) -> None:
    assert value_reason("loss", value, 3) == reason


@pytest.mark.parametrize(
    ("memory", "bytes_"),
    [(None, None), (1000, 1000), ("2 GB", 2 * 10**9), ("1.5gib", 3 * 2**29), ("300 MB", 3 * 10**8)],
)
def test_memory_is_read_in_bytes_or_units(memory, bytes_) -> None:
    assert FunctionProblem(count, SPACE, memory=memory).memory_bytes == bytes_


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        np.float32(0.5),
        np.array(0.5),
        torch.tensor(0.5),
        torch.tensor(0.5, requires_grad=True),
        {"loss": 0.5},
        {"loss": np.float64(0.5)},
    ],
    ids=repr,
)
def test_anything_that_is_one_number_is_a_value(value) -> None:
    (report,) = one(lambda config: value)
    assert report.metrics == {"loss": 0.5}
    assert type(report.metrics["loss"]) is float
    assert report.seconds is not None and report.seconds >= 0


def test_other_metrics_are_kept() -> None:
    (report,) = one(lambda config: {"loss": 1, "accuracy": np.int64(2), "other": float("inf")})
    assert report.metrics == {"loss": 1.0, "accuracy": 2.0, "other": float("inf")}


BAD = {
    "text": ("0.5", "returned the string '0.5' for 'loss', expected a number"),
    "NumPy text": (np.str_("a"), "returned the string 'a' for 'loss', expected a number"),
    "None": (None, "returned None for 'loss', expected a number"),
    "NaN": (float("nan"), "returned nan for 'loss', expected a finite number"),
    "inf": (torch.tensor(float("-inf")), "returned -inf for 'loss', expected a finite number"),
    "a truth value": (np.bool_(True), "returned True for 'loss', expected a number"),
    "a complex number": (1j, "returned a complex for 'loss', expected a number"),
    "a row": (np.zeros(1), "returned a ndarray for 'loss', expected a number"),
    "a huge integer": (10**400, "returned an integer too large for 'loss'"),
    "no metric": ({"a": 1, "b": 2}, "returned a dict of [a, b], without the metric 'loss'"),
    "text beside it": ({"loss": 1, "b": "x"}, "returned the string 'x' for 'b', expected a number"),
    "a lock": (threading.Lock(), "returned a lock for 'loss', expected a number"),
}


@pytest.mark.parametrize("what", BAD)
def test_anything_else_is_a_failure_that_says_what_came(what: str) -> None:
    value, reason = BAD[what]
    (report,) = one(lambda config: value)
    assert said(report) == reason
    reports = one(lambda config, report: report(1, 1.0) and report(2, value), until=3)
    assert [r.epoch for r in reports] == [1, 2]
    assert said(reports[1]) == "report(epoch=2): " + reason.removeprefix("returned ")


def test_an_exception_is_a_failure_with_the_users_own_line() -> None:
    def f(config):
        return torch.zeros(2) @ torch.zeros(3)

    (report,) = one(f)
    assert said(report).startswith("RuntimeError: ")
    assert said(report).endswith(", f: return torch.zeros(2) @ torch.zeros(3))")
    assert "(test_function.py:" in said(report)


@pytest.mark.parametrize("error", [SystemExit(2), GeneratorExit(), MemoryError("all gone")])
def test_whatever_is_raised_is_a_failure(error: BaseException) -> None:
    def f(config, report):
        raise error

    (report,) = one(f, until=2)
    assert said(report).startswith(type(error).__name__)


def test_an_interrupt_from_the_keyboard_is_the_users_own() -> None:
    def f(config):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(f)


def test_an_error_that_cannot_be_printed_is_still_a_reason() -> None:
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no")

    try:
        raise Mute
    except Mute as error:
        assert "<exception str() failed>" in blame(error, None)


REPORTS = {
    "every epoch": ([(1, 1.0), (2, 2.0), (3, 3.0)], None, [1, 2, 3], ""),
    "some epochs": ([(2, 1.0), (3, 2.0)], None, [2, 3], ""),
    "the last by returning": ([(1, 1.0)], 2.0, [1, 3], ""),
    "all, and returns something": ([(3, 1.0)], "anything", [3], ""),
    "more than asked": ([(3, 1.0), (4, 1.0)], None, [3], ""),
    "going back": ([(2, 1.0), (1, 1.0)], None, [2], "epochs must go up, and epoch 2 is done"),
    "twice": ([(2, 1.0), (2, 1.0)], None, [2], "epochs must go up, and epoch 2 is done"),
    "beyond": ([(1, 1.0), (4, 1.0)], None, [1], "it was to train until epoch 3 (report.until)"),
    "half an epoch": ([(1.5, 1.0)], None, [], "an epoch must be an integer"),
    "too few": ([(1, 1.0)], None, [1], "returned at epoch 1, before epoch 3; train until"),
    "none": ([], None, [], "returned None for 'loss', expected a number"),
}


@pytest.mark.parametrize("what", REPORTS)
def test_reports_are_taken_as_documented(what: str) -> None:
    calls, returned, epochs, reason = REPORTS[what]

    def f(config, report):
        for epoch, value in calls:
            report(epoch, value)
        return returned

    reports = one(f, until=3)
    good = [r for r in reports if not isinstance(r.metrics["loss"], NoValue)]
    assert [r.epoch for r in good] == epochs
    assert len(reports) == len(good) + bool(reason)
    if reason:
        assert reason in said(reports[-1])


def test_a_failure_after_the_last_report_takes_it_back() -> None:
    def f(config, report):
        report(2, 1.0)
        raise ValueError("too late")

    (report,) = one(f, until=2)
    assert said(report).startswith("ValueError: too late")


def test_trials_advance_together_and_a_dropped_one_is_told() -> None:
    told = []

    def f(config, report):
        for epoch in range(1, report.until + 1):
            if not report(epoch, config["x"]):
                told.append((config["x"], epoch))
                return

    evaluation = FunctionProblem(f, SPACE, max_epochs=5).evaluate(
        [segment(i, until=3 + i) for i in range(3)]
    )
    steps = [[(r.trial, r.epoch) for r in next(evaluation)]]
    steps.append([(r.trial, r.epoch) for r in evaluation.send([(0, 1)])])
    assert told == [(0.25, 1)]
    steps += [[(r.trial, r.epoch) for r in reports] for reports in evaluation]
    assert steps == [
        [(0, 1), (1, 1), (2, 1)],
        [(0, 2), (2, 2)],
        [(0, 3), (2, 3)],
        [(2, 4)],
        [(2, 5)],
    ]


def test_closing_the_evaluation_ends_its_functions() -> None:
    before = threading.active_count()
    problem = FunctionProblem(count, SPACE, max_epochs=5)
    evaluation = problem.evaluate([segment(i, until=5) for i in range(3)])
    next(evaluation)
    assert threading.active_count() == before + 3
    evaluation.close()
    assert threading.active_count() == before


def test_training_to_3_then_to_9_equals_training_to_9() -> None:
    def f(config, report):
        file = report.folder / "total.txt"
        total = float(file.read_text()) if report.start else 0.0
        for epoch in range(report.start + 1, report.until + 1):
            total += config["x"] / epoch
            report(epoch, total)
        file.write_text(repr(total))

    problem = FunctionProblem(f, SPACE, max_epochs=9, can_resume=True)
    first = segment(1, until=3)
    early = []
    for reports in problem.evaluate([first]):
        early += reports
        state = reports[0].state() if reports[0].epoch == 3 else None
    late = problem.evaluate([replace(first, start=3, until=9, state=state)])
    whole = problem.evaluate([replace(first, until=9)])
    joined = early + [report for reports in late for report in reports]
    assert [(r.epoch, r.metrics) for r in joined] == [
        (r.epoch, r.metrics) for reports in whole for r in reports
    ]


def saving(when: str) -> Callable[..., object]:
    """A function that keeps its epoch in a file, at different times."""

    def f(config, report):
        file = report.folder / "epoch.txt"
        for epoch in range(report.start + 1, report.until + 1):
            if when == "before each report" or (when == "before some" and epoch % 2):
                file.write_text(str(epoch))
            goes_on = report(epoch, 0.5)
            if when == "after each report" or (when == "at its end" and not goes_on):
                file.write_text(str(epoch))

    return f


@pytest.mark.parametrize(
    ("when", "kept"),
    [
        ("before each report", [1, 2, 3, 4, 5]),
        ("before some", [1, 3, 5]),
        ("after each report", [5]),
        ("at its end", [5]),
    ],
)
@pytest.mark.parametrize("start", [0, 4])
def test_a_state_never_holds_the_files_of_another_epoch(
    when: str, kept: list[int], start: int
) -> None:
    problem = FunctionProblem(saving(when), SPACE, max_epochs=9, can_resume=True)
    state = {"epoch.txt": torch.tensor(list(b"4"), dtype=torch.uint8)} if start else None
    states = {}
    for (report,) in problem.evaluate([segment(start=start, until=start + 5, state=state)]):
        time.sleep(0.01)  # the file system's clock may be no finer
        if report.state is not None:
            states[report.epoch] = report.state()["epoch.txt"].numpy().tobytes().decode()
    assert list(states) == [start + epoch for epoch in kept]
    assert list(states.values()) == [str(start + epoch) for epoch in kept]


def test_a_trial_uses_its_own_folder_and_leaves_nothing(tmp_path: Path) -> None:
    problem = FunctionProblem(saving("before each report"), SPACE, max_epochs=3, can_resume=True)
    evaluation = problem.evaluate([segment(until=3, folder=str(tmp_path / "own"))])
    next(evaluation)
    assert (tmp_path / "own" / "files" / "epoch.txt").read_text() == "1"
    evaluation.close()
    assert list((tmp_path / "own").iterdir()) == []


def test_a_folder_needs_a_problem_that_can_resume() -> None:
    (report,) = one(lambda config, report: report(1, len(str(report.folder))), max_epochs=2)
    assert said(report).startswith("hpo_research.errors.ProblemError: report.folder: only a")


def test_a_trial_has_a_seed_of_its_own() -> None:
    def f(config, report):
        report(1, report.seed)

    seeds = []
    for trial in (0, 1, 0):
        (reports,) = FunctionProblem(f, SPACE).evaluate([segment(trial)])
        seeds.append(reports[0].metrics["loss"])
    assert seeds[0] == seeds[2] != seeds[1]
    assert all(0 <= seed < 2**32 for seed in seeds)


# -- exceptions that are badly behaved themselves


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Leaving(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Noted(Exception):
    __notes__ = 7


def nameless() -> Exception:
    return type("", (Exception,), {"__module__": 5})()


def bad_syntax() -> SyntaxError:
    error = SyntaxError("bad")
    error.text, error.offset, error.lineno, error.filename = 7, "x", "y", 3  # type: ignore[assignment]
    return error


BADLY_BEHAVED = {
    "its str raises": Mute,
    "its str leaves": Leaving,
    "empty": Exception,
    "blank": lambda: ValueError("  \n "),
    "huge": lambda: ValueError("x" * 10**7),
    "many lines": lambda: ValueError("line\n" * 10**5),
    "notes that are none": Noted,
    "nameless": nameless,
    "a syntax error of wrong types": bad_syntax,
    "lone surrogates": lambda: ValueError("\udcff\x1b[31m"),
    "arguments that cannot be pickled": lambda: ValueError(lambda: 0, threading.Lock()),
    "a group": lambda: BaseExceptionGroup("several", [Mute(), KeyError("k")]),
}


@pytest.mark.parametrize("kind", BADLY_BEHAVED)
def test_a_reason_is_never_empty_and_never_long(kind: str) -> None:
    def fails(config):
        raise BADLY_BEHAVED[kind]()

    ending = FunctionProblem(fails, SPACE).call(segment(0), lambda report: True)
    assert "test_function.py:" in ending.reason
    assert 20 < len(ending.reason) <= 1000


class Unshowable:
    ndim = 3

    def __repr__(self) -> str:
        raise RuntimeError("no picture")


@pytest.mark.parametrize(
    ("epoch", "value", "reason"),
    [
        (Unshowable(), 1.0, "a Unshowable that cannot be shown"),
        ("x" * 10**6, 1.0, "an epoch must be an integer"),
        (1, Unshowable(), "a Unshowable for 'loss', expected a number"),
        (1, dict.fromkeys(map(str, range(10**5)), 1.0), "without the metric 'loss'"),
        (1, {"loss": 1.0, "x" * 10**6: None}, "None for 'xxx"),
        (1, "x" * 10**6, "the string 'xxx"),
    ],
    ids=["epoch", "long epoch", "value", "many metrics", "long name", "long value"],
)
def test_whatever_is_reported_is_named_briefly(epoch: object, value: object, reason: str) -> None:
    def reports(config, report):
        report(epoch, value)

    problem = FunctionProblem(reports, SPACE, max_epochs=3)
    ending = problem.call(segment(0, until=3), lambda report: True)
    assert reason in ending.reason
    assert len(ending.reason) < 1000
