"""The exception tree: everything this package raises on purpose descends from `HpoError`.

Mistakes of the caller (arguments, spaces, files, documents) are also `ValueError`; what the
machine refuses (a lock, a full disk) is also `OSError` or `RuntimeError`. Messages are safe to
print, whatever names and values they quote.
"""

from hpo_research.text import message


class HpoError(Exception):
    """Root of every error that `hpo_research` raises on purpose."""

    def __str__(self) -> str:
        return message("\n".join(map(str, self.args)))


class ArgumentError(HpoError, TypeError):
    """A function or class was called with arguments that it does not take."""


class UnknownNameError(HpoError, AttributeError):
    """The package, or an object of it, has nothing of this name."""


class SpaceError(HpoError, ValueError):
    """A hyperparameter, a search space or a configuration is not what it must be."""


class ProblemError(HpoError, ValueError):
    """A problem was described wrongly or asked for by an unknown name."""


class StrategyError(HpoError, ValueError):
    """A strategy's options are wrong, or do not suit the problem it is asked about."""


class ExperimentError(HpoError, ValueError):
    """An experiment, a budget or an experiment file is wrong, or changed since it began."""


class DocumentError(HpoError, ValueError):
    """A tuning-job document is not what the service takes; a line each, with its JSON path."""


class StudyError(HpoError, ValueError):
    """A study was told something that contradicts what it knows."""


class StateError(HpoError, ValueError):
    """A trial's state holds something that cannot be kept."""


class StoreError(HpoError, ValueError):
    """A folder holds no store, or one that this version cannot read."""


class StoreEmptyError(StoreError):
    """A store's file holds nothing yet: another process is about to fill it, or was killed then."""


class StoreLockedError(HpoError, RuntimeError):
    """Another process is writing to the store."""


class StoreWriteError(HpoError, OSError):
    """The disk refused a write; everything stored before it is still there."""


class DeviceError(HpoError, ValueError):
    """The device asked for is unknown or not available here."""


class MachineError(HpoError, OSError):
    """The machine refuses what an experiment needs: a process, or a file descriptor."""


class MissingPackageError(HpoError, ImportError):
    """An optional package is needed and not installed; the message names the install line."""


class OfflineError(HpoError, RuntimeError):
    """A client was asked for what has no answer on this machine; nothing is ever sent."""


class MissingDataError(HpoError, OSError):
    """Images that a problem trains on are not on this machine and could not be fetched."""


class CodeChangedWarning(UserWarning):
    """The user's code is another than that which some stored trials were begun with."""


class EarlierResultsWarning(UserWarning):
    """A source of earlier results has grown since the experiment began; what is stored counts."""


class MergeWarning(UserWarning):
    """Shards of one experiment ran on other processors, or with other versions or code."""


class NetworkStoreWarning(UserWarning):
    """A store is written to a file system that several machines share."""


class DocumentWarning(UserWarning):
    """A tuning-job document goes beyond an account's quotas, or has ranges of a single value."""


class AllTrialsFailedError(HpoError, RuntimeError):
    """No trial gave a value, so there is no best configuration to return."""
