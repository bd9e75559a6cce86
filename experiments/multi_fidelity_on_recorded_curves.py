"""Question: what finds a good network in the fewest epochs, on recorded learning curves.

Every multi-fidelity strategy beside random search and a Gaussian process that trains to the end,
each with the epochs of 20 full trainings, four trials at a time, over 30 paired seeds. The curves
are those of 1,000 perceptrons and 400 convolutional networks trained twice on the digits, and of
300 perceptrons on 5,000 images of MNIST (`hpo table`). Expected: all that stop
early reach random search's final regret in a fraction of its epochs, and a model of whole curves
stays ahead of rules that compare single values.
"""

import hpo_research as hpo

experiment = hpo.Experiment(
    name="multi_fidelity_on_recorded_curves",
    problems=[
        hpo.problem(name) for name in ("digits-mlp-table", "digits-cnn-table", "mnist5k-mlp-table")
    ],
    strategies={
        "random": hpo.Random(),
        "q-EI": hpo.Bayesian(design="sobol"),  # begins as the other models do
        "halving": hpo.SuccessiveHalving(eta=3),
        "hyperband": hpo.Hyperband(eta=3),
        "ASHA": hpo.ASHA(eta=3),
        "one epoch": hpo.EarlyDiscarding(candidates=30, top=3),
        "median": hpo.MedianStopping(hpo.Random(), min_epochs=3),
        "model hyperband": hpo.ModelHyperband(eta=3),
        "freeze-thaw": hpo.FreezeThaw(),
    },
    seeds=range(30),
    budget=hpo.Budget(evaluations=20),
    parallel=4,
)
