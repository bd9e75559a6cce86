"""Question: how many epochs does Hyperband need for what random search finds with all of them.

Both search `digits-mlp` (27 epochs a full training) with 48 full trainings a run, over 30 paired
seeds: a seed gives both the same configurations, initial weights and data order. Expected: the
median Hyperband run reaches the median final log loss of random search in at most half of the
1296 epochs. `make evidence` runs this file and records the answer.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="hyperband_on_digits",
    problems=[hpo.problem("digits-mlp", max_epochs=27)],
    strategies={
        "random": hpo.Random(),
        "hyperband": hpo.Hyperband(eta=3),
    },
    seeds=range(30),
    budget=hpo.Budget(evaluations=48),
    parallel=4,
)
