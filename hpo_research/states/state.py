"""What a state is."""

from collections.abc import Mapping
from typing import Any

State = Mapping[Any, Any]
"""What a trial carries from one epoch to the next: names to tensors, arrays and plain values."""
