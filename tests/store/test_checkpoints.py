"""Checkpoints: the newest state at or before an epoch, whatever became of the files."""

from pathlib import Path

import pytest
import torch
from campaign.checkpoints import KINDS, damaged

from hpo_research.errors import StoreWriteError
from hpo_research.store import Checkpoints

KEY = (1, 2)


def state(value: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([value])}


def saved(folder: Path | None, *epochs: int) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for epoch in epochs:
        checkpoints.save({(KEY, epoch): state(epoch)})
    return checkpoints


@pytest.mark.parametrize("reopened", [False, True])
def test_the_newest_state_comes_back(tmp_path: Path, reopened: bool):
    checkpoints = saved(tmp_path, 1, 3)
    if reopened:
        checkpoints = Checkpoints(tmp_path)
    epoch, found = checkpoints.load(KEY, 3)
    assert epoch == 3
    assert found is not None
    assert found["w"].item() == 3


def test_a_state_beyond_the_stored_epoch_is_passed_over(tmp_path: Path):
    saved(tmp_path, 1, 3)
    epoch, found = Checkpoints(tmp_path).load(KEY, 2)
    assert epoch == 1
    assert found is not None


def test_a_damaged_file_costs_training_and_nothing_else(tmp_path: Path):
    saved(tmp_path, 1, 3)
    path = tmp_path / "checkpoints" / "1" / "2" / "3.safetensors"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.warns(UserWarning, match=r"3\.safetensors: the checkpoint of trial 2 of run 1 at"):
        assert Checkpoints(tmp_path).load(KEY, 3)[0] == 1


def test_a_file_is_told_from_every_other_by_its_digest(tmp_path: Path):
    digests = saved(tmp_path, 1, 3).digests
    known = Checkpoints(tmp_path, digests, trusts_others=False)
    assert known.load(KEY, 3)[0] == 3
    one, three = (tmp_path / "checkpoints" / "1" / "2" / f"{e}.safetensors" for e in (1, 3))
    three.write_bytes(one.read_bytes())
    with pytest.warns(UserWarning, match="it is damaged, or not the one that was written"):
        assert known.load(KEY, 3)[0] == 1
    three.unlink()
    with pytest.warns(UserWarning, match=r"at epoch 3 is missing"):
        assert known.load(KEY, 3)[0] == 1


def test_a_file_that_the_store_does_not_know_counts_in_an_old_store_alone(tmp_path: Path):
    saved(tmp_path, 3)
    assert Checkpoints(tmp_path, {}, trusts_others=True).load(KEY, 3)[0] == 3
    with pytest.warns(UserWarning, match="the store knows no such file"):
        assert Checkpoints(tmp_path, {}, trusts_others=False).load(KEY, 3) == (0, None)


def test_what_lies_in_the_place_of_a_file_is_replaced(tmp_path: Path):
    place = tmp_path / "checkpoints" / "1" / "2"
    (place / "1.safetensors" / "inside").mkdir(parents=True)
    (place / "1.part").symlink_to(tmp_path / "elsewhere")
    saved(tmp_path, 1)
    assert Checkpoints(tmp_path).load(KEY, 1)[0] == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_damaged_checkpoint_changes_no_number(tmp_path: Path):
    kinds = {name: KINDS[name] for name in ("zeroed payload", "another trial's file", "removed")}
    for outcome in damaged(tmp_path, kinds, (7,)):
        assert outcome.is_right, outcome


def test_at_most_two_files_a_trial_are_kept(tmp_path: Path):
    saved(tmp_path, 1, 3, 9, 27)
    names = sorted(path.name for path in (tmp_path / "checkpoints" / "1" / "2").iterdir())
    assert names == ["27.safetensors", "9.safetensors"]


def test_a_state_without_tensors_costs_no_file(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({(KEY, 3): {}})
    assert checkpoints.load(KEY, 3) == (3, {})
    assert not list(tmp_path.rglob("*"))
    assert Checkpoints(tmp_path).load(KEY, 3) == (0, None)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_forgotten_trial_has_no_state(tmp_path: Path, on_disk: bool):
    checkpoints = saved(tmp_path if on_disk else None, 1)
    checkpoints.forget([KEY])
    assert checkpoints.load(KEY, 9) == (0, None)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_refused_write_is_said(tmp_path: Path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StoreWriteError, match="a checkpoint could not be written"):
        Checkpoints(tmp_path).save({(KEY, 1): state(1)})
