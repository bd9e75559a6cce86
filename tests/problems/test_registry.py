"""Problems by name, and the table of them."""

import pytest

from hpo_research.errors import ProblemError
from hpo_research.problems import curve_table
from hpo_research.problems.classifiers import Classifier
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.protocol import Problem
from hpo_research.problems.registry import problem, problems
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic


@pytest.mark.parametrize("row", problems(), ids=lambda row: row.name)
def test_the_table_says_what_problem_gives(row):
    built = problem(row.name)
    assert isinstance(built, Problem)
    assert built.name == row.name
    assert row.description
    assert (row.dimension, row.max_epochs) == (built.space.dimension, built.max_epochs)
    assert row.optimum == built.optimum


def test_every_problem_of_the_package_has_a_name():
    names = [row.name for row in problems()]
    trained = [
        *("digits-mlp", "digits-cnn", "mnist5k-mlp", "mnist5k-cnn"),
        *("mnist-cnn", "fashion-cnn", "kmnist-cnn", "cifar10-cnn"),
    ]
    tables = [f"{name}-table" for name in curve_table.shipped()]
    assert names == [*FUNCTIONS, "curves", *trained, *tables]


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (problem("hartmann6"), Synthetic("hartmann6")),
        (problem("ackley", dimension=10), Synthetic("ackley", 10)),
        (problem("ackley", name="mine"), Synthetic("ackley", name="mine")),
        (problem("curves", base="levy", agreement=0.5), LearningCurves("levy", agreement=0.5)),
        (problem("digits-mlp", max_epochs=27), Classifier("digits", "mlp", max_epochs=27)),
        (problem("digits-cnn", max_epochs=3), Classifier("digits", "cnn", max_epochs=3)),
        (
            problem("fashion-cnn", metric="accuracy"),
            Classifier("fashion", "cnn", metric="accuracy"),
        ),
    ],
    ids=lambda p: p.name,
)
def test_options_are_the_fields_of_the_problem(built, expected):
    assert built == expected


def test_a_file_of_images_is_an_option(tmp_path):
    path = tmp_path / "file.npz"
    path.write_bytes(b"images")
    assert problem("fashion-cnn", data=str(path)) == Classifier("fashion", "cnn", data=str(path))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hartmann", {}, r"problem\('hartmann'\): did you mean hartmann6 or hartmann3\? expected"),
        ("Branin", {}, r"problem\('Branin'\): did you mean branin"),
        ("digits", {}, "did you mean .*digits-mlp"),
        ("xyz", {}, r"problem\('xyz'\): expected one of branin, hartmann3, .*, digits-cnn, "),
        (None, {}, r"problem\(None\): .*expected one of branin"),
        ("branin", {"dim": 2}, "no option dim; it has dimension, noise, name"),
        ("digits-mlp", {"epochs": 2}, "no option epochs; it has max_epochs, "),
        ("ackley", {"function": "levy"}, "no option function; it has dimension, noise, name"),
        ("ackley", {"dimension": 0}, "dimension must be an integer from 1 to 1,000,000, got 0"),
        ("curves", {"agreement": 2}, "agreement must be a number >= 0 and <= 1, got 2"),
    ],
)
def test_a_mistake_is_refused_with_what_is_legal(name, options, message):
    with pytest.raises(ProblemError, match=message):
        problem(name, **options)
