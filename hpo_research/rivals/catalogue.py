"""The rivals by name: whose they are, what they need, and what of theirs had to be answered."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """A library with engines: the module of `engines` that holds them.

    `package` is the distribution whose version is recorded, `imports` what must be importable.
    `environment` names the environment of its own where its pins conflict with ours. `handled` says
    what it does with valid input that is answered here.
    """

    module: str
    package: str
    imports: tuple[str, ...]
    environment: str = ""
    extra: str = "rivals"
    handled: str = ""


@dataclass(frozen=True)
class Entry:
    """A rival: an engine of a library at that library's defaults.

    `needs` are other modules that it imports. `is_by_epoch`: it trains trials in parts.
    """

    library: Library
    description: str
    needs: tuple[str, ...] = ()
    is_by_epoch: bool = False
    extra: str = ""


_OPTUNA = Library("optuna", "optuna", ("optuna",))
_AX = Library(
    "ax",
    "ax-platform",
    ("ax",),
    handled="waits for data after its first trials, however many slots are free",
)
_BOTORCH = Library("botorch", "botorch", ("botorch",))
_SMAC = Library(
    "smac",
    "smac",
    ("smac", "ConfigSpace"),
    "smac",
    handled="a NaN told ends it at a later ask: told the worst loss",
)
_NEVERGRAD = Library("nevergrad", "nevergrad", ("nevergrad",), "nevergrad")
_SYNE_TUNE = Library(
    "syne_tune",
    "syne-tune",
    ("syne_tune",),
    "syne-tune",
    handled="a NaN told ends CQR at a later ask, and makes its BoTorch random: told the worst loss",
)
_HEBO = Library(
    "hebo",
    "HEBO",
    ("hebo",),
    "hebo",
    handled="drops what is not finite: told the worst loss; repeats configurations of finite "
    "spaces: counted",
)
_NEPS = Library(
    "neps",
    "neural-pipeline-search",
    ("neps",),
    "neps",
    handled="records NaN as a success: told the worst loss; asks for values just outside the "
    "bounds: moved to them, counted; draws a logarithmic integer 1..256 from seven values only",
)
_DEHB = Library(
    "dehb",
    "DEHB",
    ("dehb", "ConfigSpace"),
    "dehb",
    handled="has no word for a failed trial: told the worst loss",
)

CATALOGUE: Mapping[str, Entry] = {
    "optuna-tpe": Entry(_OPTUNA, "TPESampler"),
    "optuna-gp": Entry(_OPTUNA, "GPSampler", needs=("greenlet", "torch")),
    "optuna-cma": Entry(_OPTUNA, "CmaEsSampler; draws choices at random", needs=("cmaes",)),
    "optuna-median": Entry(_OPTUNA, "TPESampler with MedianPruner", is_by_epoch=True),
    "optuna-hyperband": Entry(_OPTUNA, "TPESampler with HyperbandPruner", is_by_epoch=True),
    "ax": Entry(_AX, "Client as it comes"),
    "ax-quality": Entry(
        _AX, 'Client with method="quality": fully Bayesian', needs=("numpyro",), extra="rivals,saas"
    ),
    "botorch": Entry(_BOTORCH, "The closed loop of its tutorial, qLogNEI"),
    "smac-rf": Entry(_SMAC, "HyperparameterOptimizationFacade: a random forest"),
    "smac-gp": Entry(_SMAC, "BlackBoxFacade: a Gaussian process"),
    "smac-hyperband": Entry(_SMAC, "MultiFidelityFacade", is_by_epoch=True),
    "nevergrad-ngopt": Entry(_NEVERGRAD, "NGOpt with a budget of 100"),
    "nevergrad-de": Entry(_NEVERGRAD, "Differential evolution"),
    "syne-tune-cqr": Entry(_SYNE_TUNE, "Conformal quantile regression"),
    "syne-tune-asha": Entry(_SYNE_TUNE, "ASHA", is_by_epoch=True),
    "hebo": Entry(_HEBO, "HEBO"),
    "neps": Entry(_NEPS, "Bayesian optimisation"),
    "neps-priorband": Entry(_NEPS, "PriorBand without a prior", is_by_epoch=True),
    "dehb": Entry(_DEHB, "Differential evolution with Hyperband", is_by_epoch=True),
}
"""Every rival, in the order of the list."""
