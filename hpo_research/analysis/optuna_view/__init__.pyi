"""What is loaded when it is used: every module but `needed` imports Optuna."""

from . import journal, needed, storage, studies

__all__ = ["journal", "needed", "storage", "studies"]
