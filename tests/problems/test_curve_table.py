"""Tables of learning curves: their files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded import invented

from hpo_research.errors import ProblemError, StoreWriteError
from hpo_research.problems import curve_table
from hpo_research.problems.tabulated import Tabulated


def test_a_table_comes_back_from_its_file(tmp_path):
    table = invented()
    curve_table.write(table, tmp_path / "a.npz")
    again = curve_table.read(tmp_path / "a.npz")
    assert again.space == table.space
    assert again.configurations == table.configurations
    for name in ("problem", "metric", "directions", "facts"):
        assert getattr(again, name) == getattr(table, name)
    assert list(again.metrics) == list(table.metrics)
    for name, values in table.metrics.items():
        np.testing.assert_array_equal(again.metrics[name], values)
    np.testing.assert_array_equal(again.seconds, table.seconds)
    assert (again.seeds, again.epochs) == (2, 9)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_equal_tables_have_equal_bytes_and_one_digest_wherever_they_lie(tmp_path):
    for name in ("a.npz", "there/b.npz"):
        curve_table.write(invented(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "there/b.npz").read_bytes()
    assert curve_table.digest(tmp_path / "a.npz") == curve_table.digest(tmp_path / "there/b.npz")
    curve_table.write(invented(seeds=1), tmp_path / "c.npz")
    assert curve_table.digest(tmp_path / "a.npz") != curve_table.digest(tmp_path / "c.npz")


def test_a_table_is_read_once_and_again_when_its_file_changes(tmp_path):
    path = tmp_path / "a.npz"
    curve_table.write(invented(), path)
    assert curve_table.read(path) is curve_table.read(path)
    curve_table.write(invented(seeds=1), path)
    assert curve_table.read(path).seeds == 1


def test_a_table_of_a_thousand_configurations_takes_little_room(tmp_path):
    """Drawn numbers are the worst case: accuracies of real networks are few."""
    curve_table.write(invented(configurations=1000, epochs=27), tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < 2 * 27 * 1000 * 2 * 4 * 1.2


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("no table")
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    for name in ("text", "arrays"):
        with pytest.raises(ProblemError, match=rf"{name}\.npz: is not a table that `hpo table`"):
            curve_table.read(tmp_path / f"{name}.npz")
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ProblemError, match=r"array\.npz: is not a table"):
        curve_table.read(tmp_path / "array.npz")


def test_a_folder_and_what_is_no_string_are_refused(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ProblemError, match=r"folder\.npz: is a folder; expected a file that"):
        Tabulated(str(tmp_path / "folder.npz"))
    with pytest.raises(ProblemError, match=r"Tabulated\(5\): expected the name of a table or the"):
        Tabulated(5)


def test_a_table_of_another_version_is_refused(tmp_path):
    header = np.frombuffer(json.dumps({"version": 9}).encode(), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", header=header)
    with pytest.raises(ProblemError, match="is a table of version 9, this package reads 1; use"):
        curve_table.read(tmp_path / "a.npz")


def test_a_missing_table_is_said():
    with pytest.raises(ProblemError, match=r"nowhere\.npz: there is no recorded table \(No such"):
        curve_table.read("nowhere.npz")
    with pytest.raises(ProblemError, match=r"'nothing' is not a recorded table; expected one that"):
        curve_table.place("nothing")


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match="could not be written"):
        curve_table.write(invented(), tmp_path / "file" / "a.npz")


@pytest.mark.parametrize("name", curve_table.shipped())
def test_a_shipped_table_says_where_it_comes_from(name):
    table = curve_table.read(curve_table.place(name))
    assert table.problem == name
    assert {"data", "licence", "sittings"} <= table.facts.keys()
    for session in table.facts["sittings"]:
        assert session["command"].startswith(f"hpo table {name} ")
        assert {"commit", "versions", "machine", "device"} <= session.keys()
    finite = np.isfinite(table.metrics[table.metric][:, :, -1])
    assert finite.mean() > 0.5
    assert (table.seconds > 0).all()


def test_the_shipped_tables_fit_the_repository():
    size = sum(curve_table.place(name).stat().st_size for name in curve_table.shipped())
    assert size <= 12 * 2**20


def test_facts_are_part_of_what_a_table_is(tmp_path):
    curve_table.write(replace(invented(), facts={"commit": "abc"}), Path(tmp_path, "a.npz"))
    assert curve_table.read(tmp_path / "a.npz").facts == {"commit": "abc"}
