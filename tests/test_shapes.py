import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError
from shapes import checked, names_a_shape

from hpo_research.space import Float as FloatParameter
from hpo_research.space import SearchSpace


def test_the_package_is_checked_for_shapes():
    space = SearchSpace(x=FloatParameter(0, 1))
    with pytest.raises(TypeCheckError, match="cube"):
        space.decode(np.zeros(3))


def test_a_function_without_shapes_is_left_alone():
    def door(low: float) -> float:
        return low

    assert checked(door) is door


VECTOR = Float[np.ndarray, "n"]


@pytest.mark.parametrize(
    "annotation",
    [VECTOR, VECTOR | None, list[VECTOR]],
    ids=["plain", "optional", "in a list"],
)
def test_a_shape_is_seen_wherever_it_stands(annotation):
    assert names_a_shape(annotation)
