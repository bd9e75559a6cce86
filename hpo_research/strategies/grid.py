"""Grid search: every combination of chosen values, once, in declared order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo_research import habits
from hpo_research.errors import SpaceError, StrategyError
from hpo_research.lists import items
from hpo_research.options import as_integer, is_real
from hpo_research.records import Ask, Note, Run, Trial, start
from hpo_research.rows import kept
from hpo_research.space import Categorical, Config, Float, Integer, Parameter, SearchSpace, Value
from hpo_research.strategies.lattice import Axis, Lattice, axis, listed, near_equal, spaced
from hpo_research.strategies.tried import Places
from hpo_research.text import quoted

_LONGEST = 100_000  # points of an axis, which are written out


@habits.answering
@dataclass(frozen=True)
class Grid:
    """Grid search: each distinct combination exactly once, the last parameter varying fastest.

    Categories are enumerated; every numeric parameter, stepped or not, needs `points`:

    - a number for all: that many points, equally spaced on the parameter's scale from bound to
      bound, a single point in the middle. On an integer or a step each becomes the nearest value
      and repeated ones are dropped; where as many points are wanted as there are values, or more,
      all values are taken.
    - a dict by name: a number of points or a list of values; a list also chooses among
      categories. Names that a problem lacks are ignored with a note, so that one strategy serves
      several problems.
    - `"fit"`: the largest near-equal grid within the run's budget of N trials. With C combinations
      of categories and m numeric parameters, each gets g points (all its values, if it has fewer),
      g being the largest integer with C·g^m ≤ N; then, in declared order, parameters get one
      point more while the product stays within N.

    In a space with `among` the grid is the list, whatever the points. Combinations that the run, or
    an earlier one of its task (`Run.prior`), has tried already are left out. Raises `StrategyError`
    where a numeric parameter has no points, a value is illegal, an axis has more than 100,000
    points, or the grid is larger than the run's budget.
    """

    points: int | str | Mapping[str, int | Sequence[Value]] | None = None

    def __post_init__(self) -> None:
        points: object = self.points
        if points is None or (isinstance(points, str) and points == "fit"):
            return
        if isinstance(points, Mapping):
            checked = {name: _checked(name, wanted) for name, wanted in points.items()}
            object.__setattr__(self, "points", checked)
            return
        count = as_integer(points) if is_real(points) else None
        if count is None or count < 1:
            raise StrategyError(
                f"Grid(points={quoted(points)}): points must be an integer >= 1, a dict of "
                "integers or lists of values by parameter name, or 'fit'"
            )
        object.__setattr__(self, "points", count)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Propose the next combinations that are not among the run's trials."""
        pairs = zip(runs, slots, strict=True)
        return [self._ask(run, free) if free > 0 else Ask() for run, free in pairs]

    @property
    def needs_total(self) -> bool:
        """Whether the grid is fitted to the budget in trials, which then cannot grow."""
        return isinstance(self.points, str)

    def lattice(self, space: SearchSpace, total: int | None = None) -> Lattice:
        """Return the grid of a space; `total` is the budget in trials, None without one."""
        if space.among is not None:
            lattice = listed(space, space.among)
        else:
            counts = self._counts(space, total)
            self._check_length(space, counts)
            lattice = Lattice(tuple(_axis(n, p, counts[n]) for n, p in space.parameters.items()))
        if total is not None and lattice.size > total:
            raise StrategyError(
                f"Grid(points={quoted(self.points)}): the grid has {lattice.size} combinations, "
                f"the budget allows {total} trials; raise the budget or give fewer points"
            )
        return lattice

    def _check_length(
        self, space: SearchSpace, counts: Mapping[str, int | Sequence[Value] | None]
    ) -> None:
        for name, points in counts.items():
            size = space.parameters[name].size
            count = points if isinstance(points, int) else len(points or ())
            if (count if size is None else min(count, size)) > _LONGEST:
                raise StrategyError(
                    f"Grid(points={quoted(self.points)}): {name} would have {quoted(count)} "
                    f"points, and an axis has at most {_LONGEST}; give fewer"
                )

    def _ask(self, run: Run, slots: int) -> Ask:
        space = run.space  # the index holds it, so that no other can have its id
        before = run.prior
        name = ("grid", repr(self.points), run.total, id(space), id(before))
        configs: list[Config] = []
        with kept(
            run.trials, name, lambda: _Walked(space, self.lattice(space, run.total), before)
        ) as walked:
            place = walked.places.free(0)
            while len(configs) < slots and place < walked.lattice.size:
                configs.append(walked.lattice.config_at(place))
                place = walked.places.free(place + 1)
        return Ask(
            tuple(start(config, run.max_epochs, "grid") for config in configs),
            self._notes(run.space) if not run.asks else {},
        )

    def _counts(
        self, space: SearchSpace, total: int | None
    ) -> Mapping[str, int | Sequence[Value] | None]:
        """Return the points of each parameter; None enumerates its categories."""
        numeric = [n for n, p in space.parameters.items() if not isinstance(p, Categorical)]
        if isinstance(self.points, Mapping):
            given = {name: self.points.get(name) for name in space.names}
        elif self.points == "fit":
            given = {**dict.fromkeys(space.names), **_fitted(space, numeric, total)}
        else:
            given = {name: self.points if name in numeric else None for name in space.names}
        missing = [name for name in numeric if given[name] is None]
        if missing:
            raise StrategyError(
                f"Grid(points={quoted(self.points)}): {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} numeric and without points; give points "
                f"as a dict such as {{{missing[0]!r}: 5}}, as one number for all, or as 'fit'"
            )
        return given

    def _notes(self, space: SearchSpace) -> dict[str, Note]:
        named = self.points if isinstance(self.points, Mapping) else {}
        unknown = [name for name in named if name not in space.parameters]
        if not unknown:
            return {}
        names = ", ".join(unknown)
        return {"note": f"Grid: points for {names} ignored; the problem has no such parameter"}


