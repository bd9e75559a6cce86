"""What is ours in each row, to be timed beside rivals here or by itself with another build."""

import tempfile
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import hpo_research as hpo
from benchmarks.beside import ROOT, call
from benchmarks.speed import rivals
from benchmarks.speed.cases import Case, check, data, runs
from benchmarks.speed.clock import Contender, Time, duel
from benchmarks.speed.memory import Alone, alone
from hpo_research.gp import fit
from hpo_research.threads import limited

INITIAL = 12  # points of the study


@dataclass(frozen=True)
class Size:
    """How large the cases are and how often each is timed: the table's, or tiny ones to try."""

    case: Case = Case(n=100, d=6, q=4)  # noqa: RUF009 (it is frozen)
    models: int = 64
    runs: int = 32
    looped: int = 4
    apart: int = 3
    seeds: int = 32
    evaluations: int = 60
    own: int = 5
    theirs: int = 2
    many: Case = Case(runs=256, n=200)  # noqa: RUF009
    long: Case = Case(n=2000, d=20, q=1)  # noqa: RUF009
    wide: Case = Case(n=500, d=100)  # noqa: RUF009
    cuda_runs: int = 256
    patience: float = 400.0
    effort: rivals.Effort = rivals.Effort()  # noqa: RUF009

    def of(self, count: int = 1) -> Case:
        """Return the case with so many runs."""
        return Case(count, self.case.n, self.case.d, self.case.q)


FULL = Size()
QUICK = Size(
    case=Case(n=12, d=2, q=1),
    models=2,
    runs=2,
    looped=1,
    apart=1,
    seeds=1,
    evaluations=13,
    own=1,
    theirs=1,
    many=Case(runs=3, n=16, q=1),
    long=Case(n=32, d=20, q=1),
    wide=Case(n=32, d=30, q=1),
    cuda_runs=4,
    patience=60.0,
    effort=rivals.Effort(2, 8, 8),
)


def fits(size: Size, models: int, reached: dict[str, list] | None = None) -> Contender:
    """Return fits of so many GPs at once; of a single one, of several data sets one by one.

    The evidence of each is left under `ours` in `reached`.
    """
    sets = models if models > 1 else min(8, size.models)
    known, group = data(size.of(sets)), models if models > 1 else 1
    parts = [known.take(slice(i, i + group)) for i in range(0, sets, group)]
    found = {} if reached is None else reached

    def fitted() -> None:
        found["ours"] = [
            value for part in parts for value in fit(part, [rivals.KERNEL]).log_evidence.tolist()
        ]

    return Contender(lambda: fitted, size.own, units=sets / models)


def ask(case: Case, times: int) -> Contender:
    """Return one ask of all runs of a case."""
    asked = runs(case)
    check(hpo.Bayesian().ask(asked[:1], [case.q]), case)
    return Contender(
        lambda: lambda: hpo.Bayesian().ask(asked, [case.q] * case.runs), times, units=case.runs
    )


def asks(size: Size, model: str = "matern52") -> Contender:
    """Return asks of some runs, one after another."""
    case, asked, strategy = size.of(), runs(size.of(size.apart)), hpo.Bayesian(model=model)
    for run in asked:
        check(strategy.ask([run], [case.q]), case)

    def each() -> None:
        for run in asked:
            strategy.ask([run], [case.q])

    return Contender(lambda: each, size.own, units=size.apart)


def study(size: Size) -> Contender:
    """Return a replicated study on Hartmann6, stored, without report and figures."""

    def studied() -> None:
        experiment = hpo.Experiment(
            name="speed",
            problems=[hpo.problem("hartmann6")],
            strategies={"bayesian": hpo.Bayesian(initial=INITIAL)},
            seeds=range(size.seeds),
            budget=hpo.Budget(evaluations=size.evaluations),
            parallel=4,
        )
        with tempfile.TemporaryDirectory() as folder:
            hpo.run(experiment, out=Path(folder) / "speed", device="cpu")

    return Contender(lambda: studied, min(size.own, 3), warm=lambda: ask(size.of(), 1))


OWN: dict[str, Callable[[Size], Contender]] = {
    "64 fits": lambda size: fits(size, size.models),
    "fit": lambda size: fits(size, 1),
    "ask": asks,
    "average": lambda size: asks(size, "averaged"),
    "asks": lambda size: ask(size.of(size.runs), size.own),
    "study": study,
}


def timed(name: str, is_quick: bool) -> tuple[float, float]:
    """Return what ours takes in this process, by the clock and by its processor, a unit."""
    with limited():
        (time,) = duel(OWN[name](QUICK if is_quick else FULL))
    return astuple(time)


@dataclass(frozen=True)
class Beside:
    """Another build, measured in turn with this one, each time in a process of its own."""

    checkout: Path
    rounds: int = 3

    def times(self, names: tuple[str, str], size: Size) -> tuple[Time, Time]:
        """Return what this build takes for the first name, and the other for the second.

        Of the rounds, the one whose ratio of processor times is the median.
        """
        is_quick = size == QUICK
        rounds = [
            (
                Time(*call(ROOT, timed, names[0], is_quick)),
                Time(*call(self.checkout, timed, names[1], is_quick)),
            )
            for _ in range(self.rounds)
        ]
        rounds.sort(key=lambda pair: pair[1].processor / pair[0].processor)
        return rounds[len(rounds) // 2]

    def alone(self, case: Case, size: Size) -> Alone:
        """Return what one cold ask takes with the other build."""
        return alone(case, size.patience, checkout=self.checkout)
