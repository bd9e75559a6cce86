"""The speed command measures, and its record has every row with what made it."""

import copy
import importlib.util
import math
from dataclasses import replace

import pytest

from benchmarks import record
from benchmarks.speed import __main__ as command
from benchmarks.speed import agreement, growth, page, profiled
from benchmarks.speed.clock import Time
from benchmarks.speed.measured import HEADINGS, Limit, Missing, Race, packed, unpacked
from benchmarks.speed.own import QUICK, Beside
from benchmarks.speed.rows import AVERAGE, ROWS, average, compared

RACE = Race("fit", "loop", 0.5, 10.0, 20.0, 10, 25, "remark")


def printed(text: str) -> list[dict[str, str]]:
    """The rows of a Markdown table, by heading."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    return [dict(zip(lines[0], cells, strict=False)) for cells in lines[2:]]


def seconds(text: str) -> float:
    number, unit = text.removeprefix("> ").split()
    return float(number) * {"ms": 1e-3, "s": 1.0}[unit]


@pytest.mark.parametrize("row", ["1", "2", "3", "4", "5", "6"])
def test_a_row_that_needs_no_other_package_is_a_race(row: str):
    for race in ROWS[row](replace(QUICK, models=2, runs=2)):
        assert isinstance(race, Race)
        assert race.ours > 0 and race.theirs > 0 and math.isfinite(race.ratio)


def test_the_command_prints_the_rows_it_was_asked_for(capsys: pytest.CaptureFixture):
    before = record.PAGE.read_text()
    assert command.main(["--quick", "--rows", "3", "8"]) == 0
    rows = printed(capsys.readouterr().out)
    assert [row["row"] for row in rows] == ["3", "8", "8"]  # with CUDA graphs and without
    assert seconds(rows[0]["ours"]) > 0 and seconds(rows[0]["rival's"]) > 0
    assert record.PAGE.read_text() == before  # tiny sizes are not recorded


def test_the_page_has_every_row_of_the_targets_with_the_command():
    section = record.take("targets")
    assert f"`{page.COMMAND}`" in section
    rows = printed(section)
    assert {row["row"] for row in rows} == {*ROWS, AVERAGE}
    assert len(rows) == len(ROWS) + 1 + 5  # three rivals, two ways on a GPU, three limits
    for row in rows:
        assert set(row) >= set(HEADINGS) - {"remark"}
        if not row["verdict"].startswith("not measured"):
            assert seconds(row["ours"]) > 0


@pytest.mark.parametrize("section", ["targets", "growth", "profile"])
def test_the_page_is_what_the_record_says(section: str):
    texts = {"targets": page.targets, "growth": growth.text, "profile": profiled.text}
    assert record.take(section) == texts[section](record.read(page.RECORD)).strip()


@pytest.mark.parametrize("part", ["targets", "growth", "profile"])
def test_every_entry_says_with_what_it_was_made(part: str):
    for entry in record.read(page.RECORD)[part].values():
        made = entry["made_with"]
        assert made["threads"] == 1 and made["cpu"] and made["cores"] >= 1
        assert len(made["commit"]) >= 40
        assert made["versions"].keys() >= {"torch", "botorch", "gpytorch"}


@pytest.mark.parametrize("axis", growth.LABELS)
def test_every_axis_of_growth_has_its_figures(axis: str):
    for kind in ("pdf", "png"):
        assert (growth.FIGURES / f"ask-over-{axis}.{kind}").stat().st_size > 0


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0.4, "goal met"), (1.0, "floor met"), (1.01, "not met")]
)
def test_a_verdict_follows_from_the_ratio(seconds: float, verdict: str):
    assert replace(RACE, ours=seconds).verdict == verdict


LIMIT = Limit("ask", 10.0, 1.0, most_gib=(4.0, 2.0), most_seconds=(60.0, 20.0))


@pytest.mark.parametrize(
    ("seconds", "gib", "verdict"),
    [
        (20.0, 2.0, "goal met"),
        (21.0, 1.0, "floor met"),
        (1.0, 2.1, "floor met"),
        (61.0, 1.0, "not met"),
        (1.0, 4.1, "not met"),
    ],
)
def test_a_limit_is_met_by_seconds_and_memory_both(seconds: float, gib: float, verdict: str):
    assert replace(LIMIT, seconds=seconds, gib=gib).verdict == verdict
    assert replace(LIMIT, seconds=seconds, gib=gib, is_over=False).verdict == "not met"


def test_another_build_is_measured_beside_this_one():
    beside = Beside(record.PAGE.parents[1], rounds=1)
    (row,) = average(QUICK, beside)
    assert isinstance(row, Race) and row.ours > 0 and row.theirs > 0
    (row,) = average(QUICK, None)
    assert "needs `--beside CHECKOUT`" in row.cells()[HEADINGS.index("verdict")]


def test_builds_that_agree_are_said_to_and_others_not(monkeypatch: pytest.MonkeyPatch):
    ours = agreement.asked(0, True)
    other = copy.deepcopy(ours)
    other[1]["acquisition"][0] += 0.5
    for theirs, said in [(ours, "2 have"), (other, "1 have")]:
        results = iter([ours, theirs])
        monkeypatch.setattr(agreement, "call", lambda *_, own=results: next(own))
        printed = agreement.measured(Beside(record.PAGE), is_quick=True)
        assert f"Of 2 asks {said} a first point of the same value" in printed
    assert "-5.0e-01" in printed and "worse in 1" in printed


def test_a_row_says_what_the_last_build_takes_over_this_one():
    class Stated(Beside):
        def times(self, names: tuple[str, str], size: object) -> tuple[Time, Time]:
            assert names == ("fit", "fit")
            return Time(1.0, 2.0), Time(9.0, 7.0)

    (row,) = compared("3", [RACE], QUICK, Stated(record.PAGE))
    assert row.cells()[HEADINGS.index("last build")] == "3.5×"


@pytest.mark.parametrize("time", [0.0, -1.0, math.nan, math.inf])
def test_no_time_is_refused(time: float):
    with pytest.raises(ValueError, match="is no time"):
        replace(RACE, ours=time)


@pytest.mark.parametrize(
    "row", [RACE, LIMIT, replace(RACE, last=3.0), Missing("ask", "loop", 2, 5, "no CUDA device")]
)
def test_a_row_survives_its_record(row):
    assert unpacked(packed(row)) == row
    assert len(row.cells()) == len(HEADINGS)


def test_a_section_leaves_the_rest_of_the_page_alone(tmp_path):
    page = tmp_path / "page.md"
    marks = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in ("targets", "growth"))
    page.write_text(f"{marks}by hand\n")
    record.put("targets", "first", page)
    record.put("growth", "second", page)
    record.put("targets", "third", page)
    assert (record.take("targets", page), record.take("growth", page)) == ("third", "second")
    assert page.read_text().endswith("by hand\n")
    page.write_text("nothing")
    with pytest.raises(RuntimeError, match="no marks"):
        record.put("targets", "x", page)


def test_every_stage_of_a_profile_names_a_module_that_there_is():
    for _, words in profiled.STAGES:
        for word in words:
            module = word.rpartition(".")[0]
            assert not module or importlib.util.find_spec(f"hpo_research.{module}"), word


def test_a_profile_enters_all_time_under_a_stage():
    (one, two) = profiled.measured(is_quick=True)
    for case in (one, two):
        assert set(case["stages"]) == {name for name, _ in profiled.STAGES}
        assert 0 < sum(case["stages"].values()) <= 1.5 * case["seconds"]
