"""Tables as Markdown and LaTeX: what is bold, and what becomes of a user's signs."""

import re

import pandas as pd
import pytest

from hpo_research.tables.latex import escaped_latex, latex
from hpo_research.tables.markdown import escaped_markdown, markdown
from hpo_research.tables.table import Cell, Table, interval, number, printed, text

NASTY = r"a_b & 100% $x$ #1 {c} ^~\ <d> | `e` *f* [g]"


def table(*rows, head=("name", "value"), breaks=()):
    return Table("t", NASTY, NASTY, pd.DataFrame(), head, rows, frozenset(breaks))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.1, "0.1000"),
        (1234.56, "1235"),
        (34614.77, "34615"),
        (-0.00123456, "-0.001235"),
        (1.5e-7, "1.500e-07"),
        (2.5e7, "2.500e+07"),
        (float("nan"), "–"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_printed_with_four_digits(value, shown):
    assert printed(value) == shown


def test_the_best_is_bold_in_markdown_and_in_latex():
    made = table([text("x"), number(0.25, mark="best")], [text("y"), number(0.5)])
    assert "| x | **0.2500** |\n| y | 0.5000 |" in markdown(made)
    assert r"x & \textbf{0.2500} \\" in latex(made)
    assert r"y & 0.5000 \\" in latex(made)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (number(-0.5), "$-0.5000$"),
        (number(1.5e-7), r"$1.500 \times 10^{-7}$"),
        (number(-1.5e-7, mark="best"), r"\textbf{\boldmath$-1.500 \times 10^{-7}$}"),
        (number(float("inf")), r"$\infty$"),
        (number(float("nan")), r"\textendash{}"),
        (interval(-1.0, 2.0), "[$-1.000$, 2.000]"),
        (Cell("<0.001", is_number=True), "$<0.001$"),
    ],
)
def test_numbers_are_typeset_as_mathematics_where_they_need_it(cell, shown):
    assert rf"x & {shown} \\" in latex(table([text("x"), cell]))


def test_a_new_problem_stands_below_a_rule():
    made = table([text("x"), number(1.0)], [text("y"), number(2.0)], breaks=[1])
    body = latex(made).split(r"\midrule")
    assert len(body) == 3
    assert "y &" in body[2]


def test_no_sign_of_a_user_is_a_command_of_latex():
    shown = escaped_latex(NASTY)
    known = r"\\(text\w+\{\}|[#$%&_{}])|\{[\[\]*]\}"
    assert not re.search(r"[#$%&_^~\\\[\]*<>|`]", re.sub(known, "", shown))
    assert escaped_latex("a--b\nc") == "a-{}-b c"


def test_no_sign_of_a_user_is_markup_in_markdown():
    rest = re.sub(r"\\[\\`*_\]<>|~&$]", "", escaped_markdown(NASTY))
    assert not re.search(r"[\\`*_\]<>|~&$]", rest)
    assert re.sub(r"\\(.)", r"\1", escaped_markdown(NASTY)) == NASTY
    assert escaped_markdown("a\n\nb") == "a b"


def test_braces_and_environments_of_latex_are_balanced():
    shown = re.sub(r"\\[\\{}$%&#_]", "", latex(table([text(NASTY), number(1.0)])))
    depth = 0
    for sign in shown:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    open_ones = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)", shown):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert open_ones == []
    assert shown.count(r"\toprule") == shown.count(r"\bottomrule") == 1


def test_every_row_has_as_many_cells_as_columns():
    made = table([text(NASTY), number(1.0)])
    rows = [line for line in latex(made).splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1]
    lines = [line for line in markdown(made).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3, 3, 3]
