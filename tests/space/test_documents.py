"""A space as plain JSON, and back."""

import json

import numpy as np
import pytest

from hpo_research.problems.registry import problem
from hpo_research.space import Categorical, Float, Integer, SearchSpace
from hpo_research.space.documents import document, from_document

MIXED = SearchSpace(
    {
        "learning rate": Float(1e-4, 1.0, scale="log"),
        "x": Float(0.0, 1.0, step=0.1),
        "width": Integer(1, 64, scale="log"),
        "kind": Categorical([None, True, 1, 1.0, "1"]),
    }
)
LISTED = SearchSpace(MIXED.parameters, among=MIXED.decode(np.random.default_rng(0).random((20, 4))))
SPACES = {"mixed": MIXED, "listed": LISTED, "digits": problem("digits-mlp").space}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_comes_back_from_its_json(space):
    text = json.dumps(document(space))
    again = from_document(json.loads(text))
    assert again == space
    assert json.dumps(document(again)) == text
    assert [type(v) for c in again.among or () for v in c.values()] == [
        type(v) for c in space.among or () for v in c.values()
    ]
