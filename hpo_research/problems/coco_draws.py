"""COCO's own random numbers, from which its instances are made.

The minimal standard generator of Park and Miller (CACM 31, 1988), shuffled by Bays and Durham, as
BBOB's reference implementation has it (Hansen et al., INRIA RR-6829).
"""

import math
from itertools import islice

import numpy as np
from jaxtyping import Float

_MODULUS, _FACTOR, _BOXES = 2**31 - 1, 16807, 32
_WARM_UP = 8
_SHARE = 67108865  # a 32nd of the modulus, rounded up
_LEAST = 1e-99


def uniform(count: int, seed: int) -> list[float]:
    """Return numbers in (0, 1), from a seed of at least 1."""
    state, drawn = seed, []
    for _ in range(_WARM_UP + _BOXES + count):
        state = state * _FACTOR % _MODULUS
        drawn.append(state)
    boxes, numbers = drawn[_WARM_UP : _WARM_UP + _BOXES][::-1], []
    now = boxes[0]
    for fresh in drawn[_WARM_UP + _BOXES :]:
        box = now // _SHARE
        now, boxes[box] = boxes[box], fresh
        numbers.append(max(now / _MODULUS, _LEAST))
    return numbers


def normal(count: int, seed: int) -> list[float]:
    """Return standard normal numbers by Box and Muller."""
    numbers = uniform(2 * count, seed)
    pairs = zip(islice(numbers, count), islice(numbers, count, None), strict=True)
    drawn = [math.sqrt(-2 * math.log(r)) * math.cos(2 * math.pi * angle) for r, angle in pairs]
    return [z or _LEAST for z in drawn]


def place(dimension: int, seed: int) -> tuple[float, ...]:
    """Return where an optimum is put: on a grid of 1/1250 in [−4, 4], never at 0."""
    grid = [8 * math.floor(1e4 * u) / 1e4 - 4 for u in uniform(dimension, seed)]
    return tuple(x or -1e-5 for x in grid)


def rotation(dimension: int, seed: int) -> Float[np.ndarray, "d d"]:
    """Return an orthogonal matrix: columns of normal numbers, made orthonormal one by one."""
    columns = np.array(normal(dimension**2, seed)).reshape(dimension, dimension)
    for i in range(dimension):
        for j in range(i):
            columns[i] -= (columns[i] @ columns[j]) * columns[j]
        columns[i] /= math.sqrt(columns[i] @ columns[i])
    return columns.T
