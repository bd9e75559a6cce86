import sys
from dataclasses import replace

import pandas as pd
import pytest
from handmade import changed, made

from hpo_research.analysis.export import export
from hpo_research.errors import MissingPackageError, StoreError, StoreWriteError
from hpo_research.records import Trial
from hpo_research.store import RunName

READ = {"keep_default_na": False, "na_values": [""]}


@pytest.fixture
def result():
    entries = [(0, 1, 0.1), (0, 2, 1 / 3), (1, 1, 1e-300)]
    plain = made({RunName("p", "s", seed): entries for seed in (1, 0)})
    run = plain.runs[RunName("p", "s", 0)]
    configs = [
        {"units": 3, "kind": "None", "mixed": 3, "is_on": True},
        {"kind": 'a, "b"\nc', "mixed": "3", "is_on": False},
    ]
    trials = tuple(
        replace(trial, config=config) for trial, config in zip(run.trials, configs, strict=True)
    )
    failed = Trial(2, {"kind": "ü", "mixed": 0.5}, "failed", 9, reason="ValueError: so, it failed")
    runs = {**plain.runs, RunName("p", "s", 0): replace(run, trials=(*trials, failed))}
    return changed(plain, "run", runs)


def test_csv_read_back_equals_the_frames(result, tmp_path):
    paths = export(result, tmp_path / "export")
    assert [path.name for path in paths] == ["trials.csv", "reports.csv"]
    reports = pd.read_csv(paths[1], **READ)
    pd.testing.assert_frame_equal(reports, result.reports(), check_dtype=False, rtol=0, atol=0)
    trials, frame = pd.read_csv(paths[0], **READ), result.frame()
    assert list(trials.columns) == list(frame.columns)
    assert trials["value"].equals(frame["value"])
    assert trials["config.kind"].dropna().tolist() == frame["config.kind"].dropna().tolist()


def test_parquet_read_back_keeps_types_and_texts(result, tmp_path):
    trials, reports = export(result, tmp_path, "parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(reports), result.reports(), check_dtype=False, rtol=0, atol=0
    )
    back = pd.read_parquet(trials)
    assert list(back.columns) == list(result.frame().columns)
    assert str(back["config.units"].dtype) == "Int64"
    assert back["config.units"].tolist()[0] == 3
    assert back["config.units"].isna().tolist() == [False, True, True, True, True]
    assert back["config.is_on"].tolist()[:2] == [True, False]
    assert back["config.mixed"].tolist()[:3] == ["3", '"3"', "0.5"]
    assert back["config.kind"].tolist()[:3] == result.frame()["config.kind"].tolist()[:3]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_the_same_result_gives_the_same_bytes(result, tmp_path, format):
    first = [path.read_bytes() for path in export(result, tmp_path / "a", format)]
    assert first == [path.read_bytes() for path in export(result, tmp_path / "b", format)]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        f"reports.{format}",
        f"trials.{format}",
    ]


def test_rows_are_sorted(result, tmp_path):
    keys = ["problem", "strategy", "seed", "trial"]
    trials = pd.read_csv(export(result, tmp_path)[0], **READ)[keys]
    assert trials.equals(trials.sort_values(keys, ignore_index=True))


def test_an_unknown_format_is_refused(result, tmp_path):
    with pytest.raises(StoreError, match=r"format='xlsx'.*: format must be one of csv, parquet"):
        export(result, tmp_path, "xlsx")


def test_parquet_without_pyarrow_names_the_install_line(result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hpo_research\[parquet\]'"):
        export(result, tmp_path, "parquet")


def test_a_folder_that_cannot_be_made_is_a_write_error(result, tmp_path):
    (tmp_path / "export").write_text("a file where the folder should be")
    with pytest.raises(StoreWriteError, match=r"trials\.csv: could not be written"):
        export(result, tmp_path / "export")
