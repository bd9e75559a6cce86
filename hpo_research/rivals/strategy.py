"""A rival as a strategy: frozen options, and an ask that follows from the run alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo_research.errors import StrategyError
from hpo_research.origin import told
from hpo_research.records import Ask, Note, Proposal, Run, resume, start
from hpo_research.rivals import installed
from hpo_research.rivals.axes import Axes
from hpo_research.rivals.catalogue import CATALOGUE, Entry
from hpo_research.rivals.conversation import Conversation
from hpo_research.rivals.engines.protocol import Task
from hpo_research.rivals.live import Answer, Exchange, Suggested
from hpo_research.rivals.places import Seat
from hpo_research.strategies.tried import left, taken

Option = bool | int | float | str | None


@dataclass(frozen=True)
class Rival:
    """Another library's optimiser at its defaults, by its name in `rivals()`.

    Made by `hpo_research.rival(name)`, which finds the `version` that is installed; under another
    one it refuses to go on. `options` are arguments of the library's own class, in pairs.

    A trial that fails, or whose value is not finite, is told as the worst loss told so far; one
    that failed before there was any, as soon as there is one. Trials of earlier runs of the same
    task, and those that somebody else chose, are told as trials of others; those of related tasks,
    and places outside the space, are not. The seed is that of the run. Raises `StrategyError`.
    """

    name: str
    version: str
    options: tuple[tuple[str, Option], ...] = ()

    def __post_init__(self) -> None:
        pairs = self.options.items() if isinstance(self.options, Mapping) else self.options
        object.__setattr__(self, "options", tuple((str(key), value) for key, value in pairs))
        if self.name not in CATALOGUE:
            raise StrategyError(
                f"Rival(name={self.name!r}): expected one of {', '.join(CATALOGUE)}"
            )

    @property
    def with_one_epoch(self) -> str:
        """What is left of one that trains in parts."""
        return "nothing to cut short there" if CATALOGUE[self.name].is_by_epoch else ""

    @property
    def sets_epochs(self) -> bool:
        """Whether its library says to which epoch a trial is trained, and counts on it."""
        return CATALOGUE[self.name].is_by_epoch

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Tell each run's optimiser what is new, and ask it for as many trials as there is room."""
        pairs = zip(runs, slots, strict=True)
        return [self._ask(run, free) if free > 0 else Ask() for run, free in pairs]

    def _ask(self, run: Run, free: int) -> Ask:
        if left(run) == 0:
            return Ask()
        entry, axes = CATALOGUE[self.name], Axes(run.space)
        if not axes.axes:
            return Ask((start(run.space.middle, run.max_epochs, self.name),))
        talk = Conversation(run, entry.is_by_epoch)
        answer = self._answer(entry, axes, talk, free)
        if not answer.suggested and talk.waiting and not run.running:
            talk.tell_anything(0.0)
            answer = self._answer(entry, axes, talk, free)
        if not answer.suggested:
            return Ask(ends="" if run.running else f"{self.name} suggests no more")
        trials = talk.trials
        proposals: list[Proposal] = []
        for one in answer.suggested:
            if isinstance(one.what, int):
                proposals.append(resume(trials[one.what], one.until))
            else:
                proposals.append(start(one.what, one.until or run.max_epochs, self.name))
        notes = self._notes(run, talk, answer.suggested, free)
        return Ask(tuple(proposals), notes, {"rival": answer.seconds})

    def _answer(self, entry: Entry, axes: Axes, talk: Conversation, free: int) -> Answer:
        run = talk.run
        seed = run.seed if not talk.first else run.stream.at("rival", talk.first).integer()
        task = Task(axes.axes, seed % 2**31, run.max_epochs, dict(self.options))
        made_for = (self, axes.axes, task.seed, run.seed, run.max_epochs)
        exchange = Exchange(self.name, made_for, axes, run.stream.at("rival"), entry.is_by_epoch)

        def seat_of(draws: int) -> Seat:
            return installed.seat(self.name, self.version, task, draws)

        try:
            return exchange.answer(seat_of, talk, free)
        except StrategyError:
            raise
        except Exception as error:
            raise StrategyError(f"{self.name} ({self.version}) raised {told(error)}") from error

    def _notes(
        self, run: Run, talk: Conversation, suggested: Sequence[Suggested], free: int
    ) -> dict[str, Note]:
        configs = [one.what for one in suggested if not isinstance(one.what, int)]
        notes = talk.notes(free, len(configs))
        if not talk.steps or all(not ask.notes for ask in run.asks):
            notes["rival_version"] = self.version
        if clipped := sum(one.clipped for one in suggested):
            notes["rival_clipped"] = float(clipped)
        with taken(run) as known:
            repeated = 0
            for config in configs:
                repeated += config in known
                known.add(config)
        if repeated:
            notes["rival_repeated"] = float(repeated)
        return notes


def options_of(given: Mapping[str, Any], call: str) -> tuple[tuple[str, Option], ...]:
    """Return options as a rival keeps them. Raises `StrategyError` for what no store can hold."""
    wrong = [
        f"{call}: {name} must be a number, a string, True, False or None, got {value!r:.80}"
        for name, value in given.items()
        if not isinstance(value, bool | int | float | str | None)
    ]
    if wrong:
        raise StrategyError("\n".join(wrong))
    return tuple(sorted(given.items()))
