"""Our searches by name: what `tune` and `ours` can be asked for."""

import hpo_research as hpo

VARIANTS: dict[str, hpo.Strategy] = {
    "default": hpo.Bayesian(),
    "random": hpo.Random(),
    "sobol": hpo.Random("sobol"),
}
