"""The comparison of all strategies and rivals: what it names exists, and its tables by hand."""

import importlib.util

import pytest

import hpo_research as hpo
from benchmarks import comparison
from hpo_research.rivals.catalogue import CATALOGUE


@pytest.fixture(scope="module")
def file():
    spec = importlib.util.spec_from_file_location("comparison_file", comparison.FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_rival_is_compared_once_by_the_kind_that_it_is(file):
    assert sorted((*file.FAST, *file.SLOW, *file.BY_EPOCH)) == sorted(CATALOGUE)
    assert {name for name in CATALOGUE if CATALOGUE[name].is_by_epoch} == set(file.BY_EPOCH)


def test_what_is_not_installed_is_left_out_with_a_word(file, monkeypatch, tmp_path):
    monkeypatch.setenv("HPO_RIVALS", str(tmp_path))
    with pytest.warns(UserWarning, match=r"dehb: hpo rivals install dehb"):
        assert list(file._installed(("optuna-tpe", "dehb"))) == ["optuna-tpe"]


def test_a_table_has_ranks_and_wins_of_both_directions(tmp_path):
    def loss(config):
        return config["x"]

    space = hpo.SearchSpace(x=hpo.Float(0.0, 1.0))
    both = [hpo.FunctionProblem(loss, space, direction=d, name=d) for d in ("minimize", "maximize")]
    strategies = {"random": hpo.Random(), "sobol": hpo.Random("sobol")}
    made = hpo.Experiment("own", both, strategies, range(3), hpo.Budget(evaluations=3))
    result = hpo.run(made, out=tmp_path / "own", device="cpu", progress=False)
    ranks, wins = [], 0
    for name, flip in (("minimize", min), ("maximize", max)):
        best = {
            own: [flip(t.value for t in result.runs[name, own, s].trials) for s in range(3)]
            for own in strategies
        }
        better = [flip(r, s) == s for r, s in zip(best["random"], best["sobol"], strict=True)]
        ranks.append(sum(1 if won else 2 for won in better) / 3)
        middle = (sorted(best["random"])[1], sorted(best["sobol"])[1])
        wins += flip(middle) == middle[1]
    (row,) = [x for x in comparison.table(tmp_path / "own").split("\n") if x.startswith("| sobol")]
    assert row.startswith(f"| sobol | {sum(ranks) / 2:.2f} | – | {wins}, 0, {2 - wins} |")
