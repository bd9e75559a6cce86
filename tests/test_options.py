"""What an option must be, said in one wording; and values that are no options anywhere.

Each public door refuses arrays, missing values and integers beyond 64 bits with an error of ours,
whatever their `==`, their `repr` and their truth do.
"""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpo_research as hpo
from hpo_research import options
from hpo_research.errors import HpoError
from hpo_research.text import quoted

HUGE, BEYOND = 10**5000, 2**70
SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))
ARRAY = np.array(["a", "b"])


def loss(config):
    return config["x"]


def experiment(**changed):
    options = {
        "name": "e",
        "problems": [hpo.problem("branin")],
        "strategies": {"r": hpo.Random()},
        "seeds": [0],
        "budget": hpo.Budget(trials=1),
    }
    return hpo.Experiment(**{**options, **changed})


WORDS = {
    "Float.scale": lambda v: hpo.Float(1, 2, scale=v),
    "Integer.scale": lambda v: hpo.Integer(1, 2, scale=v),
    "Categorical.value": lambda v: hpo.SearchSpace(c=hpo.Categorical([v])),
    "Categorical.ordered": lambda v: hpo.Categorical([1], ordered=v),
    "SearchSpace": lambda v: hpo.SearchSpace(v),
    "SearchSpace.parameter": lambda v: hpo.SearchSpace(x=v),
    "SearchSpace.among": lambda v: hpo.SearchSpace(x=hpo.Float(0, 1), among=v),
    "SearchSpace.validate": lambda v: SPACE.validate({"x": v}),
    "Random.kind": lambda v: hpo.Random(kind=v),
    "Hyperband.eta": lambda v: hpo.Hyperband(eta="x" if v is BEYOND else v),
    "Hyperband.rounding": lambda v: hpo.Hyperband(rounding=v),
    "Hyperband.inner": lambda v: hpo.Hyperband(inner=v),
    "SuccessiveHalving.candidates": lambda v: hpo.SuccessiveHalving(candidates=v),
    "MedianStopping.kind": lambda v: hpo.MedianStopping(hpo.Random(), kind=v),
    "CurveStopping.threshold": lambda v: hpo.CurveStopping(hpo.Random(), threshold=v),
    "FreezeThaw.model": lambda v: hpo.FreezeThaw(model=v),
    "Bayesian.model": lambda v: hpo.Bayesian(model=v),
    "Bayesian.transform": lambda v: hpo.Bayesian(transform=v),
    "Bayesian.batch": lambda v: hpo.Bayesian(batch=v),
    "Bayesian.beta": lambda v: hpo.Bayesian(beta=-1 if v is BEYOND else v),
    "Grid.points": lambda v: hpo.Study(SPACE, hpo.Grid(points=v)),
    "Budget.trials": lambda v: hpo.Budget(trials=v),
    "Experiment.name": lambda v: experiment(name=v),
    "Experiment.seeds": lambda v: experiment(seeds=v),
    "Experiment.seed": lambda v: experiment(seeds=[v]),
    "Experiment.strategy": lambda v: experiment(strategies={"r": v}),
    "Experiment.execution": lambda v: experiment(execution=v),
    "Experiment.final": lambda v: experiment(final=v),
    "Experiment.budget": lambda v: experiment(budget=v),
    "Study.strategy": lambda v: hpo.Study(SPACE, v),
    "Study.seed": lambda v: hpo.Study(SPACE, hpo.Random(), seed=v),
    "Study.direction": lambda v: hpo.Study(SPACE, hpo.Random(), direction=v),
    "Study.max_epochs": lambda v: hpo.Study(SPACE, hpo.Random(), max_epochs=v),
    "Study.ask": lambda v: hpo.Study(SPACE, hpo.Random()).ask(v),
    "FunctionProblem.space": lambda v: hpo.FunctionProblem(loss, v),
    "FunctionProblem.metric": lambda v: hpo.FunctionProblem(loss, SPACE, metric=v),
    "FunctionProblem.direction": lambda v: hpo.FunctionProblem(loss, SPACE, direction=v),
    "FunctionProblem.memory": lambda v: hpo.FunctionProblem(loss, SPACE, memory=v),
    "problem": lambda v: hpo.problem(v),
}
VALUES = {"array": ARRAY, "missing": pd.NA, "huge": HUGE, "beyond": BEYOND}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("door", WORDS.values(), ids=WORDS)
def test_what_is_no_option_is_refused_with_words(door, value):
    with pytest.raises(HpoError) as caught:
        door(value)
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize(
    "bounds", [(0, HUGE), (-HUGE, 0), (0, BEYOND), (pd.NA, 1), (0, np.array([1, 2]))], ids=quoted
)
@pytest.mark.parametrize("kind", [hpo.Float, hpo.Integer])
def test_bounds_that_are_no_numbers_here_are_refused(kind, bounds):
    if kind is hpo.Float and bounds[1] is BEYOND:
        return  # a float of ours
    with pytest.raises(HpoError, match=f"^{kind.__name__}"):
        kind(*bounds)


