from dataclasses import replace

import torch

from hpo_research.gp import KERNELS, Data, fit
from hpo_research.gp.transforms import standardised, yeo_johnson
from hpo_research.records import Run, Trial
from hpo_research.space import Categorical, Float, SearchSpace
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.inputs import FittedModels, batch, key
from hpo_research.strategies.models.observations import Observations

SPACE = SearchSpace(x=Float(0, 1), kind=Categorical(("a", "b")))


def trial(number: int, status: str = "finished", value: float | None = None) -> Trial:
    config = {"x": number / 100, "kind": "ab"[number % 2]}
    return Trial(number, config, status, 1, value=value)


def run(*trials: Trial, direction: str = "minimize", seed: int = 0) -> Run:
    return Run(SPACE, direction=direction, trials=trials, seed=seed)


def test_failed_trials_count_as_bad_as_the_worst_value():
    known = Observations.of(
        run(trial(0, value=1.0), trial(1, "failed"), trial(2, value=3.0), trial(3, "stopped"))
    )
    assert known.losses == (1.0, 3.0, 3.0, 3.0)
    assert (known.values, known.failures) == (2, 2)


def test_running_trials_are_pending_even_where_they_have_reported():
    known = Observations.of(run(trial(0, value=1.0), trial(1, "running", value=0.5)))
    assert known.losses == (1.0,)
    assert known.pending == ({"x": 0.01, "kind": "b"},)


def test_a_metric_to_maximise_becomes_a_loss():
    known = Observations.of(run(trial(0, value=1.0), trial(1, value=3.0), direction="maximize"))
    assert known.losses == (-1.0, -3.0)


def keyed(one: Run, slots: int = 1) -> tuple[object, ...]:
    return key(one, Observations.of(one), slots, Encoding(one.space))


def test_what_runs_are_computed_together_depends_on_rounded_sizes_of_their_own():
    few = run(*(trial(i, value=float(i)) for i in range(3)))
    more = run(*(trial(i, value=float(i)) for i in range(8)))
    many = run(*(trial(i, value=float(i)) for i in range(9)))
    assert keyed(few) == keyed(more) != keyed(many)
    assert keyed(few) != keyed(few, slots=2)
    assert keyed(few) != keyed(run(*few.trials, trial(3, "running")))


def test_rows_are_padded_and_the_best_points_are_the_centres():
    runs = [
        run(*(trial(i, value=float(9 - i)) for i in range(9))),
        run(trial(0, value=2.0), trial(1, value=1.0)),
    ]
    together = batch(
        runs, [Observations.of(r) for r in runs], [Encoding(SPACE)] * 2, slots=1, device="cpu"
    )
    assert together.data.x.shape == (2, 16, 3)
    assert together.data.mask.sum(dim=1).tolist() == [9, 2]
    assert together.centres.x[0, :, 0].tolist() == [0.08, 0.07, 0.06, 0.05]
    assert together.centres.x[1, :, 0].tolist() == [0.01, 0.0, 0.01, 0.0]
    assert torch.equal(together.data.y[0, :9], torch.arange(9.0, 0.0, -1.0).double())


def test_the_transform_of_more_evidence_is_taken_run_by_run():
    """The evidence of the losses themselves: of the transformed ones, and the Jacobian."""
    x = torch.linspace(0, 1, 16, dtype=torch.float64)[None, :, None].repeat(3, 1, 1)
    wave = torch.sin(5 * x[0, :, 0])
    data = Data.of(x, torch.stack([wave, torch.exp(4 * wave), wave * 0]))
    tried = []
    for change in (standardised, yeo_johnson):
        transformed = change(data.y, data.mask)
        known = replace(data, y=transformed.y)
        found = fit(known, [KERNELS["matern52"]])
        tried.append(FittedModels(known, transformed, found, (found,)))
    best = tried[0].better(tried[1])
    own = torch.stack([t.fit.log_evidence + t.transformed.log_jacobian for t in tried])
    assert own[1, 1] > own[0, 1] + 3
    for i, row in enumerate(own.argmax(dim=0).tolist()):
        assert torch.equal(best.data.y[i], tried[row].data.y[i])
        assert best.fit.log_evidence[i] == tried[row].fit.log_evidence[i]
        assert best.transformed.power[i] == tried[row].transformed.power[i]
