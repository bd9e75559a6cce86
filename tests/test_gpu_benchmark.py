"""The command for a GPU: it says that there is none, keeps what a cut part had, and rehearses."""

import torch

from benchmarks import record
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import page
from benchmarks.gpu.parts import PARTS


def test_without_a_device_it_says_so_in_a_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main([]) == command.NO_DEVICE
    assert capsys.readouterr().err.count("\n") == 1


def test_its_parts_have_less_than_eight_minutes():
    assert list(command.BUDGETS) == list(PARTS)
    assert sum(command.BUDGETS.values()) <= 8 * 60 - 10


def test_the_page_is_what_the_record_says():
    assert record.take("gpu") == page.text(record.read(page.RECORD)).strip()


def test_a_rehearsal_runs_every_part_and_keeps_nothing(capsys):
    before = record.PAGE.read_text()
    assert command.main(["--rehearse"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(": complete")] == [
        f"{p}: complete" for p in PARTS
    ]
    assert all(any(line.startswith(f"{part}: ") for line in lines) for part in PARTS)
    assert record.PAGE.read_text() == before and not page.RECORD.exists()


def test_what_a_part_had_found_outlives_its_end(monkeypatch, capsys):
    monkeypatch.setattr(command, "CHILD", "tests.gpu_child")
    monkeypatch.setattr(command, "_REHEARSED", 1)
    assert command.main(["--rehearse"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        line
        for part in PARTS
        for line in (
            f"{part}: {part}: a row (holds)",
            {
                "agreement": "agreement: ended after its 1 s",
                "tests": "tests: the process ended with 3",
            }.get(part, f"{part}: complete"),
        )
    ]


def test_a_card_is_a_table_that_says_what_does_not_hold_and_what_made_it():
    made = {"cpu": "a CPU", "cores": 2, "python": "3.12", "versions": {"torch": "2.11"}}
    made |= {"commit": "0123456789abc", "cuda": "13.0", "driver": "580.1"}
    rows = [{"what": "a fit", "found": "1 s", "holds": False, "numbers": {"seconds": 1.0}}]
    entry = {"measured": rows, "state": "ended after its 50 s", "made_with": made}
    text = page.text({"A card": {"agreement": entry}})
    assert "| agreement | a fit | 1 s | does not hold |" in text
    assert "on A card" in text and "ended after its 50 s" in text
    assert "CUDA 13.0, driver 580.1" in text and "torch 2.11" in text
