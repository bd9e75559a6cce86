"""An experiment: problems × strategies × seeds, and a budget for each run."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast, get_args

from hpo_research import habits, html, options, shown
from hpo_research.analysis.rebuild import answers_of
from hpo_research.entries import EarlierTask
from hpo_research.errors import ExperimentError, StrategyError
from hpo_research.experiment.asking import asks_of
from hpo_research.experiment.budget import Budget
from hpo_research.experiment.checks import repeated, strategy_mistake
from hpo_research.experiment.description import Json, compared, describe, differences, stored
from hpo_research.experiment.grown import as_stored
from hpo_research.experiment.priors import Earlier, document, earlier, reading
from hpo_research.experiment.served import Checked, Queues, by_problem, queued
from hpo_research.ledger import Final, Ledger, RunInfo
from hpo_research.lists import LONGEST, MOST_AT_ONCE, items
from hpo_research.problems.protocol import Problem, has_missing_values, last_epoch
from hpo_research.records import Task
from hpo_research.store import RunName
from hpo_research.store.facts import facts_of
from hpo_research.strategies.answers import batch_of
from hpo_research.strategies.protocol import Strategy
from hpo_research.strategies.sparing import length_mistake
from hpo_research.text import count, is_one_of, name_mistake, quoted

Execution = Literal["lock-step", "asynchronous", "simulated"]
_RULES: Mapping[str, options.Rule] = {
    "budget": options.instance(Budget, "a Budget, such as Budget(evaluations=48)"),
    "execution": options.one_of(get_args(Execution)),
    "final": options.FINAL,
    "parallel": options.optional(options.whole(most=MOST_AT_ONCE)),
}


@habits.answering
@dataclass(frozen=True)
class Experiment:
    """Problems × strategies × seeds, each run with the same budget.

    `parallel` is how many trials of a run may train at once, None as many as the strategy wants
    (its `batch` where it has one).
    `execution` is `lock-step` (a run is asked when all its segments have ended), `asynchronous`
    (worker processes; a free slot is refilled at once) or `simulated` (a clock of recorded
    times). `final` says which value of a trial counts: its `last` epoch's or its `best`.

    `prior` is what earlier runs found (`priors.earlier`: a results folder, a store, a data frame or
    a CSV, whose names `rename` changes and `fill` completes, or a list of (configuration, value)),
    of the same task or of a related one (`prior_task`): for every problem, or a dict by problem. A
    list may name several such sources, each a `Prior` with a task of its own.
    Strategies learn from it; it takes no number, costs nothing and is never the best. `enqueue`
    lists configurations that every run tries first, or those of each problem by name. Both are
    stored, and part of what may not change.

    Every strategy is asked once about every problem, so that a wrong option fails here.
    Raises `ExperimentError`, or the `StrategyError` of a strategy that does not suit a problem.
    """

    name: str
    problems: Sequence[Problem]
    strategies: Mapping[str, Strategy]
    seeds: Sequence[int]
    budget: Budget
    parallel: int | None = None
    execution: Execution = "lock-step"
    final: Final = "last"
    prior: Earlier | Mapping[str, Earlier] = None
    prior_task: Task = "same"
    rename: Mapping[str, str | None] | None = None
    fill: Mapping[str, object] | None = None
    enqueue: Sequence[Mapping[str, object]] | Mapping[str, Sequence[Mapping[str, object]]] = ()

    def __post_init__(self) -> None:
        mistakes = options.Mistakes(
            "Experiment:", [f"Experiment: {m}" for m in self._entry_mistakes()]
        )
        self._check_options(mistakes)
        mistakes.refuse(ExperimentError)
        object.__setattr__(self, "problems", tuple(self.problems))
        object.__setattr__(self, "strategies", dict(self.strategies))
        object.__setattr__(self, "seeds", tuple(operator.index(own) for own in self.seeds))
        lines = [f"Experiment: {mistake}" for mistake in self._length_mistakes()]
        options.Mistakes("Experiment:", lines).refuse(ExperimentError)
        self._take_earlier()
        self.description()  # what cannot be stored fails here
        for problem in self.problems:
            for name, strategy in self.strategies.items():
                info = self._info(problem, self.seeds[0], 0)  # without priors: nothing to fit
                ledger = Ledger(info, self.budget.limits(info.max_epochs))
                slots = [parallel_of(self, strategy) or 1]
                own = [RunName(problem.name, name, self.seeds[0])]
                asks_of(strategy, [ledger.run()], names=own, ledgers=[ledger], slots=slots)

    def __repr__(self) -> str:
        problems, seeds = count(len(self.problems), "problem"), count(len(self.seeds), "seed")
        strategies = count(len(self.strategies), "strategy", "strategies")
        return f"<Experiment {self.name!r}: {problems} × {strategies} × {seeds}, {self.budget}>"

    def _repr_html_(self) -> str:
        rows = [
            ("problems", shown.listed([problem.name for problem in self.problems])),
            ("strategies", shown.listed(list(self.strategies))),
            ("seeds", shown.listed(list(map(str, self.seeds)))),
            ("budget of a run", self.budget),
            ("at a time", "no limit" if self.parallel is None else count(self.parallel, "trial")),
            ("execution", self.execution),
        ]
        title = f"Experiment {self.name!r}: {count(len(self.run_names()), 'run')}"
        return html.block(title, html.table(rows))

    def _entry_mistakes(self) -> list[str]:
        mistakes = []
        name = self.name
        if mistake := name_mistake(name):
            mistakes.append(f"name {mistake}")
        elif "/" in name or name in (".", ".."):
            mistakes.append(f"name must be a string without '/', got {quoted(name)}")
        try:
            mistakes += self._problem_mistakes(items(self.problems, "problems", ExperimentError))
        except ExperimentError as error:
            mistakes.append(str(error))
        if not isinstance(self.strategies, Mapping):
            mistakes.append(
                f"strategies must be a dict of strategies by name, got {quoted(self.strategies)}"
            )
        else:
            mistakes += self._strategy_mistakes()
        return mistakes + _seed_mistakes(self.seeds)

    def _problem_mistakes(self, problems: Sequence[Problem]) -> list[str]:
        if not problems:
            return ["problems is empty; name at least one"]
        wrong = [p for p in problems if not isinstance(p, Problem) or isinstance(p, type)]
        if wrong:
            return [
                f"problems must be problems, got {quoted(problem)}"
                + (f"; use problem({problem!r})" if isinstance(problem, str) else "")
                for problem in wrong
            ]
        named = [("name", problem.name) for problem in problems]
        named += [("metric", problem.metric) for problem in problems]
        if mistakes := [f"a problem's {what} {m}" for what, n in named if (m := name_mistake(n))]:
            return mistakes
        mistakes = [
            f"two problems are named {name!r}; give one another name="
            for name in sorted(repeated(problem.name for problem in problems))
        ]
        if is_one_of(self.execution, ("simulated",)):
            mistakes += [
                f"{problem.name} records no seconds, so a simulated clock has nothing to replay; "
                "use execution='lock-step'"
                for problem in problems
                if not problem.has_recorded_seconds
            ]
        return mistakes

    def _strategy_mistakes(self) -> list[str]:
        if not self.strategies:
            return ["strategies is empty; name at least one"]
        mistakes = []
        for name, strategy in self.strategies.items():
            if mistake := name_mistake(name):
                mistakes.append(f"a strategy's name {mistake}")
            if mistake := strategy_mistake(strategy):
                mistakes.append(f"strategies[{name!r}] {mistake}")
        return mistakes

    def _check_options(self, mistakes: options.Mistakes) -> None:
        mistakes.check_all(self, _RULES)
        if self.parallel is None and isinstance(self.budget, Budget):
            if self.budget.counts_time_alone:
                mistakes.add(" a budget of seconds alone needs parallel, the trials at a time")
            elif is_one_of(self.execution, ("asynchronous",)):
                mistakes.add(" asynchronous execution needs parallel, the trials at a time")

    def _length_mistakes(self) -> Iterator[str]:
        """Yield what cannot be where a problem leaves the length of its trials open."""
        for problem in self.problems:
            if problem.max_epochs is not None:
                continue
            if self.budget.epochs is not None:
                yield (
                    f"a budget cannot count epochs of {problem.name}, whose trials have an open "
                    "length; count trials, as in Budget(trials=48), or give the problem max_epochs="
                )
            for name, strategy in self.strategies.items():
                if mistake := length_mistake(strategy, problem.name):
                    yield f"strategies[{name!r}] does not suit: {mistake}"

    def _take_earlier(self) -> None:
        """Read what was found before, and what is tried first, and hold that instead."""
        spaces = {problem.name: problem.space for problem in self.problems}
        queues = queued(self.enqueue, spaces, ExperimentError)
        given, mistakes = by_problem(self.prior, spaces, "prior")
        if mistakes:
            raise ExperimentError("\n".join(mistakes))
        how = reading(ExperimentError, self.prior_task, self.rename, self.fill)
        prior = {
            name: earlier(source, self._info(self.problem(name), 0, 0), name, how)
            for name, source in given.items()
        }
        known = Checked({name: tasks for name, tasks in prior.items() if tasks})
        held: dict[str, object] = {"prior": known, "rename": None, "fill": None}
        for name, value in {**held, "enqueue": queues}.items():
            object.__setattr__(self, name, value)

    @property
    def queues(self) -> Queues:
        """What every run of a problem tries first, by the problem's name."""
        return cast(Queues, self.enqueue)

    def earlier(self, problem: Problem) -> tuple[EarlierTask, ...]:
        """Return what earlier runs found of a problem."""
        return cast(Mapping[str, tuple[EarlierTask, ...]], self.prior).get(problem.name, ())

    def knowing(self, old: Json | None) -> "Experiment":
        """Return the experiment with what its store says of sources that have grown since."""
        known = {} if old is None else old["problems"]
        earlier = {
            name: as_stored(own, known.get(name, {}).get("prior"))
            for name, own in cast(Mapping[str, tuple[EarlierTask, ...]], self.prior).items()
        }
        return self if earlier == self.prior else replace(self, prior=Checked(earlier))

    def run_names(self) -> list[RunName]:
        """Return the names of all runs, seeds varying first."""
        return [
            RunName(problem.name, strategy, seed)
            for problem in self.problems
            for strategy in self.strategies
            for seed in self.seeds
        ]

    def problem(self, name: str) -> Problem:
        """Return the problem of that name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Problem]:
        return {problem.name: problem for problem in self.problems}

    def ledger(self, problem: Problem, seed: int, run: int) -> Ledger:
        """Return the empty books of one run."""
        info = replace(self._info(problem, seed, run), earlier=self.earlier(problem))
        return Ledger(info, self.budget.limits(info.max_epochs))

    def _info(self, problem: Problem, seed: int, run: int) -> RunInfo:
        return RunInfo(
            id=run,
            space=problem.space,
            metric=problem.metric,
            direction=problem.direction,
            max_epochs=last_epoch(problem.max_epochs),
            can_resume=problem.can_resume,
            seed=seed,
            final=self.final,
            is_timed_by_clock=self.execution != "lock-step",
            has_missing_values=has_missing_values(problem),
        )

    def description(self) -> Json:
        """Return the experiment as plain JSON, problems and strategies by name."""
        return {
            "name": self.name,
            "problems": {p.name: self._problem_description(p) for p in self.problems},
            "strategies": {
                name: describe(strategy, f"strategies[{name!r}]")
                for name, strategy in self.strategies.items()
            },
            "seeds": list(self.seeds),
            "budget": describe(self.budget, "budget"),
            "parallel": self.parallel,
            "execution": self.execution,
            "final": self.final,
            **stored(self.strategies),
        }

    def _problem_description(self, problem: Problem) -> Json:
        facts = {
            "metric": problem.metric,
            "direction": problem.direction,
            "max_epochs": problem.max_epochs,
            "optimum": problem.optimum,
            "space": describe(problem.space, f"{problem.name}.space"),
        }
        if has_missing_values(problem):  # unsaid otherwise, as in the stores of earlier versions
            facts["has_missing_values"] = True
        if earlier := self.earlier(problem):
            facts["prior"] = document(earlier)
        if queue := self.queues.get(problem.name):
            facts["enqueue"] = list(queue)
        return {"identity": describe(problem, problem.name), **facts}


def parallel_of(experiment: Experiment, strategy: Strategy) -> int | None:
    """Return how many trials of a run may train at once, None for as many as there is budget for.

    Where the experiment leaves it open, a strategy with a `batch` of its own says so.
    """
    if experiment.parallel is not None:
        return experiment.parallel
    batch: int | None = batch_of(strategy)
    hint = "with parallel=None it sets how many trials train at a time; rename the field"
    rule, who = options.optional(options.whole(hint=hint)), type(strategy).__name__
    options.require("batch", batch, rule, error=StrategyError, call=who)
    return batch


def _seed_mistakes(seeds: object) -> list[str]:
    try:
        seeds = items(seeds, "seeds", ExperimentError)
    except ExperimentError as error:
        count = options.as_integer(seeds)
        is_count = count is not None and 0 < count <= LONGEST
        hint = f"; range({count}) has that many" if is_count else ""
        return [f"{error}{hint}"]
    if not seeds:
        return ["seeds is empty; name at least one, or a range"]
    rule = options.foreign(options.seed)
    mistakes = [
        f"seeds[{i}] must be {wrong}, got {quoted(own)}"
        for i, own in enumerate(seeds)
        if (wrong := rule(own))
    ]
    if mistakes:
        return mistakes
    twice = sorted(repeated(operator.index(own) for own in seeds))
    return [f"seeds must be distinct, {', '.join(map(str, twice))} is repeated"] if twice else []


def merged(old: Json | None, new: Json) -> Json:
    """Return what a store's experiment becomes when it is run again as `new`.

    Problems, strategies, seeds and budget may be added; what is there already may not change.
    Raises `ExperimentError` with every difference.
    """
    if old is None:
        return new
    lines = [
        line
        for key in ("name", "parallel", "execution", "final")
        for line in differences(old[key], new[key], key)
    ]
    for kind in ("problems", "strategies"):
        for name in old[kind].keys() & new[kind].keys():
            pair = compared(old[kind][name]), compared(new[kind][name])
            lines += differences(*pair, f"{kind}[{name!r}]")
    lines += _budget_differences(old, new)
    if lines:
        raise ExperimentError(
            "the experiment has changed since this folder's store was created; run it with another "
            "--out (or name), or undo:\n" + "\n".join(sorted(lines))
        )
    return {
        **new,
        "problems": {**old["problems"], **new["problems"]},
        "strategies": {**old["strategies"], **new["strategies"]},
        **({"answers": answers} if (answers := {**_answers(old), **_answers(new)}) else {}),
        "seeds": sorted({*old["seeds"], *new["seeds"]}),
    }


def _budget_differences(old: Json, new: Json) -> list[str]:
    if old["budget"] == new["budget"]:
        return []
    lines = []
    for unit in ("evaluations", "epochs", "trials", "seconds"):
        before, after = old["budget"][unit], new["budget"][unit]
        if (before is None) != (after is None) or (before or 0) > (after or 0):
            lines.append(f"budget.{unit}: {before!r} became {after!r}; it can only grow")
    facts = facts_of(old)
    fitted = [name for name in facts.strategies if answers_of(facts, name).needs_total]
    if fitted:
        lines.append(
            f"budget: {', '.join(fitted)} is a grid fitted to the budget, so it cannot grow"
        )
    return lines


def _answers(description: Json) -> Json:
    return description.get("answers", {})
