"""Question: does it pay to stop bad configurations early.

Grid search, random search and Hyperband, each with the same budget of epochs in every run, on
three problems. On Branin a trial has a single epoch: there is nothing to stop early, so Hyperband
is random search. The learning curves rank configurations early about as they do in the end
(agreement 0.8), and `digits-mlp` trains real networks. Expected: Hyperband finds good values of
the last two in a fraction of the epochs.

Run it with `hpo run experiments/quickstart.py`; stopped, the same command goes on.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="quickstart",
    problems=[
        hpo.problem("branin"),
        hpo.problem("curves", base="branin", max_epochs=27, agreement=0.8),
        hpo.problem("digits-mlp", max_epochs=9),
    ],
    strategies={
        "grid": hpo.Grid(points="fit"),  # the largest near-equal grid within the budget
        "random": hpo.Random(),
        "hyperband": hpo.Hyperband(eta=3),
    },
    seeds=range(5),
    # 36 full trainings a run: digits-mlp has 30 combinations of categories, which a grid needs.
    budget=hpo.Budget(evaluations=36),
    parallel=4,
)
