"""Tables as LaTeX: compiled in articles of one and two columns, and not a line too wide."""

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from handmade import made

from hpo_research import tables
from hpo_research.analysis.finals import finals
from hpo_research.rng import Stream
from hpo_research.store import RunName
from hpo_research.tables.latex import latex
from hpo_research.tables.layout import layout
from hpo_research.tables.paired import comparisons_table, ranks_table
from hpo_research.tables.table import Cell, Table, number, text
from hpo_research.tables.values import finals_table, led_by_median, summary_table
from hpo_research.tables.widths import broken, width, wrapped

NAMES = ["random", "a_b & 100% $x$ #1", "tpe", "a very long name_of_ours-and.more/of it", "[c]"]
NAMES += ["ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2, r"\ {d} ~^ <e> ε τ", "cma-es", *"wxyz"]
PROBLEMS = ["p", "x_{1} ~ ^2 \\alpha % & #", "a-problem_with.a/name-that-is-longer-than-a-column"]
PROBLEMS += [f"bbob-f{i}-i1-5d" for i in range(4, 25)]


def result(strategies: int, problems: int, seeds: int):
    """Final values at random, of very different sizes."""
    entries = {}
    for p, problem in enumerate(PROBLEMS[:problems]):
        for i, name in enumerate(NAMES[:strategies]):
            for seed in range(seeds):
                drawn = Stream(seed).at(p, i).generator().exponential() + i
                entries[RunName(problem, name, seed)] = [(0, 1, float(drawn) * 10 ** (p % 9 - 4))]
    return made(entries, max_epochs=1, optimum=0.0, budget=1)


@cache
def shown() -> list[Table]:
    """All tables of small results, and those that grow with problems and strategies."""
    found = [
        own for size in ((1, 1, 1), (2, 1, 10), (3, 2, 6)) for own in tables.tables(result(*size))
    ]
    for strategies, problems in ((1, 24), (2, 24), (9, 24), (12, 1), (12, 3)):
        made_here = result(strategies, problems, 6)
        known = [finals(made_here, problem) for problem in PROBLEMS[:problems]]
        led = led_by_median(made_here, known)
        found += [summary_table(made_here, known, led), finals_table(made_here, known, led)]
        if strategies > 1:
            found.append(ranks_table(made_here, known))
        if strategies > 1 and problems < 24:
            found.append(comparisons_table(made_here, known))
    return found


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
@pytest.mark.parametrize("options", ["10pt,twocolumn", "10pt"])
def test_all_tables_compile_and_no_line_is_too_wide(options, tmp_path):
    inputs = []
    for i, table in enumerate(shown()):
        (tmp_path / f"{i}.tex").write_text(latex(table), encoding="utf-8")
        inputs.append(rf"\input{{{i}.tex}}\clearpage")
    (tmp_path / "paper.tex").write_text(
        rf"\documentclass[{options}]{{article}}\usepackage{{booktabs,longtable}}"
        rf"\begin{{document}}Text.{' '.join(inputs)}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert re.findall(r"^(?:Overfull|! ).*|.*Float too large.*", log, re.MULTILINE) == []
    assert int(re.findall(r"\((\d+) pages", log)[0]) > len(inputs)


def test_the_head_says_what_is_needed_and_notes_stand_apart_from_the_caption():
    short, long = shown()[0], next(own for own in shown() if len(own.rows) > 60)
    lines = latex(short).splitlines()
    assert lines[0] == rf"% {short.title}. Needs \usepackage{{booktabs}}."
    assert rf"\caption{{{short.title}}}" in lines
    assert lines.index(r"\end{tabular}") < lines.index(r"\begin{minipage}{\linewidth}")
    assert r"Needs \usepackage{booktabs,longtable}; in a two-column" in latex(long)
    assert r"\begin{longtable}" in latex(long)


def test_points_of_a_block_stand_above_each_other_where_digits_allow():
    def column(*values: float) -> str:
        rows = [[text("x"), number(value)] for value in values]
        return latex(Table("t", "T", "C.", pd.DataFrame(), ["a", "b"], rows))

    assert r"x & 12.50\phantom{00} \\" in column(12.5, 0.25)
    assert r"x & 12345\phantom{.00} \\" in column(12345.0, 12.5)
    assert r"\phantom" not in column(123456.0, 0.00012345)  # too many digits to be worth it


def test_columns_are_left_out_where_there_is_no_room_and_the_notes_say_so():
    wide = Cell("0.1234567890123456789", is_number=True)
    rows = [[text("x"), *[wide] * 4]]
    table = Table("t", "T", "C.", pd.DataFrame(), list("abcde"), rows)
    assert [len(panel.heads) for panel in layout(table).panels] == [4, 2]
    without = latex(replace(table, spare=("c", "d")))
    assert "For want of room without c, d: see the CSV." in without
    assert r"a & b & e \\" in without


def test_rows_and_columns_of_a_wide_table_are_exchanged():
    table = next(own for own in shown() if own.name == "summary" and len(own.head) == 25)
    assert latex(table).count("bbob-f24") == 1
    assert [len(panel.heads) for panel in layout(table).panels] == [2]


def test_words_are_broken_behind_signs_and_elsewhere_only_if_they_must():
    assert wrapped("one two three", width("one two")) == ["one two", "three"]
    assert broken("early_stopping-rule", width("early_stoppi")) == ["early_", "stopping-", "rule"]
    assert "".join(broken("A" * 60, 9.0)) == "A" * 60
    assert max(map(width, broken("A" * 60, 9.0))) <= 9.0
    assert broken("Ω", 0.1) == ["Ω"]
    assert wrapped("", 3.0) == [""]
