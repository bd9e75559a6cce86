"""Exact Gaussian processes, many at once: tensors in, tensors out.

The legend of shapes, here and in `acquisition/`: `b` independent GPs (runs), `n` known rows
(padded; a mask says which count), `q` rows asked, `d` encoded columns, `p` lengthscales (one a
hyperparameter; the columns of an unordered choice share one), `s` starts, `m` Monte-Carlo samples.
And of words: `cholesky` is L with K = LL', `whitening` L⁻¹, what it makes of k(x, ·) is `whitened`.
Everything is float64 and bit-equal, on the CPU, whatever other GPs stand in the batch.
"""

from hpo_research import moved
from hpo_research.gp.data import Data
from hpo_research.gp.fit import Fit, best, fit, fits, stacked
from hpo_research.gp.kernels import KERNELS, Kernel
from hpo_research.gp.likelihood import Hyperparameters, Priors, evidence
from hpo_research.gp.paths import Paths, paths_of
from hpo_research.gp.posterior import Posterior, condition, condition_on_samples
from hpo_research.gp.transforms import TRANSFORMS

__all__ = [
    "KERNELS",
    "TRANSFORMS",
    "Data",
    "Fit",
    "Hyperparameters",
    "Kernel",
    "Paths",
    "Posterior",
    "Priors",
    "best",
    "condition",
    "condition_on_samples",
    "evidence",
    "fit",
    "fits",
    "paths_of",
    "stacked",
]

moved.answer_for_old_names(__name__)
