"""The laws that users hold their own to: what keeps them passes, and each has what it catches."""

from dataclasses import dataclass, field, replace

import pytest
from doubles import Halving, Walk

import hpo_research as hpo
from hpo_research.executors.lock_step import LockStepExecutor
from hpo_research.executors.protocol import Poll
from hpo_research.records import Ask, Report, resume, start
from hpo_research.testing import LawError, check_executor, check_problem, check_strategy
from hpo_research.testing.executors import Drift

LINE = hpo.SearchSpace(x=hpo.Float(0, 1))


def test_what_keeps_the_laws_passes():
    for strategy in (hpo.Random(), Halving(), hpo.MedianStopping(hpo.Hyperband())):
        check_strategy(strategy)
    check_strategy(hpo.Random("sobol"), space=LINE)
    for problem in (Walk(), hpo.problem("branin"), Drift()):
        check_problem(problem)
    check_executor(LockStepExecutor)


# --- strategies ---


@dataclass(frozen=True)
class Drawing:
    """Random search, of which the wrong ones below are made."""

    calls: list[int] = field(default_factory=list, compare=False, metadata={"identity": False})

    def ask(self, runs, slots):
        pairs = enumerate(zip(runs, slots, strict=True))
        return [self.one(run, free, place) for place, (run, free) in pairs]

    def one(self, run, free, place):
        (ask,) = hpo.Random().ask([run], [free])
        return ask


class Loose(Drawing):
    __hash__ = None

    def __eq__(self, other):
        return self is other


class Empty(Drawing):
    def ask(self, runs, slots):
        return Drawing.ask(self, runs, slots) or [Ask()]


class Greedy(Drawing):
    def one(self, run, free, place):
        return Drawing.one(self, run, free + 1, place)


class Outside(Drawing):
    def one(self, run, free, place):
        (ask,) = [Drawing.one(self, run, free, place)]
        return Ask(tuple(start({**p.config, "x": 7}, p.until, "mine") for p in ask.proposals))


class Late(Drawing):
    def one(self, run, free, place):
        ask = Drawing.one(self, run, free, place)
        return Ask(tuple(replace(p, until=run.max_epochs + 1) for p in ask.proposals))


class Restless(Drawing):
    def one(self, run, free, place):
        own = [t.id for t in run.trials if t.status == "finished"][:free]
        return Ask(tuple(resume(trial, run.max_epochs) for trial in own))


class Moody(Drawing):
    def one(self, run, free, place):
        self.calls.append(1)
        return replace(Drawing.one(self, run, free, place), notes={"calls": len(self.calls)})


class Sidelong(Drawing):
    def one(self, run, free, place):
        return replace(Drawing.one(self, run, free, place), notes={"place": place, "id": run.id})


class Spendthrift(Drawing):
    def one(self, run, free, place):
        return replace(Drawing.one(self, run, free, place), notes={"left": min(run.left, 1e9)})


class Losing(Drawing):
    def recommend(self, runs):
        return [run.trials[-1].id if run.trials else None for run in runs]


class Heir(Drawing):
    def one(self, run, free, place):
        return Ask(tuple(resume(trial.id, run.max_epochs) for trial in run.prior[:free]))


class Raising(Drawing):
    def one(self, run, free, place):
        raise KeyError("mine")


BROKEN = [
    (Loose, "a strategy is a frozen record", "a pickled copy that is equal"),
    (Empty, "no runs give no asks", r"asks of no runs: \[\], got \[Ask"),
    (Greedy, "an ask is lawful", "at most 1 trials to start or resume, got 2"),
    (Greedy, "no slots give no work", "at most 0 trials to start or resume, got 1"),
    (Outside, "an ask is lawful", "SpaceError"),
    (Late, "an ask is lawful", r"until between 1 and 1, got 2"),
    (Restless, "an ask is lawful", "a paused trial to resume, got 'finished'"),
    (Moody, "the same run gives the same ask", "the same ask again"),
    (Moody, "killed and resumed equals uninterrupted", "the asks of the uninterrupted run"),
    (Sidelong, "a run does not see its neighbours", "the ask of the run alone"),
    (Spendthrift, "no plan depends on the budget", "the same without a budget"),
    (Losing, "a recommendation is a trial with a value", r"Losing\.recommend: expected the id"),
    (Heir, "what earlier runs found is known", "the id of a trial of the run"),
    (Raising, "trials may end in any order", r"raised KeyError: 'mine' \(test_testing_laws\.py"),
]


@pytest.mark.parametrize(("kind", "law", "message"), BROKEN, ids=lambda v: str(v)[:30])
def test_a_wrong_strategy_is_told_which_law_it_breaks(kind, law, message):
    with pytest.raises(LawError, match=rf"of 11 laws:\n(.*\n)*- {law}[^\n]*{message}"):
        check_strategy(kind(), space=LINE)


