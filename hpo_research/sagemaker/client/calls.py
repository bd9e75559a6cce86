"""What a client was asked for, and how a program answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo_research.sagemaker.plain import Json


@dataclass(frozen=True)
class Call:
    """What was asked of a service: `sent` as the caller gave it, `body` as JSON carries it."""

    service: str
    operation: str
    sent: Mapping[str, Any]
    body: Json


Answer = Callable[[Call], Mapping[str, Any]]
"""Answers a call with the fields of its response; raises `Refusal` to refuse it."""
