"""Question: does a Gaussian process still find its way among a hundred hyperparameters.

Levy's and Rosenbrock's functions in 100 dimensions, the minimiser moved to a place drawn at random;
500 evaluations, four at a time, of which q-EI begins with four, over 4 paired seeds. Expected: in
every seed q-EI ends at less than half the regret of quasi-random search, on both. `make evidence`
runs this file and records the answer.
"""

import hpo_research as hpo
from hpo_research.problems.wrappers import Shifted

experiment = hpo.Experiment(
    name="hundred_dimensions",
    problems=[
        Shifted(hpo.problem("levy", dimension=100), seed=2, name="levy-100"),
        Shifted(hpo.problem("rosenbrock", dimension=100), seed=2, name="rosenbrock-100"),
    ],
    strategies={
        "random": hpo.Random("sobol"),
        "q-EI": hpo.Bayesian(acquisition="qlogei"),
    },
    seeds=range(4),
    budget=hpo.Budget(evaluations=500),
    parallel=4,
)
