"""Hyperband's largest resource, where a document leaves it to the static hyperparameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LARGEST_RESOURCE = 20_000
NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that say it, the first one that there is."""


@dataclass(frozen=True)
class Resource:
    """A static hyperparameter that says the largest resource; no value where it is no count."""

    name: str
    text: str
    value: int | None


def resource(statics: Mapping[str, str]) -> Resource | None:
    """Return what the statics say, None where they say nothing.

    The SDK writes values as JSON for some kinds of training code, so quotes around one are ignored.
    """
    name = next((name for name in NAMES if name in statics), None)
    if name is None:
        return None
    text = statics[name]
    found = re.fullmatch(r'("?)([0-9]{1,9})\1', text)
    value = int(found[2]) if found else 0
    return Resource(name, text, value or None)
