"""One GP over configuration and epoch for each run: learning curves, many runs at once.

Shapes as in `gp/`; `c` curves and `e` epochs that differ among the `n` rows.
"""

from hpo_research.curve_gp.covariance import CurveHyperparameters
from hpo_research.curve_gp.data import Curves
from hpo_research.curve_gp.fit import CurveFit, fit_curves
from hpo_research.curve_gp.likelihood import CurvePriors, curve_evidence
from hpo_research.curve_gp.posterior import CurvePosterior, condition_curves

__all__ = [
    "CurveFit",
    "CurveHyperparameters",
    "CurvePosterior",
    "CurvePriors",
    "Curves",
    "condition_curves",
    "curve_evidence",
    "fit_curves",
]
