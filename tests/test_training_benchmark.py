"""The command `python -m benchmarks.training`: what it prints and what it writes."""

import json
from pathlib import Path

import pytest

from benchmarks.record import PAGE, read, take
from benchmarks.training import __main__ as command
from benchmarks.training.cases import CASES
from hpo_research.training import Data


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "results.json"
    page = tmp_path / "page.md"
    page.write_text("<!-- training -->\n<!-- /training -->\n")
    monkeypatch.setattr(command, "RECORD", path)
    monkeypatch.setattr(command, "PAGE", page)
    return path


def test_a_rival_alone_is_timed_and_not_recorded(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--cases", "uniform-16", "--counts", "1", "--ways", "loop"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("uniform-16, 1 networks: loop ") and out.endswith("ms a network-epoch\n")
    assert not record.exists()


def test_a_record_names_the_arguments_it_was_made_with(record: Path) -> None:
    arguments = ["--cases", "uniform-16", "--counts", "1"]
    assert command.main(arguments) == 0
    (row,) = json.loads(record.read_text()).values()
    assert row["made_with"]["command"].endswith("benchmarks.training --cases uniform-16 --counts 1")
    assert take("training", command.PAGE) == command.table(read(record))
    assert row["loop_ratio"] == row["milliseconds"]["loop"] / row["milliseconds"]["ours"]


@pytest.mark.parametrize("name", CASES)
def test_all_ways_take_the_same_steps(name: str) -> None:
    data: Data = CASES[name].data()
    for recipe in CASES[name].recipes(32):
        assert len(data.images) % recipe.batch_size == 0


def test_the_page_is_what_the_record_says() -> None:
    assert take("training", PAGE) == command.table(read(command.RECORD))
