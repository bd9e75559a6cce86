"""Question: what do a model and early stopping buy over grid and random search.

Grid search, random search, a Gaussian process with q-EI, and Hyperband, each with the same budget
of epochs in every run, on three problems. On Branin and Hartmann6 a trial has a single epoch:
there is nothing to stop early, so Hyperband is random search, and the report says so. `digits-mlp`
trains real networks. Expected: q-EI ends far below the others on the test functions and below
random search on the networks, where Hyperband ends about where random search does, in half the
epochs.

Run it with `hpo run experiments/quickstart.py`; stopped, the same command goes on.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="quickstart",
    problems=[
        hpo.problem("branin"),
        hpo.problem("hartmann6"),
        hpo.problem("digits-mlp", max_epochs=9),
    ],
    strategies={
        # The largest near-equal grid within the budget: here two points or one a hyperparameter.
        "grid": hpo.Grid(points="fit"),
        "random": hpo.Random(),
        "q-EI": hpo.Bayesian(acquisition="qlogei"),
        "hyperband": hpo.Hyperband(eta=3),
    },
    seeds=range(6),
    # 36 full trainings a run: the grid needs 24 for the combinations of categories of digits-mlp.
    budget=hpo.Budget(evaluations=36),
    parallel=4,
)
