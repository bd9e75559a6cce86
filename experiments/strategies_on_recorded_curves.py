"""Question: which strategy finds a good network soonest, on recorded learning curves.

Random search, Hyperband, a Gaussian process with q-EI, and Hyperband that lets the process choose
its configurations, each with 20 full trainings a run, over 50 paired seeds. The curves are those of
1,000 perceptrons, trained twice on the digits (`hpo table`) and replayed asynchronously on a
simulated clock: a freed slot is refilled at once, and seconds are the recorded ones. Expected:
Hyperband and q-EI end below random search, and Hyperband is ahead early.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="strategies_on_recorded_curves",
    problems=[hpo.problem("digits-mlp-table")],
    strategies={
        "random": hpo.Random(),
        "hyperband": hpo.Hyperband(eta=3),
        "q-EI": hpo.Bayesian(acquisition="qlogei"),
        "hyperband, q-EI": hpo.Hyperband(eta=3, inner=hpo.Bayesian(acquisition="qlogei")),
    },
    seeds=range(50),
    budget=hpo.Budget(evaluations=20),
    parallel=4,
    execution="simulated",
)
