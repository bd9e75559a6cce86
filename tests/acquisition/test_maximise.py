"""The maximiser against brute force: the whole table, or 100,000 points of which 64 climb.

`python tests/acquisition/test_maximise.py` writes the brute-force record anew (20 minutes); the
tests compare with it, and do the brute force again for a few of its cases.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hpo_research.acquisition import (
    CRITERIA,
    Choice,
    Continuous,
    Discrete,
    Domain,
    GPAcquisition,
    Points,
    Search,
    best_allowed,
    maximise,
)
from hpo_research.acquisition.maximise import _climbed, _Hill
from hpo_research.gp import KERNELS, Data, Hyperparameters, condition
from hpo_research.gp.quasi_random import normal_set
from hpo_research.rng import Stream

RECORD = Path(__file__).with_name("brute_force.json")
CASES = 200
AGAIN = (0, 67, 134)
RAW, CLIMBERS = 100_000, 64


@dataclass(frozen=True)
class Case:
    """An acquisition function of one run, where it is searched, and beside which points."""

    surface: GPAcquisition
    domain: Domain
    centres: Points
    lengthscale: torch.Tensor
    stream: Stream


def choice(columns, size: int, is_ordered: bool) -> Choice:
    middles = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    points = middles[:, None] if is_ordered else torch.eye(size).double() / 2**0.5
    return Choice(tuple(columns), points, (middles[:-1] + middles[1:]) / 2, is_ordered)


def domain_of(kinds: list[str]) -> tuple[Domain, list[int]]:
    """A domain of continuous columns, ordered choices ("4"), and unordered ones ("u3")."""
    order, choices, lengthscale_of = [], [], []
    for i, kind in enumerate(kinds):
        column, width = len(lengthscale_of), int(kind[1:]) if kind[0] == "u" else 1
        order.append(Continuous(column) if kind == "x" else Discrete(len(choices)))
        if kind != "x":
            size = int(kind.lstrip("u"))
            choices.append(choice(range(column, column + width), size, kind[0] != "u"))
        lengthscale_of += [i] * width
    return Domain(len(lengthscale_of), tuple(order), tuple(choices)), lengthscale_of


def case(number: int, *, is_finite: bool = False) -> Case:
    """The same case for a number: 1 to 6 parameters, 4 to 59 rows, half of them clustered."""
    g = np.random.default_rng(number)
    pool = ["2", "5", "u3", "u4", "9"] if is_finite else ["x", "x", "x", "5", "40", "u3", "u4"]
    kinds = ["x"] * int(g.integers(1, 7)) if number % 2 else list(g.choice(pool, g.integers(1, 7)))
    if is_finite:
        kinds = list(g.choice(pool, g.integers(2, 6)))
    domain, lengthscale_of = domain_of(kinds)
    n, p = int(g.integers(4, 60)), len(kinds)
    cube = g.random((n, p))
    if g.random() < 0.5:
        cube[n // 2 :] = np.clip(g.random(p) + 0.05 * g.normal(size=(n - n // 2, p)), 0, 1)
    frequencies, phases = g.normal(size=(4, p)), 6 * g.random(4)
    y = np.sin(3 * cube @ frequencies.T + phases).sum(1) + ((cube - 0.4) ** 2).sum(1)
    if g.random() < 0.3:
        y = np.exp(2 * y)
    y = (y - y.mean()) / y.std()
    points = domain.placed(torch.from_numpy(cube)[None])
    data = Data.of(points.x, torch.from_numpy(y)[None], lengthscale_of=lengthscale_of)
    lengthscale = torch.from_numpy(np.exp(g.normal(-0.7, 0.7, size=(1, p))))
    noise = torch.from_numpy(np.exp(g.normal(-7, 1, size=1))).clamp(min=1e-4)
    hyper = Hyperparameters(lengthscale, noise, torch.zeros(1, dtype=torch.float64))
    pending = int(g.integers(0, 3))
    posterior = condition(data, KERNELS["matern52"], hyper, free_rows=pending)
    least = data.y.amin(dim=1)[:, None].repeat(1, 2)
    surface = GPAcquisition(posterior, CRITERIA["qlogei"], least, normal_set(64, pending)[None])
    under_way = domain.placed(torch.from_numpy(g.random((1, pending, p))))
    for k in range(pending):
        surface = surface.pending(under_way.x[:, k])
    best = torch.from_numpy(np.argsort(y, kind="stable")[[0, 1, 2, 3]])[None]
    return Case(surface, domain, points.at(best), lengthscale, Stream(number))


def found(case: Case) -> float:
    result = maximise(
        case.surface,
        case.domain,
        case.centres,
        lengthscale=case.lengthscale,
        streams=[case.stream],
        search=Search(),
    )
    value = result.value[0]
    assert (value[:-1] >= value[1:]).all()
    assert float(case.surface.value(result.points.x)[0, 0]) == pytest.approx(float(value[0]))
    return float(value[0])


def brute_force(case: Case, number: int) -> float:
    """The best of 100,000 uniform points after the best 64 of them have climbed."""
    draws = np.random.default_rng(10**6 + number).random((1, RAW, len(case.domain.order)))
    raw = case.domain.placed(torch.from_numpy(draws))
    value = case.surface.value(raw.x)
    top = value.argsort(dim=1, descending=True)[:, :CLIMBERS]
    hill = _Hill(case.surface, case.domain, case.domain.spans(case.lengthscale))
    return float(_climbed(hill, raw.at(top), value.gather(1, top))[1].max())


@pytest.mark.slow
def test_the_maximum_of_brute_force_is_found_to_1e6_in_95_of_100_cases():
    record = json.loads(RECORD.read_text())
    gaps = np.array([record[str(number)] - found(case(number)) for number in range(CASES)])
    assert np.mean(gaps <= 1e-6) >= 0.95
    assert gaps.max() <= 0.1


@pytest.mark.parametrize("number", AGAIN)
def test_brute_force_comes_to_its_record(number):
    record = json.loads(RECORD.read_text())
    assert brute_force(case(number), number) == pytest.approx(record[str(number)], abs=1e-6)


def test_the_record_holds_every_case():
    assert set(json.loads(RECORD.read_text())) == {str(number) for number in range(CASES)}


@pytest.mark.slow
def test_the_best_of_the_whole_table_is_found_in_95_of_100_cases():
    gaps = []
    for number in range(CASES):
        given = case(number, is_finite=True)
        grids = torch.cartesian_prod(*[torch.arange(c.size) for c in given.domain.choices])
        index = grids.reshape(1, -1, len(given.domain.choices))
        empty = torch.zeros(1, index.shape[1], given.domain.dimension, dtype=torch.float64)
        table = given.domain.assigned(empty, index).x[0]
        every = torch.ones(1, len(table), dtype=torch.bool)
        gaps.append(float(best_allowed(given.surface.value(table[None]), every)[1]) - found(given))
    assert np.mean(np.array(gaps) <= 1e-6) >= 0.95
    assert max(gaps) <= 0.1


def test_a_row_of_a_table_that_may_not_be_taken_is_not():
    given = case(0, is_finite=True)
    scores = given.surface.value(given.centres.x)
    first, value = best_allowed(scores, torch.ones(1, 4, dtype=torch.bool))
    allowed = torch.ones(1, 4, dtype=torch.bool)
    allowed[0, first] = False
    second, less = best_allowed(scores, allowed)
    assert first != second
    assert less <= value


@pytest.mark.parametrize("number", range(6))
def test_a_run_finds_the_same_whatever_other_runs_are_searched_with_it(number):
    """Three runs that share shapes: the surfaces of one case, shifted against each other."""
    given = case(number)
    n = given.surface.posterior.x.shape[1]
    stream = [Stream(number + i) for i in range(3)]
    weights = given.surface.posterior.weights
    scaled = torch.cat([weights, 0.5 * weights, -weights])
    three = given.surface.take(torch.zeros(3, dtype=torch.int64))
    three = replace(three, posterior=replace(three.posterior, weights=scaled))
    centres = given.centres.take(torch.zeros(3, dtype=torch.int64))

    def ends(rows: list[int]) -> list[torch.Tensor]:
        at = torch.tensor(rows)
        result = maximise(
            three.take(at),
            given.domain,
            centres.take(at),
            lengthscale=given.lengthscale.expand(len(rows), -1),
            streams=[stream[i] for i in rows],
            search=Search(starts=4),
        )
        return [result.points.x, result.value]

    together, alone = ends([0, 1, 2]), [ends([i]) for i in range(3)]
    assert n > 0
    for part, whole in enumerate(together):
        assert torch.equal(whole, torch.cat([one[part] for one in alone]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    values = {str(number): brute_force(case(number), number) for number in range(CASES)}
    RECORD.write_text(json.dumps(values, indent=0) + "\n")
