"""What every test runs under: one torch thread, checked shapes, and examples that may take long."""

import os

import hypothesis
import jaxtyping
import pytest
import shapes
import torch

torch.set_num_threads(1)
jaxtyping.jaxtyped = shapes.jaxtyped  # before the import hook meets the package

hypothesis.settings.register_profile("people", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "people")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First, or the longest file runs alone at the end while the other worker waits.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
