"""What a run stood for as it went on, and the run as it was when it had spent some epochs."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from handmade import histories, made

import hpo_research as hpo
from hpo_research.analysis import noise_free as module
from hpo_research.analysis.choices import PARTS, choices
from hpo_research.analysis.noise_free import noise_free
from hpo_research.figures.choices import choices_figure, draw_choices
from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.wrappers import Noisy
from hpo_research.store import RunName
from hpo_research.tables.choices import choices_table


@dataclass(frozen=True)
class Watching:
    """A strategy that keeps every run it is shown."""

    inner: hpo.Strategy
    seen: list = field(default_factory=list, metadata={"identity": False}, compare=False)

    def ask(self, runs, slots):
        self.seen.extend(runs)
        return self.inner.ask(runs, slots)


def facts(trial):
    return trial.id, trial.status, trial.epochs, trial.values, trial.value


@pytest.mark.parametrize("inner", [hpo.ASHA(), hpo.Hyperband()], ids=str)
def test_a_run_as_it_was_is_what_the_strategy_was_shown(tmp_path, inner):
    watching = Watching(inner)
    problem = LearningCurves(noise=1.0, max_epochs=9)
    budget = hpo.Budget(evaluations=3)
    experiment = hpo.Experiment("as it was", [problem], {"own": watching}, [3], budget, parallel=3)
    (history,) = hpo.run(experiment, out=tmp_path, device="cpu").histories.values()
    assert len({trial.reached for run in watching.seen for trial in run.trials}) > 2
    for run in watching.seen[:-1]:  # behind the last there was nothing more to come
        spent = sum(trial.reached for trial in run.trials)
        assert list(map(facts, history.after(spent).trials)) == list(map(facts, run.trials))


asked = []


def the_first(strategy, runs):
    """Recommend trial 0 of each run, and keep what was asked."""
    asked.append((type(strategy).__name__, [len(run.trials) for run in runs]))
    return [0 for _ in runs]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Runs of Sobol points; one of the strategies would recommend by a model."""
    experiment = hpo.Experiment(
        name="noise",
        problems=[Noisy(hpo.problem("branin"), 20.0), hpo.problem("branin")],
        strategies={"random": hpo.Random(), "model": hpo.Bayesian(initial=PARTS)},
        seeds=range(5),
        parallel=1,
        budget=hpo.Budget(evaluations=PARTS),
    )
    result = hpo.run(experiment, out=tmp_path_factory.mktemp("noise"), device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "recommended", the_first)
        assert result.choices
    return result


def test_the_best_observed_trial_so_far_is_worth_its_value_without_noise(result):
    (own,) = result.choices
    assert (own.problem, own.is_regret) == ("branin+noise(20)", True)
    shown = own.observed["random"]
    assert shown.cost.tolist() == list(range(1, PARTS + 1))
    for seed, row in zip(shown.seeds, shown.values, strict=True):
        history = result.histories[RunName(own.problem, "random", seed)]
        metrics = [report.metrics for report, _, _ in history.reports]
        best = [min(metrics[: k + 1], key=lambda m: m["value"]) for k in range(PARTS)]
        optimum = hpo.problem("branin").optimum
        np.testing.assert_allclose(row, [m["noise_free"] - optimum for m in best], atol=1e-12)


def test_in_the_end_they_are_what_the_table_of_finals_without_noise_has(result):
    (own,), (known,) = choices(result, parts=1), noise_free(result)
    for shown, finals in ((own.recommended, known.recommended), (own.observed, known.observed)):
        for name, curve in shown.items():
            np.testing.assert_array_equal(curve.values[:, -1], finals.values[name])


def test_the_strategy_is_asked_at_each_part_for_a_trial_of_the_run_as_it_was(result):
    (own,) = result.choices
    assert asked[:PARTS] == [("Bayesian", [k + 1] * 5) for k in range(PARTS)]
    np.testing.assert_array_equal(own.recommended["random"].values, own.observed["random"].values)
    first = own.observed["model"].values[:, :1]
    np.testing.assert_array_equal(own.recommended["model"].values, np.tile(first, PARTS))


def test_a_run_that_goes_on_has_no_value_beyond_what_it_has_spent(result, monkeypatch):
    name = RunName("branin+noise(20)", "random", 1)
    own = result.histories[name]
    run = replace(own.run, trials=tuple(own.run.trials)[:5])
    cut = replace(own, run=run, is_over=False, reports=list(own.reports)[:5])
    monkeypatch.setattr(module, "recommended", the_first)
    found = choices(replace(result, histories={**result.histories, name: cut}))[0]
    row = found.observed["random"].values[1]
    assert np.isnan(row).tolist() == [False] * 5 + [True] * (PARTS - 5)


def test_the_table_has_both_choices_at_each_quarter(result):
    shown, (own,) = choices_table(result, result.choices), result.choices
    assert shown.head.count("50%") == 2
    assert [row[1].text for row in shown.rows] == ["random", "model"]
    for row in shown.data.itertuples():
        place = int(row.quarter * PARTS) - 1
        assert row.epochs == place + 1
        assert row.recommended == np.median(own.recommended[row.strategy].values[:, place])
        assert row.best_observed == np.median(own.observed[row.strategy].values[:, place])
    assert "On branin+noise(20), it is the distance from the optimum." in shown.caption


def test_the_figure_draws_both_choices_on_one_scale(result):
    picture = choices_figure(result)
    above, below = picture.figure.axes[:2]
    (own,) = result.choices
    for axes, shown in ((above, own.recommended), (below, own.observed)):
        for name, curve in shown.items():
            line = next(line for line in axes.lines if line.get_label() == name)
            np.testing.assert_array_equal(line.get_ydata()[:-1], np.median(curve.values, axis=0))
    assert above.get_ylim() == below.get_ylim()
    assert above.get_title() == "branin+noise(20): recommended"
    assert "the best observed one where it has no model" in picture.caption


def test_without_noise_there_is_neither():
    plain = made(histories())
    assert plain.choices == []
    assert choices_figure(plain) is None
    with pytest.raises(hpo.HpoError, match="noisy problem"):
        draw_choices(None, plain, "p")
