"""Our searches by name: what `tune` and `ours` can be asked for."""

import hpo_research as hpo

VARIANTS: dict[str, hpo.Strategy] = {
    "default": hpo.Bayesian(),
    "by-evidence": hpo.Bayesian(model="by-evidence"),
    "averaged": hpo.Bayesian(model="averaged"),
    "all-by-evidence": hpo.Bayesian(model="by-evidence", transform="by-evidence"),
    "transform-by-evidence": hpo.Bayesian(transform="by-evidence"),
    "ranks": hpo.Bayesian(transform="rank"),
    "random": hpo.Random(),
    "sobol": hpo.Random("sobol"),
}
