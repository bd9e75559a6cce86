"""The search space: ordered named hyperparameters, mapped to and from the unit cube."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hpo_research import habits, heavy, shown
from hpo_research.errors import SpaceError
from hpo_research.space.bins import clamped
from hpo_research.space.parameters import (
    Categorical,
    Float,
    Integer,
    Parameter,
    Value,
    identity,
)
from hpo_research.text import name_mistake, quoted

Config = dict[str, Value]
"""A configuration: hyperparameter name to native value."""

Identity = tuple[tuple[str, Value], ...]


@habits.answering
@dataclass(frozen=True, init=False)
class SearchSpace:
    """Ordered named hyperparameters; with `among`, only the listed configurations.

    `SearchSpace(lr=Float(1e-4, 1, scale="log"))`, or with a mapping where a name is no Python
    identifier: `SearchSpace({"learning rate": Float(0, 1)})`. Raises `SpaceError`.
    """

    parameters: Mapping[str, Parameter]
    among: tuple[Config, ...] | None = field(default=None)

    def __init__(
        self,
        parameters: Mapping[str, Parameter] | None = None,
        /,
        *,
        among: Sequence[Config] | None = None,
        **named: Parameter,
    ) -> None:
        if not isinstance(parameters, Mapping | None):
            raise SpaceError(
                "SearchSpace: expected a mapping from name to hyperparameter, or name=Float(...), "
                f"got {quoted(parameters)}"
            )
        merged = dict(parameters or {})
        for name, parameter in named.items():
            if name in merged:
                raise SpaceError(f"SearchSpace: {name!r} is given twice; keep one")
            merged[name] = parameter
        self._fill(merged, among)
        _check_storable(self.parameters)

    @classmethod
    def stored(
        cls, parameters: Mapping[str, Parameter], among: Sequence[Config] | None
    ) -> "SearchSpace":
        """Return a space that a store describes, whatever names older versions let pass."""
        space = object.__new__(cls)
        space._fill(dict(parameters), among)
        return space

    def _fill(self, parameters: dict[str, Parameter], among: Sequence[Config] | None) -> None:
        _check_parameters(parameters)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "among", None)
        if among is not None:
            object.__setattr__(self, "among", self._checked_list(among))

    def _checked_list(self, among: Sequence[Config]) -> tuple[Config, ...]:
        if isinstance(among, str | bytes) or not isinstance(among, Sequence):
            hint = "; a data frame gives one as frame.to_dict('records')"
            raise SpaceError(
                "SearchSpace: among must be a list of configurations, got "
                f"{quoted(among)}{hint if hasattr(among, 'to_dict') else ''}"
            )
        if not among:
            raise SpaceError("SearchSpace(among=[]): expected at least one configuration")
        configs = tuple(self.validate(c, f"among[{i}]") for i, c in enumerate(among))
        seen: dict[Identity, int] = {}
        for i, config in enumerate(configs):
            first = seen.setdefault(self.identity(config), i)
            if first != i:
                raise SpaceError(f"SearchSpace: among[{i}] repeats among[{first}]: {config!r}")
        self._check_distances(configs)
        return configs

    def _check_distances(self, configs: tuple[Config, ...]) -> None:
        points: dict[tuple[float, ...], int] = {}
        for i, point in enumerate(self.encode(configs).tolist()):
            first = points.setdefault(tuple(point), i)
            if first != i:
                raise SpaceError(
                    f"SearchSpace: among[{i}] and among[{first}] are too close to be told apart in "
                    f"float64: {configs[i]!r} and {configs[first]!r}; drop one"
                )

    def __repr__(self) -> str:
        return shown.space_line(self)

    def _repr_html_(self) -> str:
        return shown.space_html(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters' names in declared order."""
        return tuple(self.parameters)

    @property
    def dimension(self) -> int:
        """How many hyperparameters there are: the columns of the unit cube."""
        return len(self.parameters)

    @cached_property
    def size(self) -> int | None:
        """How many configurations there are, None for a continuum."""
        if self.among is not None:
            return len(self.among)
        sizes = [parameter.size for parameter in self.parameters.values()]
        return None if None in sizes else math.prod(s for s in sizes if s is not None)

    def encode(self, configs: Sequence[Config]) -> "heavy.jaxtyping.Float64[np.ndarray, 'n d']":
        """Map legal configurations to the unit cube. Shape: n d."""
        self._check_configs(configs)
        cube = np.empty((len(configs), self.dimension))
        for j, (name, parameter) in enumerate(self.parameters.items()):
            cube[:, j] = parameter.encode([config[name] for config in configs])
        return cube

    def decode(self, cube: "heavy.jaxtyping.Float64[np.ndarray, 'n d']") -> list[Config]:
        """Map points of the unit cube to legal configurations, the nearest listed with `among`.

        Near is meant by the sum of absolute differences, which no small difference escapes.
        """
        self._check_cube(cube)
        if self.among is not None:
            return [dict(self.among[i]) for i in self._nearest(cube)]
        columns = [p.decode(cube[:, j]) for j, p in enumerate(self.parameters.values())]
        names = self.names
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def from_uniform(self, cube: "heavy.jaxtyping.Float64[np.ndarray, 'n d']") -> list[Config]:
        """Map uniform points to configurations drawn uniformly on each parameter's scale.

        With `among` the first column alone decides, so that listed configurations are equally
        likely; otherwise this is `decode`.
        """
        if self.among is None:
            return self.decode(cube)
        self._check_cube(cube)
        index = np.minimum((cube[:, 0] * len(self.among)).astype(int), len(self.among) - 1)
        return [dict(self.among[i]) for i in index]

    @property
    def middle(self) -> Config:
        """The middle of the unit cube, on each hyperparameter's scale; with `among` the nearest.

        An even number of values in order has two in the middle, of which this is the later; of an
        unordered category it is the first.
        """
        row = [
            parameter.encode([parameter.values[0]])[0]
            if isinstance(parameter, Categorical) and not parameter.ordered
            else 0.5
            for parameter in self.parameters.values()
        ]
        return self.decode(np.array([row], dtype=float))[0]

    def config_at(self, index: int) -> Config:
        """Return the index-th configuration of a finite space; the last parameter varies first."""
        if self.size is None:
            continuous = [name for name, p in self.parameters.items() if p.size is None]
            raise SpaceError(f"{', '.join(continuous)}: a continuous parameter has no index")
        if not 0 <= index < self.size:
            raise SpaceError(f"expected an index from 0 to {self.size - 1}, got {quoted(index)}")
        if self.among is not None:
            return dict(self.among[index])
        config: Config = {}
        for name, parameter in reversed(list(self.parameters.items())):
            index, k = divmod(index, parameter.size or 1)  # none is continuous here
            config[name] = parameter.value_at(k)
        return {name: config[name] for name in self.names}

    def index(self, config: Config) -> int | None:
        """Return which configuration of a finite space this is, as `config_at` counts them.

        None where it is none of them, and in a continuum.
        """
        if self.among is not None:
            return self.positions.get(self.identity(config))
        index = 0
        for name, parameter in self.parameters.items():
            k = parameter.index(config[name])
            if k is None:
                return None
            index = index * (parameter.size or 1) + k
        return index

    def validate(self, config: Mapping[str, object], what: str = "configuration") -> Config:
        """Return the configuration with native types in declared order.

        Raises `SpaceError` with one line for each mistake: unknown or missing names, illegal
        values, a configuration that is not among the listed ones.
        """
        native, mistakes = natives(
            self, config, what, lambda parameter, value: parameter.validate(value)
        )
        if not mistakes and self.among is not None and self.identity(native) not in self.positions:
            mistakes.append(f"{native!r} is not among the {len(self.among)} listed configurations")
        if mistakes:
            raise SpaceError("\n".join(f"{what}: {mistake}" for mistake in mistakes))
        return native

    def identity(self, config: Config) -> Identity:
        """Return what tells configurations apart: hashable, types included."""
        if not isinstance(config, Mapping) or not config.keys() >= self.parameters.keys():
            raise SpaceError(f"expected a configuration of this space, got {quoted(config)}")
        return tuple(identity(config[name]) for name in self.parameters)

    @cached_property
    def positions(self) -> Mapping[Identity, int]:
        """Where each configuration of `among` stands, by its identity."""
        return {self.identity(config): i for i, config in enumerate(self.among or ())}

    @cached_property
    def points(self) -> "heavy.jaxtyping.Float64[np.ndarray, 'n d']":
        """The configurations of `among` in the unit cube. Shape: n d."""
        return self.encode(self.among or ())

    def _check_configs(self, configs: object) -> None:
        is_list = isinstance(configs, Sequence) and not isinstance(configs, str | bytes | range)
        if not is_list:
            raise SpaceError(f"expected a list of configurations, got {quoted(configs)}")
        for config in configs:  # type: ignore[attr-defined]
            if not isinstance(config, Mapping) or not config.keys() >= self.parameters.keys():
                raise SpaceError(f"expected configurations of this space, got {quoted(config)}")

    def _check_cube(self, cube: object) -> None:
        is_cube = isinstance(cube, np.ndarray) and cube.ndim == 2 and cube.dtype.kind == "f"
        if not is_cube or cube.shape[1] != self.dimension:  # type: ignore[attr-defined]
            raise SpaceError(
                f"expected an array of floats with {self.dimension} columns, one per "
                f"hyperparameter, got {quoted(cube)}"
            )

    def _nearest(self, cube: np.ndarray) -> list[int]:
        points = clamped(cube)
        gaps = np.abs(points[:, None, :] - self.points[None]).sum(axis=2)
        return [int(i) for i in np.argmin(gaps, axis=1)]


