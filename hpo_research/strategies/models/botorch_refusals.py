"""Which classes of BoTorch a run cannot use, and what to use instead.

`docs/botorch.md` lists all
classes; what is not named here runs, or fails in the rehearsal before a run's first trial.
"""

import inspect
from collections.abc import Collection, Mapping

from botorch.acquisition.acquisition import OneShotAcquisitionFunction
from botorch.acquisition.active_learning import PairwiseMCPosteriorVariance
from botorch.acquisition.analytic import (
    ConstrainedExpectedImprovement,
    LogConstrainedExpectedImprovement,
    LogNoisyExpectedImprovement,
    NoisyExpectedImprovement,
)
from botorch.acquisition.bayesian_active_learning import FullyBayesianAcquisitionFunction
from botorch.acquisition.fixed_feature import FixedFeatureAcquisitionFunction
from botorch.acquisition.joint_entropy_search import qJointEntropySearch
from botorch.acquisition.knowledge_gradient import ProjectedAcquisitionFunction, qKnowledgeGradient
from botorch.acquisition.max_value_entropy_search import (
    MaxValueBase,
    qMultiFidelityMaxValueEntropy,
)
from botorch.acquisition.multi_objective.base import (
    MultiObjectiveAnalyticAcquisitionFunction,
    MultiObjectiveMCAcquisitionFunction,
)
from botorch.acquisition.multi_objective.joint_entropy_search import (
    LowerBoundMultiObjectiveEntropySearch,
)
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.acquisition.multi_objective.predictive_entropy_search import (
    qMultiObjectivePredictiveEntropySearch,
)
from botorch.acquisition.multioutput_acquisition import MultiOutputAcquisitionFunction
from botorch.acquisition.penalized import PenalizedAcquisitionFunction
from botorch.acquisition.predictive_entropy_search import qPredictiveEntropySearch
from botorch.acquisition.preference import (
    AnalyticExpectedUtilityOfBestOption,
    PairwiseBayesianActiveLearningByDisagreement,
    qExpectedUtilityOfBestOption,
)
from botorch.acquisition.prior_guided import PriorGuidedAcquisitionFunction
from botorch.acquisition.proximal import ProximalAcquisitionFunction
from botorch.acquisition.thompson_sampling import PathwiseThompsonSampling
from botorch.models.additive_gp import OrthogonalAdditiveGP
from botorch.models.approximate_gp import ApproximateGPyTorchModel
from botorch.models.contextual import LCEAGP, SACGP
from botorch.models.deterministic import DeterministicModel
from botorch.models.fully_bayesian import (
    AbstractFullyBayesianSingleTaskGP,
    FullyBayesianLinearSingleTaskGP,
)
from botorch.models.fully_bayesian_multitask import SaasFullyBayesianMultiTaskGP
from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.models.hierarchical.conditional_kernel_gp import HierarchicalConditionalKernelGP
from botorch.models.higher_order_gp import HigherOrderGP
from botorch.models.latent_kronecker_gp import LatentKroneckerGP
from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP, EnsembleMapSaasSingleTaskGP
from botorch.models.model import ModelList
from botorch.models.multitask import KroneckerMultiTaskGP, MultiTaskGP
from botorch.models.pairwise_gp import PairwiseGP

# Models that are sampled, by NumPyro.
SAMPLED = (AbstractFullyBayesianSingleTaskGP, SaasFullyBayesianMultiTaskGP)
# That take nothing but a `SingleTaskGP` with known variances.
FROM_KNOWN_NOISE = (NoisyExpectedImprovement, LogNoisyExpectedImprovement)
# Whose kernels BoTorch has no random features of, which paths are made of.
WITHOUT_FEATURES = (
    AdditiveMapSaasSingleTaskGP,
    FullyBayesianLinearSingleTaskGP,
    HierarchicalConditionalKernelGP,
    MixedSingleTaskGP,
    OrthogonalAdditiveGP,
    SingleTaskMultiFidelityGP,
)
# That draw or condition on optima, or take them in fantasies, each of one GP.
OF_ONE_GP = (MaxValueBase, qJointEntropySearch, qPredictiveEntropySearch, qKnowledgeGradient)
_Sentences = Mapping[tuple[type, ...], str]

