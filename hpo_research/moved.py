"""Modules and names that have moved: the one table of them, for programs and for stores.

Programs that were written for an earlier version find each name where it was, with a
`DeprecationWarning` that says the new one; the old ones go with the next version. Stores know a
class by its first path for good (`first_path`), so that a store written by any version is read,
compared and gone on with by any other.
"""

import importlib.abc
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = __name__.partition(".")[0]

MODULES: Mapping[str, str] = {
    "acquisition.surface": "acquisition.gp_acquisition",
    "analysis.curves": "analysis.incumbents",
    "analysis.tested": "analysis.held_out",
    "executors.batches": "executors.lock_step",
    "executors.workers": "executors.processes.executor",
    "experiment.progress": "progress.standing",
    "gp.curve_fit": "curve_gp.fit",
    "gp.curve_posterior": "curve_gp.posterior",
    "gp.curves": "curve_gp.data",
    "gp.dressed": "gp.botorch_model",
    "strategies.asha": "strategies.halving.asha",
    "strategies.curve_stopping": "strategies.stopping.curve",
    "strategies.early_discarding": "strategies.halving.early_discarding",
    "strategies.encoding": "strategies.models.encoding",
    "strategies.hyperband": "strategies.halving.hyperband",
    "strategies.median_stopping": "strategies.stopping.median",
    "strategies.recommend": "strategies.models.recommend",
    "strategies.successive_halving": "strategies.halving.successive_halving",
    "strategies.surrogate": "strategies.models.surrogate",
    "tables.tested": "tables.held_out",
}
"""Old paths of modules in the package, and the new ones, with the same names but for `NAMES`."""

NAMES: Mapping[str, str] = {
    "acquisition.Found": "acquisition.SearchResult",
    "acquisition.GPSurface": "acquisition.GPAcquisition",
    "acquisition.MixedSurface": "acquisition.MixtureAcquisition",
    "acquisition.PathSurface": "acquisition.PathAcquisition",
    "acquisition.Rescored": "acquisition.UncachedScores",
    "acquisition.Screen": "acquisition.CachedScores",
    "acquisition.Surface": "acquisition.AcquisitionFunction",
    "acquisition.surface.GPScreen": "acquisition.gp_acquisition.GPCachedScores",
    "acquisition.surface.GPSurface": "acquisition.gp_acquisition.GPAcquisition",
    "acquisition.surface.Rescored": "acquisition.protocol.UncachedScores",
    "acquisition.surface.Screen": "acquisition.protocol.CachedScores",
    "acquisition.surface.Surface": "acquisition.protocol.AcquisitionFunction",
    "analysis.curves.Band": "analysis.bootstrap.Band",
    "analysis.curves.LEAST_SEEDS": "analysis.bootstrap.LEAST_SEEDS",
    "analysis.curves.Statistic": "analysis.bootstrap.Statistic",
    "analysis.curves.band": "analysis.bootstrap.band",
    "device.Place": "device.Compute",
    "executors.batches.Batches": "executors.lock_step.LockStepExecutor",
    "executors.batches.Running": "executors.streams.Running",
    "executors.batches.Simulated": "executors.simulated.SimulatedExecutor",
    "executors.workers.Workers": "executors.processes.executor.ProcessExecutor",
    "gp.CurveFit": "curve_gp.CurveFit",
    "gp.CurveHyperparameters": "curve_gp.CurveHyperparameters",
    "gp.CurvePosterior": "curve_gp.CurvePosterior",
    "gp.CurvePriors": "curve_gp.CurvePriors",
    "gp.Curves": "curve_gp.Curves",
    "gp.condition_curves": "curve_gp.condition_curves",
    "gp.curve_evidence": "curve_gp.curve_evidence",
    "gp.curve_fit.CurvePriors": "curve_gp.likelihood.CurvePriors",
    "gp.curve_fit.curve_evidence": "curve_gp.likelihood.curve_evidence",
    "gp.curve_posterior.Foretelling": "curve_gp.posterior.JointPrediction",
    "gp.curves.CurveHyperparameters": "curve_gp.covariance.CurveHyperparameters",
    "gp.curves.Epochs": "curve_gp.covariance.Epochs",
    "gp.curves.Fall": "curve_gp.covariance.Fall",
    "gp.curves.NAMES": "curve_gp.covariance.NAMES",
    "gp.curves.between": "curve_gp.covariance.between",
    "gp.curves.fall": "curve_gp.covariance.fall",
    "gp.curves.trend": "curve_gp.covariance.trend",
    "gp.dressed.Dressed": "gp.botorch_model.PosteriorModel",
    "gp.fit_curves": "curve_gp.fit_curves",
    "ledger.Open": "ledger.RunningSegment",
    "problems.synthetic.Analytic": "problems.evaluation.Analytic",
    "problems.synthetic.in_step": "problems.evaluation.in_step",
    "problems.synthetic.points": "problems.evaluation.points",
    "strategies.recommend.recommended": "strategies.answers.recommended",
    "training.Result": "training.EpochResult",
}
"""A name's old path inside the package, and its new one."""

_MODULES_BEFORE = {new: old for old, new in MODULES.items()}
_NAMES_BEFORE = {new: old for old, new in NAMES.items() if old.rpartition(".")[0] in MODULES}


def first_path(path: str) -> str:
    """Return the path by which stores know a class or function: that of its first version."""
    if not path.startswith(f"{_PACKAGE}."):
        return path
    module, _, name = path.removeprefix(f"{_PACKAGE}.").rpartition(".")
    before = _NAMES_BEFORE.get(f"{module}.{name}")
    if before is None and module in _MODULES_BEFORE:
        before = f"{_MODULES_BEFORE[module]}.{name}"
    return path if before is None else f"{_PACKAGE}.{before}"


def current_path(path: str) -> str:
    """Return where in this version a class or function is that a path of any version names."""
    if not path.startswith(f"{_PACKAGE}."):
        return path
    inside = path.removeprefix(f"{_PACKAGE}.")
    module, _, name = inside.rpartition(".")
    now = NAMES.get(inside) or (f"{MODULES[module]}.{name}" if module in MODULES else None)
    return path if now is None else f"{_PACKAGE}.{now}"


def answer_for_old_names(module: str) -> None:
    """Let a module that stands where it stood answer for names that it has no more.

    Set by its name, `__getattr__` is unknown to type checkers, which would let pass any attribute.
    """
    place = module.removeprefix(f"{_PACKAGE}.")

    def found(name: str) -> object:
        if f"{place}.{name}" not in NAMES:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return _found(f"{module}.{name}")

    setattr(sys.modules[module], "__getattr__", found)  # noqa: B010


def import_old_paths() -> None:
    """Let old modules be imported, as modules that have the names of the new ones."""
    sys.meta_path.append(_Finder())


class _Old(ModuleType):
    """A module under its old path."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return _found(f"{self.__name__}.{name}")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of the table, and nothing that is there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_PACKAGE}.") or self._inside(fullname) not in MODULES:
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Old(spec.name, f"`{_PACKAGE}.{MODULES[self._inside(spec.name)]}`, where it was.")

    def exec_module(self, module: ModuleType) -> None:
        """Its names come as they are asked for."""

    def _inside(self, name: str) -> str:
        return name.removeprefix(f"{_PACKAGE}.")


def _found(old: str) -> object:
    new = current_path(old)
    module, _, name = new.rpartition(".")
    value: object = getattr(import_module(module), name)
    warnings.warn(f"{old} is {new} now", DeprecationWarning, stacklevel=3)
    return value
