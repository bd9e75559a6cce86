"""Recording a table: the design, being killed, and what is refused."""

import shutil

import numpy as np
import pytest
from doubles import Walk
from recorded import invented

import hpo_research as hpo
from hpo_research import recording
from hpo_research.errors import ExperimentError, StoreLockedError, StoreWriteError
from hpo_research.problems import curve_table
from hpo_research.problems.curves import LearningCurves
from hpo_research.recording import Design, record
from hpo_research.store import lock

CURVES = LearningCurves(max_epochs=3, noise=0.1)


class Killed(BaseException):
    pass


def killed_after(batches: int):
    """A watch that ends the process, as it were, when so many batches are done."""
    calls = []

    def watch(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) > batches:
            raise Killed

    return watch


def same(one: curve_table.CurveTable, other: curve_table.CurveTable) -> bool:
    return one.configurations == other.configurations and all(
        np.array_equal(values, other.metrics[name], equal_nan=True)
        for name, values in one.metrics.items()
    )


# --- the design ---


@pytest.mark.parametrize("name", ["digits-mlp", "mnist5k-cnn", "curves"])
def test_a_design_is_distinct_configurations_of_the_space_the_same_every_time(name):
    problem = hpo.problem(name)
    listed = Design(problem, 300).space
    assert listed.size == 300
    assert listed == Design(problem, 300).space
    assert list(listed.among) == [problem.space.validate(c) for c in listed.among]


def test_a_larger_design_begins_with_the_smaller_one():
    problem = hpo.problem("digits-mlp")
    assert Design(problem, 300).space.among[:100] == Design(problem, 100).space.among


def test_a_design_is_spread_over_the_space():
    points = Design(hpo.problem("digits-mlp"), 256).space.points
    counts = [np.histogram(column, 4, (0, 1))[0] for column in points[:, :3].T]
    assert np.abs(np.array(counts) - 64).max() <= 6


def test_a_finite_space_gives_all_it_has_and_no_more():
    space = hpo.SearchSpace(a=hpo.Integer(1, 4), b=hpo.Categorical(["x", "y"]))
    problem = Walk(space=space)
    assert Design(problem, 8).space.size == 8
    with pytest.raises(
        ExperimentError, match=r"fewer than 9 distinct .* \(8 configurations\); ask for fe"
    ):
        _ = Design(problem, 9).space


@pytest.mark.parametrize("options", [{"configurations": 0}, {"seeds": 1.5}, {"seeds": True}])
def test_a_wrong_count_is_refused(options):
    (name,) = options
    with pytest.raises(ExperimentError, match=f"{name} must be an integer >= 1"):
        Design(CURVES, **{"configurations": 3, **options})