def _check_parameters(parameters: Mapping[str, object]) -> None:
    if not parameters:
        raise SpaceError("SearchSpace(): expected at least one hyperparameter, got none")
    for name, parameter in parameters.items():
        if not isinstance(parameter, Float | Integer | Categorical):
            hint = "a fixed value belongs in the problem, not in the space"
            if isinstance(parameter, list | tuple | set | range):
                hint = "use Float(low, high), Integer(low, high) or Categorical(values)"
            raise SpaceError(
                f"SearchSpace: {name} must be Float, Integer or Categorical, got "
                f"{quoted(parameter)}; {hint}"
            )


def _check_storable(parameters: Mapping[str, Parameter]) -> None:
    """Refuse what could be computed with, and neither shown nor exported."""
    for name, parameter in parameters.items():
        if mistake := name_mistake(name):
            raise SpaceError(f"SearchSpace: a name {mistake}")
        for value in parameter.values if isinstance(parameter, Categorical) else ():
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise SpaceError(
                    f"SearchSpace: the integers of {name} must fit into 64 bits, got "
                    f"{quoted(value)}; give it as a string"
                )


def natives(
    space: SearchSpace, config: object, what: str, value: Callable[[Parameter, object], Value]
) -> tuple[Config, list[str]]:
    """Return native values by name, in declared order, and a line for each mistake.

    `value` says what a hyperparameter's own is, or raises `SpaceError`, as this does for what is no
    mapping.
    """
    if not isinstance(config, Mapping):
        raise SpaceError(f"{what}: expected a mapping from name to value, got {quoted(config)}")
    mistakes = [
        f"{quoted(name)} is not a hyperparameter of this space; it has {', '.join(space.names)}"
        for name in config
        if name not in space.parameters
    ]
    native: Config = {}
    for name, parameter in space.parameters.items():
        if name not in config:
            mistakes.append(f"{name!r} is missing")
            continue
        try:
            native[name] = value(parameter, config[name])
        except SpaceError as error:
            mistakes.append(f"{name}: {error}")
    return native, mistakes
