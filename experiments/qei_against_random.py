"""Question: does a Gaussian process with q-EI find better configurations than random search.

Both spend 48 evaluations, four at a time, on Branin, Hartmann6 and `digits-mlp` (27 epochs a full
training, by validation log loss), over 20 paired seeds: a seed gives both the same initial weights
and data order. Expected: q-EI ends below random search in at least 16 seeds on Branin and on
Hartmann6, and in at least 13 on `digits-mlp`, ties counted half. `make evidence` runs this file
and records the answer.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="qei_against_random",
    problems=[
        hpo.problem("branin"),
        hpo.problem("hartmann6"),
        hpo.problem("digits-mlp", max_epochs=27),
    ],
    strategies={
        "random": hpo.Random(),
        "q-EI": hpo.Bayesian(acquisition="qlogei"),
    },
    seeds=range(20),
    budget=hpo.Budget(evaluations=48),
    parallel=4,
)
