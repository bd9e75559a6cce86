"""Acquisition functions, and where they are largest: tensors in, tensors out.

Shapes as in `gp/`. Losses are minimised; `best` is the least value to improve on.
"""

from hpo_research.acquisition.criteria import CRITERIA, Criterion, confidence_bound
from hpo_research.acquisition.domain import Choice, Domain, Points
from hpo_research.acquisition.improvement import ei, log_ei, log_h
from hpo_research.acquisition.maximise import Found, Search, best_of_table, maximise
from hpo_research.acquisition.montecarlo import qei, qlogei
from hpo_research.acquisition.surface import GPSurface, Surface
from hpo_research.acquisition.ucb import ucb

__all__ = [
    "CRITERIA",
    "Choice",
    "Criterion",
    "Domain",
    "Found",
    "GPSurface",
    "Points",
    "Search",
    "Surface",
    "best_of_table",
    "confidence_bound",
    "ei",
    "log_ei",
    "log_h",
    "maximise",
    "qei",
    "qlogei",
    "ucb",
]
