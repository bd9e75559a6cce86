"""Acquisition functions, and where they are largest: tensors in, tensors out.

Shapes as in `gp/`. Losses are minimised; `best` is the least value to improve on.
"""

from hpo_research import moved
from hpo_research.acquisition.criteria import CRITERIA, Criterion, confidence_bound
from hpo_research.acquisition.domain import Choice, Continuous, Discrete, Domain, Points
from hpo_research.acquisition.gp_acquisition import GPAcquisition
from hpo_research.acquisition.improvement import ei, log_ei, log_h, log_knowledge_gradient
from hpo_research.acquisition.maximise import (
    Search,
    SearchResult,
    best_allowed,
    candidates,
    climb,
    maximise,
)
from hpo_research.acquisition.mixture import MixtureAcquisition
from hpo_research.acquisition.montecarlo import qei, qlogei
from hpo_research.acquisition.protocol import AcquisitionFunction, CachedScores, UncachedScores
from hpo_research.acquisition.thompson import PathAcquisition, minima
from hpo_research.acquisition.ucb import ucb

__all__ = [
    "CRITERIA",
    "AcquisitionFunction",
    "CachedScores",
    "Choice",
    "Continuous",
    "Criterion",
    "Discrete",
    "Domain",
    "GPAcquisition",
    "MixtureAcquisition",
    "PathAcquisition",
    "Points",
    "Search",
    "SearchResult",
    "UncachedScores",
    "best_allowed",
    "candidates",
    "climb",
    "confidence_bound",
    "ei",
    "log_ei",
    "log_h",
    "log_knowledge_gradient",
    "maximise",
    "minima",
    "qei",
    "qlogei",
    "ucb",
]

moved.answer_for_old_names(__name__)
