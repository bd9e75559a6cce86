"""Words of labels and captions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_research.figures.labels import BEST, EVERY, counted, listed, noted, value_label, wrapped


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_do(names, text):
    assert listed(names) == text


@pytest.mark.parametrize(
    ("numbers", "text"), [([1], "one seed"), ([5, 5], "5 seeds"), ([1, 5, 3], "1 to 5 seeds")]
)
def test_numbers_are_counted_as_people_do(numbers, text):
    assert counted(numbers, "seed") == text


def test_a_note_on_several_problems_is_one_sentence():
    assert noted({"p": ["x", "y"], "q": ["x"]}) == ["On p and q, x.", "On p, y."]


@pytest.mark.parametrize(
    ("direction", "measure", "is_regret", "label"),
    [
        ("minimize", BEST, True, "regret\n(best so far − optimum)"),
        ("maximize", BEST, True, "regret\n(optimum − best so far)"),
        ("maximize", EVERY, False, "value\n(higher is better)"),
    ],
)
def test_a_label_says_which_way_is_better(direction, measure, is_regret, label):
    assert value_label("value", direction, measure, is_regret=is_regret) == label


@given(st.text("ab ,(_=\n", max_size=60), st.integers(5, 20))
def test_no_line_is_longer_than_was_wanted_and_no_letter_is_lost(text, letters):
    lines = wrapped(text, letters).split("\n")
    assert max(map(len, lines)) <= letters
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_long_name_breaks_behind_commas():
    assert wrapped("curves(branin,max_epochs=27)", 20) == "curves(branin,\nmax_epochs=27)"