# --- recording ---


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_killed_equals_uninterrupted(tmp_path, batches):
    design = Design(CURVES, 30, seeds=2)
    straight = record(design, tmp_path / "straight.npz", facts={})
    with pytest.raises(Killed):
        record(design, tmp_path / "killed.npz", facts={}, watch=killed_after(batches))
    assert not (tmp_path / "killed.npz").exists()
    seen = []
    again = record(
        design, tmp_path / "killed.npz", facts={}, watch=lambda done, total: seen.append(done)
    )
    assert seen[0] == 16 * batches
    assert same(straight, again)
    assert same(straight, curve_table.read(tmp_path / "killed.npz"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.npz", "straight.npz"]


def test_networks_are_trained_the_same_whatever_they_are_stacked_with(tmp_path):
    problem = hpo.problem("digits-mlp", max_epochs=1)
    small = record(Design(problem, 6, seeds=1), tmp_path / "small.npz", facts={})
    large = record(Design(problem, 24, seeds=2), tmp_path / "large.npz", facts={})
    for name, values in small.metrics.items():
        np.testing.assert_array_equal(values, large.metrics[name][:6, :1])
    assert small.directions == {"log_loss": "minimize", "accuracy": "maximize"}
    assert small.facts["licence"].startswith("CC BY 4.0")
    assert (large.seconds > 0).all()


def test_a_trial_that_fails_is_nan_from_there_on(tmp_path):
    table = record(Design(Walk(), 40, seeds=1), tmp_path / "a.npz", facts={})
    failed = np.array([c["kind"] == "c" and c["x"] > 0.7 for c in table.configurations])
    assert failed.any()
    assert (np.isnan(table.metrics["loss"][:, 0, 1]) == failed).all()
    assert np.isfinite(table.metrics["loss"][:, 0, 0]).all()


def test_recorded_seconds_are_kept(tmp_path):
    table = record(Design(Walk(), 5, seeds=2), tmp_path / "a.npz", facts={})
    expected = np.float32([[0.5 + c["x"]] * 2 for c in table.configurations])
    np.testing.assert_allclose(table.seconds, expected, rtol=1e-6)


def test_every_session_is_noted_once(tmp_path):
    design, out = Design(CURVES, 30), tmp_path / "a.npz"
    for _ in range(2):
        with pytest.raises(Killed):
            record(design, out, facts={"commit": "one"}, watch=killed_after(1))
    table = record(design, out, facts={"commit": "two"})
    assert table.facts["sittings"] == [{"commit": "one"}, {"commit": "two"}]
    assert (table.facts["configurations"], table.facts["seeds"]) == (30, 2)


def test_another_design_in_the_same_place_is_refused_with_the_difference(tmp_path):
    out = tmp_path / "a.npz"
    with pytest.raises(Killed):
        record(Design(CURVES, 30), out, facts={}, watch=killed_after(1))
    with pytest.raises(ExperimentError, match=r"another design.*:\nconfigurations: 30 became 31"):
        record(Design(CURVES, 31), out, facts={})


def test_a_file_that_exists_is_not_overwritten(tmp_path):
    (tmp_path / "a.npz").write_text("mine")
    with pytest.raises(ExperimentError, match=r"a\.npz: exists already; remove it, or name anoth"):
        record(Design(CURVES, 3), tmp_path / "a.npz", facts={})
    with pytest.raises(ExperimentError, match=r"expected a file whose name ends in \.npz"):
        record(Design(CURVES, 3), tmp_path / "a.csv", facts={})


def test_two_processes_do_not_record_one_table(tmp_path):
    folder = tmp_path / "a.npz.parts"
    folder.mkdir()
    held = lock.acquire(folder)
    with pytest.raises(StoreLockedError, match="is writing to it"):
        record(Design(CURVES, 3), tmp_path / "a.npz", facts={})
    held.release()


def test_a_table_that_another_process_finished_meanwhile_is_kept(tmp_path, monkeypatch):
    out, acquire = tmp_path / "a.npz", lock.acquire

    def late(folder):
        curve_table.write(invented(), out)
        return acquire(folder)

    monkeypatch.setattr(recording.lock, "acquire", late)
    with pytest.raises(ExperimentError, match=r"a\.npz: exists already"):
        record(Design(CURVES, 3), out, facts={})
    assert curve_table.read(out).problem == invented().problem


def test_the_parts_are_removed_while_they_are_locked(tmp_path, monkeypatch):
    folder, remove, seen = tmp_path / "a.npz.parts", shutil.rmtree, []

    def watched(path):
        with pytest.raises(StoreLockedError):
            lock.acquire(folder)
        seen.append(path)
        remove(path)

    monkeypatch.setattr(recording.shutil, "rmtree", watched)
    record(Design(CURVES, 3), tmp_path / "a.npz", facts={})
    assert seen == [folder] and not folder.exists()


def test_a_place_that_cannot_be_written_to_is_refused_with_words(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(
        StoreWriteError, match=r"a\.npz\.parts: could not be made.*; choose another"
    ):
        record(Design(CURVES, 3), tmp_path / "file" / "a.npz", facts={})


@pytest.mark.parametrize("name", ["design.json", "000000.npz"])
def test_a_damaged_part_is_named(name, tmp_path):
    design, out = Design(CURVES, 30), tmp_path / "a.npz"
    with pytest.raises(Killed):
        record(design, out, facts={}, watch=killed_after(1))
    (tmp_path / "a.npz.parts" / name).write_bytes(b"{")
    with pytest.raises(ExperimentError, match=rf"{name}: is damaged or cannot be read .*; remove"):
        record(design, out, facts={})


# --- parts that are missing, doubled, renamed, of another design ---


@pytest.fixture
def begun(tmp_path):
    """A recording that was killed after three of its four parts, and the table it leads to."""
    design = Design(CURVES, 30, seeds=2)
    straight = record(design, tmp_path / "straight.npz", facts={})
    with pytest.raises(Killed):
        record(design, tmp_path / "a.npz", facts={}, watch=killed_after(3))
    return design, tmp_path / "a.npz", straight


def remove_first(parts):
    (parts / "000000.npz").unlink()


def remove_last(parts):
    (parts / "000002.npz").unlink()


def remove_all(parts):
    for path in parts.glob("*.npz"):
        path.unlink()


def double(parts):
    shutil.copy(parts / "000001.npz", parts / "000007.npz")
    shutil.copy(parts / "000001.npz", parts / "copy of 1.npz")


def swap(parts):
    (parts / "000000.npz").rename(parts / "x.npz")
    (parts / "000002.npz").rename(parts / "000000.npz")
    (parts / "x.npz").rename(parts / "000002.npz")


def overwrite_by_another(parts):
    shutil.copy(parts / "000001.npz", parts / "000000.npz")


def leave_half_a_file(parts):
    (parts / "000003.npz.part").write_bytes(b"PK")


@pytest.mark.parametrize(
    "change",
    [
        *(remove_first, remove_last, remove_all, double, swap),
        *(overwrite_by_another, leave_half_a_file),
    ],
)
def test_whatever_became_of_the_parts_the_table_is_the_same_to_the_bit(change, begun):
    design, out, straight = begun
    change(out.with_name("a.npz.parts"))
    again = record(design, out, facts={})
    assert same(straight, again)
    np.testing.assert_array_equal(straight.seconds, again.seconds)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_part_of_another_design_is_named(seeds, begun, tmp_path):
    design, out, _ = begun
    other = Design(LearningCurves(max_epochs=3, noise=0.2 if seeds == 2 else 0.1), 30, seeds)
    with pytest.raises(Killed):
        record(other, tmp_path / "b.npz", facts={}, watch=killed_after(1))
    shutil.copy(tmp_path / "b.npz.parts" / "000000.npz", f"{out}.parts/000009.npz")
    with pytest.raises(ExperimentError, match=r"000009\.npz: .*belongs to another design"):
        record(design, out, facts={})


EDITS = {
    "no trainings": {"trainings": None},
    "a training that is not in the design": {"trainings": np.full((16, 2), 99)},
    "seconds of others": {"seconds": np.zeros(3)},
    "too few epochs": {f"metric {CURVES.metric}": np.zeros((16, 2), dtype=np.float32)},
    "no metric": {f"metric {CURVES.metric}": None},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_part_that_does_not_fit_is_named(edit, begun):
    design, out, _ = begun
    path = out.with_name("a.npz.parts") / "000001.npz"
    with np.load(path) as file:
        arrays = {**file, **edit}
    curve_table.written(path, {k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ExperimentError, match=r"000001\.npz: is damaged or cannot be read"):
        record(design, out, facts={})


def test_two_parts_that_contradict_each_other_are_named(begun):
    design, out, _ = begun
    path = out.with_name("a.npz.parts") / "000001.npz"
    with np.load(path) as file:
        arrays = dict(file)
    (name,) = (name for name in arrays if name == f"metric {CURVES.metric}")
    arrays[name] = arrays[name] + 1
    curve_table.written(path.with_name("000005.npz"), arrays)
    with pytest.raises(ExperimentError, match=r"000005\.npz: .*other values of a training"):
        record(design, out, facts={})


def test_parts_of_earlier_versions_count(begun):
    design, out, straight = begun
    for path in out.with_name("a.npz.parts").glob("*.npz"):
        with np.load(path) as file:
            arrays = {name: own for name, own in file.items() if name != "design"}
        curve_table.written(path, arrays)
    seen = []
    again = record(design, out, facts={}, watch=lambda done, total: seen.append(done))
    assert seen[0] == 48 and same(straight, again)
