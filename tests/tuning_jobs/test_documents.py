"""The five documents have run to their end on a real script, and are on record."""

import pytest

from benchmarks import tuning_documents
from benchmarks.record import read


@pytest.mark.parametrize("name", tuning_documents.DOCUMENTS)
def test_a_document_is_on_record(name):
    entry = read(tuning_documents.RECORD)[name]
    assert entry["holds"]
    assert entry["status"] == "Completed"
    assert len(entry["made_with"]["commit"]) >= 40


def test_an_unknown_document_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        tuning_documents.main(["grids"])
    assert "grids: no such document; there are bayesian, grid," in capsys.readouterr().err