_SEVERAL = "weighs several objectives, and a run has one; use qLogNoisyExpectedImprovement"
# Of every object, however it was made; the first that fits is said.
_MADE: _Sentences = {
    (
        MultiObjectiveAnalyticAcquisitionFunction,
        MultiObjectiveMCAcquisitionFunction,
        LowerBoundMultiObjectiveEntropySearch,
        MultiOutputAcquisitionFunction,
        qLogNParEGO,
    ): _SEVERAL,
    (OneShotAcquisitionFunction,): (
        "is maximised over its fantasies as well, which is not supported; "
        "use qKnowledgeGradient, or qLogNoisyExpectedImprovement"
    ),
    (
        PairwiseMCPosteriorVariance,
        AnalyticExpectedUtilityOfBestOption,
        qExpectedUtilityOfBestOption,
        PairwiseBayesianActiveLearningByDisagreement,
    ): (
        "values pairs that somebody compares, and a trial has a value of its own; "
        "use qLogNoisyExpectedImprovement"
    ),
    (ConstrainedExpectedImprovement, LogConstrainedExpectedImprovement): (
        "constrains outputs beside the objective, and a run has one; "
        "report what breaks a constraint as failed, and use qLogNoisyExpectedImprovement"
    ),
    (FixedFeatureAcquisitionFunction,): (
        "takes points without the columns it fixes; leave those hyperparameters out of the space"
    ),
}
# Of a class that is given as it is: a function may make it.
_GIVEN: _Sentences = {
    (
        PenalizedAcquisitionFunction,
        PriorGuidedAcquisitionFunction,
        ProximalAcquisitionFunction,
        ProjectedAcquisitionFunction,
    ): (
        "wraps an acquisition function, which is made at each ask; "
        "give a function, such as one of (model, best_f), that makes both"
    ),
}
_FIDELITY = (
    "takes the last column for a fidelity, which a space does not have; use {instead}, or bind "
    "{bound}=..."
)
_MODELS: _Sentences = {
    (DeterministicModel,): (
        "is not fitted to trials; give a function (train_X, train_Y) that makes it"
    ),
    (MultiTaskGP, KroneckerMultiTaskGP): (
        "models several tasks, and a run has one; use SingleTaskGP"
    ),
    (HigherOrderGP,): "models tensors of outputs, and a trial has one value; use SingleTaskGP",
    (LatentKroneckerGP,): (
        "models curves on a grid of steps; use SingleTaskGP, or FreezeThaw for learning curves"
    ),
    (ModelList,): "combines models that are fitted; give a function (train_X, train_Y) that does",
    (PairwiseGP,): "learns from pairs that somebody compared; use SingleTaskGP",
    (LCEAGP, SACGP): (
        "needs a variance for each trial and a decomposition of the columns; "
        "give a function (train_X, train_Y) that makes it with both"
    ),
}


def made_refusal(made: type) -> str | None:
    """Say why an object of a class is no acquisition function for a run, however it was made."""
    if made is qKnowledgeGradient:  # alone of its kind it is nested
        return None
    if made is qMultiObjectivePredictiveEntropySearch:  # qPredictiveEntropySearch is one as well
        return f"{made.__name__} {_SEVERAL}"
    return _first(_MADE, made)


def acquisition_refusal(target: type, bound: Collection[str]) -> str | None:
    """Say why a class, with these arguments bound, cannot value the points of a run."""
    if inspect.isabstract(target):
        return f"{target.__name__} is abstract; use a class derived from it"
    if issubclass(target, qMultiFidelityMaxValueEntropy) and "cost_aware_utility" not in bound:
        instead = (
            "qLowerBoundMaxValueEntropy" if "LowerBound" in target.__name__ else "qMaxValueEntropy"
        )
        needed = _FIDELITY.format(instead=instead, bound="cost_aware_utility")
        return f"{target.__name__} {needed}"
    return made_refusal(target) or _first(_GIVEN, target)


def model_refusal(target: type, bound: Collection[str]) -> str | None:
    """Say why a class, with these arguments bound, cannot be fitted to the trials of a run."""
    name, takes = target.__name__, [*inspect.signature(target).parameters]
    if words := _first(_MODELS, target):
        return words
    has_fidelity = any(name in bound for name in ("iteration_fidelity", "data_fidelities"))
    if issubclass(target, SingleTaskMultiFidelityGP) and not has_fidelity:
        needed = _FIDELITY.format(instead="SingleTaskGP", bound="data_fidelities")
        return f"{name} {needed.replace('takes the last column', 'takes columns')}"
    is_base = target in (ApproximateGPyTorchModel, AbstractFullyBayesianSingleTaskGP)
    if is_base or inspect.isabstract(target) or not takes or takes[0] == "args":
        return f"{name} is a base class; use a class derived from it, as SingleTaskGP"
    if takes[:2] != ["train_X", "train_Y"]:
        return (
            f"{name} is made of {', '.join(takes[:2])}; "
            "give a function (train_X, train_Y) that makes it"
        )
    return None


def pair_refusal(acquisition: type, model: object) -> str | None:
    """Say why an acquisition function is none for a model: a name of ours, or a class."""
    name = acquisition.__name__
    is_sampled = isinstance(model, type) and issubclass(model, SAMPLED)
    is_ensemble = is_sampled or model is EnsembleMapSaasSingleTaskGP
    if issubclass(acquisition, FullyBayesianAcquisitionFunction) and not is_sampled:
        return f"{name} compares the samples of a model; use model=SaasFullyBayesianSingleTaskGP"
    if issubclass(acquisition, OF_ONE_GP) and is_ensemble:
        return f"{name} is for a model of one GP; use SingleTaskGP, or a model of ours"
    if not isinstance(model, type):
        return None
    if issubclass(acquisition, PathwiseThompsonSampling) and issubclass(model, WITHOUT_FEATURES):
        return (
            f"{name} draws paths from random features, which BoTorch does not have for the kernel "
            f"of {model.__name__}; use SingleTaskGP, or a model of ours"
        )
    if issubclass(acquisition, FROM_KNOWN_NOISE):
        return (
            f"{name} needs a model with known variances (train_Yvar), which trials do not have; "
            "use a model of ours, qLogNoisyExpectedImprovement, or a function that states them"
        )
    return None


def _first(sentences: _Sentences, target: type) -> str | None:
    for classes, words in sentences.items():
        if issubclass(target, classes):
            return f"{target.__name__} {words}"
    return None
