"""The benchmark of what a study costs: its rows are of what they say."""

import pytest

from benchmarks import study


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(study, "WARM", 2)
    monkeypatch.setattr(study, "TRIALS", 4)


@pytest.mark.parametrize("name", study.STRATEGIES)
def test_every_strategy_has_a_cost(name: str):
    assert 0 < study.strategy(name) < 1


def test_a_study_in_memory_and_in_a_folder_has_a_cost(tmp_path):
    assert 0 < study.ours(None, 2, 4) < 1
    assert 0 < study.ours(str(tmp_path), 2, 4) < 1
    assert (tmp_path / "store.sqlite").exists()


def test_ratios_are_of_the_pairs_of_a_round():
    assert study.ratios([(1.0, 2.0), (2.0, 2.0), (1.0, 8.0)]) == ["1 s", "2 s", "2.0"]


def test_syncs_are_those_of_a_trial_alone():
    """Of a program that syncs 7 times to begin and twice a trial."""

    def measure(trials: int, under: tuple[str, ...]) -> None:
        with open(under[-1], "w") as lines:
            lines.writelines(f"{n} fdatasync(5) = 0\n" for n in range(7 + 2 * trials))

    assert study.syncs(measure) == "2.00"
