"""The table of `docs/botorch.md`: every class of BoTorch is in it, and what it says is so.

Here all names and all refusals, and the rows of a few classes; all of it: `python -m tests.campaign
botorch`.
"""

import pytest
import torch
from botorch.acquisition import PosteriorMean, qNegIntegratedPosteriorVariance
from botorch.models import MixedSingleTaskGP

from hpo_research.errors import StrategyError
from hpo_research.strategies.bayesian import Bayesian
from hpo_research.strategies.models.encoding import Encoding
from tests.strategies import botorch_table as table

ROWS = table.rows_of(table.PAGE.read_text(encoding="utf-8"))
WHOLLY_REFUSED = sorted(
    name
    for name, row in ROWS.items()
    if "| yes |" not in row and "one at a time" not in row and "with categories" not in row
    if name not in table.NUMPYRO
)
# Of each kind one: known noise, one sample, fantasies, paths, wrapped.
TRIED = (
    "LogNoisyExpectedImprovement",
    "qNegIntegratedPosteriorVariance",
    "qKnowledgeGradient",
    "PathwiseThompsonSampling",
    "PriorGuidedAcquisitionFunction",
)


def test_every_public_class_of_botorch_has_a_row():
    assert sorted(ROWS) == sorted([*table.ACQUISITIONS, *table.MODELS])
    assert len(table.ACQUISITIONS) > 60 and len(table.MODELS) > 30
    assert not [name for name, row in ROWS.items() if "| ? |" in row]


@pytest.mark.parametrize("name", WHOLLY_REFUSED)
def test_what_the_table_refuses_is_refused_by_that_sentence_when_the_strategy_is_made(name):
    part = table.made({**table.ACQUISITIONS, **table.MODELS}[name]).part
    options = {"acquisition": part} if name in table.ACQUISITIONS else {"model": part}
    with pytest.raises(StrategyError) as caught:
        Bayesian(**options)
    sentence = table.sentence(str(caught.value))
    assert sentence.startswith(f"{name} ") and sentence.removeprefix(f"{name} ") in ROWS[name]
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRIED)
def test_our_model_runs_with_what_the_table_says(name):
    part = table.made(table.ACQUISITIONS[name]).part
    cell = ROWS[name].split(" | ")[2]
    refused = table.refusal(part, "matern52", table.BATCH)
    if cell == table.ALONE:
        assert "evaluates a single point" in refused
        refused = table.refusal(part, "matern52", table.ONE[1])
    assert cell != table.NO and refused == ""


# --- what is supplied ---


def supplied(space, model="matern52", known=8):
    """What a function is given by name in an ask, and by the acquisition function it makes."""
    seen = {}

    def looking(model, best_f, mc_points, candidate_set, optimal_inputs, optimal_outputs):
        names = ("best_f", "mc_points", "candidate_set", "optimal_inputs", "optimal_outputs")
        values = (best_f, mc_points, candidate_set, optimal_inputs, optimal_outputs)
        seen.update(dict(zip(names, values, strict=True)))
        return PosteriorMean(model)

    run = table.Scene(space, known=known).run()
    Bayesian(looking, model, **table.CHEAP).ask([run], [1])
    return seen


@pytest.mark.parametrize("space", [table.PLANE, table.MIXED], ids=["plane", "mixed"])
def test_points_that_are_supplied_are_of_the_domain(space):
    seen, encoding = supplied(space), Encoding(space)
    assert seen["mc_points"].shape == (128, encoding.domain.dimension)
    assert len(seen["candidate_set"]) <= 512 + 256 + 8
    for rows in (seen["mc_points"], seen["candidate_set"], seen["optimal_inputs"]):
        for choice in encoding.domain.choices:
            own = rows[:, list(choice.columns)]
            apart = (own[:, None] - choice.points[None]).abs().sum(dim=-1).amin(dim=1)
            assert float(apart.max()) < 1e-12
    assert seen["optimal_inputs"].shape[0] == 16 and seen["optimal_outputs"].shape == (16, 1)
    rows = {tuple(row) for row in seen["candidate_set"].tolist()}
    assert {tuple(row) for row in seen["optimal_inputs"].tolist()} <= rows


def test_a_finite_space_supplies_its_own_points():
    seen = supplied(table.FINITE, known=5)
    table_of = {tuple(row) for row in Encoding(table.FINITE).domain.table.tolist()}
    assert len(seen["mc_points"]) == len(table_of) == 18
    assert {tuple(row) for row in seen["candidate_set"].tolist()} == table_of


def test_a_model_with_categories_is_supplied_its_own_columns():
    def unfitted(train_X, train_Y, cat_dims):
        return MixedSingleTaskGP(train_X, train_Y, cat_dims).eval()

    seen = supplied(table.MIXED, unfitted)
    assert seen["mc_points"].shape == (128, 4)
    assert set(seen["candidate_set"][:, 1].tolist()) == {1 / 6, 0.5, 5 / 6}


def test_a_function_whose_fantasies_are_alike_gets_one_sample():
    counts = []

    class Looking(qNegIntegratedPosteriorVariance):
        def __init__(self, model, mc_points, sampler, X_pending):
            counts.append(sampler.sample_shape)
            super().__init__(model, mc_points, sampler, X_pending=X_pending)

    Bayesian(Looking, **table.CHEAP).ask([table.Scene(table.PLANE).run()], [1])
    assert counts == [torch.Size([1])]
