"""Our searches by name: what `tune` and `ours` can be asked for."""

import hpo_research as hpo

VARIANTS: dict[str, hpo.Strategy] = {
    "default": hpo.Bayesian(),
    "by-evidence": hpo.Bayesian(model="by-evidence"),
    "random": hpo.Random(),
    "sobol": hpo.Random("sobol"),
}
