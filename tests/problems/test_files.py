"""The files that a function keeps, as a state and back."""

from pathlib import Path

import pytest
import torch

from hpo_research.errors import StateError
from hpo_research.problems import files
from hpo_research.states import copied


def test_files_come_back_at_their_places(tmp_path: Path):
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "deep").mkdir(parents=True)
    (before / "deep" / "a.bin").write_bytes(bytes(range(256)))
    (before / "empty").touch()
    files.restore(copied(files.snapshot(before)), after)
    assert (after / "deep" / "a.bin").read_bytes() == bytes(range(256))
    assert (after / "empty").read_bytes() == b""


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out"])
def test_a_state_that_names_a_file_elsewhere_is_refused(name: str, tmp_path: Path):
    with pytest.raises(StateError, match="which is not below"):
        files.restore({name: torch.zeros(1, dtype=torch.uint8)}, tmp_path / "folder")
    assert not (tmp_path / "out").exists()
