"""Builds beside each other: pairs of rounds, what is refused, and the cases of the commands."""

from pathlib import Path

import pytest

from benchmarks import asks, beside, start
from benchmarks.beside import ROOT, Cost, Measured

OTHER = Path("/other")


def printed(out: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in out.splitlines()[2:]]


def compared(measure, arguments: list[str]) -> None:
    options = beside.parser("m", "", ["it"], rounds=3).parse_args(arguments)
    beside.compare({"it": measure}, options)


def test_a_ratio_is_the_median_of_the_pairs_and_the_first_round_warms_up(capsys):
    own, other = iter([9, 1, 2, 3]), iter([9, 4, 4, 60])

    def measure(checkout: Path) -> Measured:
        return Measured({"": Cost(next(own if checkout == ROOT else other), 5.0)})

    compared(measure, ["--beside", str(OTHER)])
    # Pairs: 4, 2 and 20 times; the least of each build is printed beside.
    assert printed(capsys.readouterr().out) == [["it", "1 s", "4 s", "4.0", "5", "5"]]


def test_builds_that_did_something_else_are_not_compared():
    with pytest.raises(SystemExit, match="it: the builds did not do the same"):
        compared(lambda checkout: Measured({"": Cost(1.0)}, str(checkout)), ["--beside", "/other"])


def test_what_another_build_lacks_is_said_at_the_end_and_the_rest_is_compared(capsys):
    def measure(checkout: Path) -> Measured:
        if checkout != ROOT:
            raise beside.BuildError(checkout, "exit code 2")
        return Measured({"": Cost(1.0)})

    options = beside.parser("m", "", ["new", "old"], rounds=1).parse_args(["--beside", str(OTHER)])
    measures = {"new": measure, "old": lambda checkout: Measured({"": Cost(1.0)})}
    with pytest.raises(SystemExit, match="new: not compared; /other: exit code 2"):
        beside.compare(measures, options)
    assert [row[0] for row in printed(capsys.readouterr().out)] == ["old"]


def test_a_name_there_is_not_is_answered_with_those_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        compared(lambda checkout: Measured({}), ["that"])
    assert "'that': expected one of it" in capsys.readouterr().err


def test_a_process_is_measured_whole(capsys):
    assert start.main(["python itself", "--rounds", "1", "--beside", str(ROOT)]) == 0
    ((name, own, other, ratio, *mib),) = printed(capsys.readouterr().out)
    assert (name, own.endswith("ms"), other.endswith("ms")) == ("python itself", True, True)
    assert float(ratio) > 0
    assert all(float(peak) > 1 for peak in mib)


def test_a_call_imports_the_package_of_its_checkout(tmp_path: Path):
    package = tmp_path / "hpo_research"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit(7)")
    with pytest.raises(SystemExit, match="peak_mib ended with 7"):
        beside.call(tmp_path, beside.peak_mib)
    assert beside.call(ROOT, beside.peak_mib) > 1


@pytest.mark.parametrize("name", ["ASHA()", "CurveStopping(Random())"])
def test_a_history_is_replayed_to_the_same_asks(name, tmp_path, monkeypatch):
    monkeypatch.setattr(asks, "SIZES", (45,))
    asks.drive(name, 45, str(tmp_path / "history"))
    (costs, did), (_, again) = (asks.replayed(name, str(tmp_path / "history")) for _ in range(2))
    assert costs.keys() == {"at 45", "at first"}
    assert did == again


@pytest.mark.parametrize("name", asks.FINITE)
def test_a_finite_space_is_filled_without_a_repetition(name):
    costs, _ = asks.finite(name, [40])
    assert costs["at 40"] > 0