# --- problems ---


class Stateless(Walk):
    """Goes on from nothing."""

    def _begin(self, segment):
        return Walk._begin(self, replace(segment, state=None, start=0))


class Crowded(Walk):
    def _report(self, segment, epoch, state):
        report = Walk._report(self, segment, epoch, state)
        return replace(report, metrics={"loss": report.metrics["loss"] + segment.trial})


class Mute(Walk):
    def _report(self, segment, epoch, state):
        return replace(Walk._report(self, segment, epoch, state), metrics={"other": 1.0})


class Skipping(Walk):
    def _report(self, segment, epoch, state):
        return replace(Walk._report(self, segment, epoch, state), epoch=2 * epoch)


class Deaf(Walk):
    def evaluate(self, segments, device="cpu"):
        yield from (list(reports) for reports in list(Walk.evaluate(self, segments, device)))


class Unending(Walk):
    def evaluate(self, segments, device="cpu"):
        yield from Walk.evaluate(self, segments, device)
        yield []


class Mixing(Walk):
    """The first of a batch is worth what the size of the batch is."""

    def evaluate(self, segments, device="cpu"):
        for reports in list(Walk.evaluate(self, segments, device)):
            first, *rest = reports
            yield [replace(first, metrics={**first.metrics, "loss": float(len(reports))}), *rest]


WRONG = [
    (Stateless(), "paused and resumed equals trained in one go", "as trained in one go"),
    (Stateless(), "a resumed trial may share a batch", "the epochs after the pause"),
    (Crowded(), "only a trial's stream matters", "the same values"),
    (Mute(), "it reports its metric", "a metric loss"),
    (Walk(has_recorded_seconds=False), "it reports its metric", "no seconds in a report"),
    (Skipping(), "every step reports the live segments", "the epochs of a step"),
    (Deaf(), "dropped trials fall silent", "the epochs of trial 1, dropped"),
    (Unending(), "no segments give no reports", "steps of no segments"),
    (Mixing(), "a trial has the same values", "the values of 1 among 20"),
    (Mixing(), "the order of a batch changes nothing", "the same values"),
    (Walk(optimum=100.0), "nothing is better than the known optimum", "nothing better than 100"),
    (Walk(metric=""), "a problem is a frozen record", "a metric"),
]


@pytest.mark.parametrize(("problem", "law", "message"), WRONG, ids=lambda v: str(v)[:30])
def test_a_wrong_problem_is_told_which_law_it_breaks(problem, law, message):
    with pytest.raises(LawError, match=rf"\n- {law}[^\n]*{message}"):
        check_problem(problem)


# --- executors ---


class Around:
    """An executor in this process, of which the wrong ones below are made."""

    def __init__(self, problem):
        self.inner = LockStepExecutor(problem)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Mute(Around):
    """Never says that a stopped trial has ended."""

    def poll(self, timeout=None):
        return replace(self.inner.poll(timeout), ended=())


class Haunted(Around):
    """Goes on with a stopped trial that it said had ended."""

    def poll(self, timeout=None):
        found = self.inner.poll(timeout)
        ghosts = tuple(Report(*key, 2, {"loss": 0.0}) for key in getattr(self, "gone", ()))
        self.gone = found.ended
        return replace(found, reports=found.reports + ghosts)


class Forgetful(Around):
    def poll(self, timeout=None):
        found = self.inner.poll(timeout)
        return replace(found, reports=tuple(replace(r, state=None) for r in found.reports))


class Loud(Around):
    def submit(self, segments):
        self.inner.submit([replace(segment, known=0) for segment in segments])


class Rounding(Around):
    def poll(self, timeout=None):
        found = self.inner.poll(timeout)
        rounded = [
            replace(r, metrics={k: round(v, 3) for k, v in r.metrics.items()})
            for r in found.reports
        ]
        return replace(found, reports=tuple(rounded))


class Inventive(Around):
    def poll(self, timeout=None):
        found = self.inner.poll(timeout)
        return found if found.reports else Poll((Report(9, 9, 1, {"loss": 0.0}),), found.outcomes)


LAWLESS = [
    (Mute, "a stopped trial ends once and for all", "the trials that end"),
    (Haunted, "a stopped trial ends once and for all", "nothing of a trial that has ended"),
    (Forgetful, "the state of a paused trial trains on", "a state with the last report"),
    (Loud, "reports up to `known` are silent", "the reports after epoch 3"),
    (Rounding, "the same segments give the same reports", "the reports"),
    (Inventive, "without work a poll brings nothing", "reports and outcomes"),
]


@pytest.mark.parametrize(("make", "law", "message"), LAWLESS, ids=lambda v: str(v)[:30])
def test_a_wrong_executor_is_told_which_law_it_breaks(make, law, message):
    with pytest.raises(LawError, match=rf"\n- {law}[^\n]*{message}"):
        check_executor(make)