class _Walked:
    """Where a run's trials lie on a lattice: an index (`rows.py`)."""

    def __init__(self, space: SearchSpace, lattice: Lattice, before: Sequence[Trial]) -> None:
        self.space = space
        self.lattice = lattice
        self.before = before
        self.places = Places()
        for trial in before:
            self._take(trial.config)

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        if old is not None:
            return old.config is new.config or old.config == new.config
        self._take(new.config)
        return True

    def _take(self, config: Config) -> None:
        place = self.lattice.index(config)
        if place is not None:
            self.places.take(place)


def _fitted(space: SearchSpace, numeric: list[str], total: int | None) -> dict[str, int]:
    if total is None:
        raise StrategyError(
            "Grid(points='fit'): 'fit' needs a budget in trials and the run has none; "
            "give the experiment a budget of evaluations, or give numbers of points"
        )
    sizes = {name: parameter.size for name, parameter in space.parameters.items()}
    categories = math.prod(size or 1 for name, size in sizes.items() if name not in numeric)
    if categories > total:
        raise StrategyError(
            f"Grid(points='fit'): the categories alone have {categories} combinations, the budget "
            f"allows {total} trials; raise the budget or search fewer categories"
        )
    counts = near_equal([sizes[name] for name in numeric], total // categories)
    return dict(zip(numeric, counts, strict=True))


def _axis(name: str, parameter: Parameter, points: int | Sequence[Value] | None) -> Axis:
    if points is None and isinstance(parameter, Categorical):
        return axis(name, parameter.values)
    if isinstance(points, int) and isinstance(parameter, Float | Integer):
        return axis(name, spaced(parameter, points))
    if points is None or isinstance(points, int):
        raise StrategyError(
            f"Grid(points={{{name!r}: {quoted(points)}}}): {name} is categorical and has no scale "
            "to put points on; leave it out for all of its values, or list those wanted"
        )
    try:
        return axis(name, tuple(parameter.validate(value) for value in points))
    except SpaceError as error:
        raise StrategyError(
            f"Grid(points={{{name!r}: {quoted(list(points))}}}): {error}"
        ) from error


def _checked(name: object, points: object) -> int | tuple[Value, ...]:
    count = as_integer(points) if is_real(points) else None
    if count is not None and count >= 1:
        return count
    call = f"Grid(points={{{name!r}: {quoted(points)}}})"
    try:
        if values := tuple(items(points, "points", StrategyError)):
            return values
    except StrategyError as error:
        raise StrategyError(f"{call}: {error}; an integer >= 1 is accepted too") from error
    raise StrategyError(f"{call}: points must be an integer >= 1, or a list of at least one value")