@pytest.mark.parametrize("value", [HUGE, BEYOND, pd.NA, np.array([1.0, 2.0]), "1"], ids=quoted)
def test_a_value_that_is_none_is_refused_and_the_study_goes_on(value):
    with hpo.Study(SPACE, hpo.Random()) as study:
        (trial,) = study.ask()
        if value is BEYOND:
            study.tell(trial.id, value)
            assert study.best.value == float(BEYOND)
            return
        with pytest.raises(HpoError):
            study.tell(trial.id, value)
        study.tell(trial.id, 1.0)


@pytest.mark.parametrize(
    ("points", "space"),
    [
        (10**15, SPACE),
        ({"x": 10**15}, SPACE),
        (10**15, hpo.SearchSpace(n=hpo.Integer(0, 2**40))),
        (HUGE, SPACE),
    ],
    ids=quoted,
)
def test_a_grid_too_long_to_be_written_out_is_refused_at_once(points, space):
    with pytest.raises(HpoError, match="points, and an axis has at most 100000; give fewer"):
        hpo.Grid(points=points).lattice(space)


def test_more_points_than_values_are_all_values_as_ever():
    assert hpo.Grid(points=10**15).lattice(hpo.SearchSpace(n=hpo.Integer(1, 9))).size == 9


def test_a_data_frame_is_told_how_to_be_a_list_of_configurations():
    frame = pd.DataFrame({"x": [0.1, 0.2]})
    with pytest.raises(HpoError, match=r"a data frame gives one as frame.to_dict\('records'\)"):
        hpo.SearchSpace(x=hpo.Float(0, 1), among=frame)
    assert hpo.SearchSpace(x=hpo.Float(0, 1), among=frame.to_dict("records")).size == 2


# --- rules ---


RULES = [
    (options.whole(), [1, 2**53], "an integer >= 1", [0, -1, True, 1.0, "1", None, np.int64(1)]),
    (options.whole(2), [2], "an integer >= 2", [1]),
    (options.whole(), [], "at most 2**53", [2**53 + 1, HUGE]),
    (options.whole(most=4096), [1, 4096], "an integer from 1 to 4,096", [0, 4097, HUGE]),
    (options.whole(2, 2), [2], "2", [1, 3]),
    (options.foreign(options.whole()), [np.int64(3), 3], "an integer >= 1", [0, 1.0, False, ARRAY]),
    (options.number(), [-1, 0.5, Fraction(1, 3)], "a finite number", [math.inf, math.nan, HUGE]),
    (options.number(least=0), [0, 1e300], "a finite number >= 0", [-1e-300, True, "0", pd.NA]),
    (options.number(least=0, most=1), [0, 1], "a number >= 0 and <= 1", [-0.1, 1.1, math.nan]),
    (options.number("share", above=0, below=1), [0.5], "a share > 0 and < 1", [0, 1, HUGE, 1j]),
    (options.one_of(("a", "b")), ["a", "b"], "one of a, b", ["", "c", None, 1, ARRAY, pd.NA]),
    (options.flag, [True, False], "True or False", [0, 1, None, bool, np.True_]),
    (options.optional(options.flag), [None, True], "True or False, or None", [0, "None"]),
    (options.seed, [0, -(2**63) + 1], "an integer", [1.0, None, True, np.int64(1)]),
    (options.seed, [], "an integer between -2**63 and 2**63", [2**63, -(2**63)]),
]


@pytest.mark.parametrize(("rule", "legal", "expected", "wrong"), RULES)
def test_a_rule_says_what_is_expected_of_what_it_refuses_and_nothing_else(
    rule, legal, expected, wrong
):
    assert [rule(value) for value in legal] == [""] * len(legal)
    assert [rule(value) for value in wrong] == [expected] * len(wrong)


def test_mistakes_of_a_call_are_said_at_once_with_the_value_and_what_to_do():
    mistakes = options.Mistakes("ASHA")
    assert mistakes.check("batch", 4, options.whole())
    mistakes.refuse(HpoError)
    assert not mistakes.check("eta", 1, options.whole(2, hint="3 is usual"))
    mistakes.add("(top=9): top must not be above candidates")
    with pytest.raises(HpoError) as caught:
        mistakes.refuse(HpoError)
    assert str(caught.value).splitlines() == [
        "ASHA(eta=1): eta must be an integer >= 2; 3 is usual",
        "ASHA(top=9): top must not be above candidates",
    ]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("ask", "ask(n=0): n must be an integer >= 1; 4 is usual"),
        ("", "n=0: n must be an integer >= 1; 4 is usual"),
        ("Study:", "Study: n must be an integer >= 1, got 0; 4 is usual"),
        ("Noisy(branin, n=0)", "Noisy(branin, n=0): n must be an integer >= 1, got 0; 4 is usual"),
    ],
)
def test_a_mistake_is_said_beside_the_call_as_it_was_written(call, line):
    with pytest.raises(HpoError) as caught:
        options.require("n", 0, options.whole(hint="4 is usual"), error=HpoError, call=call)
    assert str(caught.value) == line


def test_no_other_module_says_what_an_integer_is():
    """True is an int to `isinstance`, which each check of its own had to remember."""
    root = Path(hpo.__file__).parent
    own = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(r"isinstance\(\S+, bool\)", path.read_text(encoding="utf-8"))
    }
    others = {"strategies/answers.py", "problems/reporting.py", "problems/function.py"}
    assert own - others == {"options.py"}  # True, and bytes of memory
