"""The loop: who is asked when, what is trained together, how failures and bugs end."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
from doubles import SPACE, Halving, Walk

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.errors import StrategyError
from hpo_research.executors.protocol import Poll
from hpo_research.experiment import loop
from hpo_research.records import Ask, Outcome, Report, Segment, resume, start, stop
from hpo_research.store import Store

HEALTHY = Walk(fails_above=2.0)
MIDDLE = {"x": 0.5, "kind": "a"}


UNSEEN = {"default_factory": list, "compare": False, "metadata": {"identity": False}}


@dataclass(frozen=True)
class Overheard:
    """A strategy that writes down every ask it gets and passes it on."""

    inner: hpo.Strategy
    asks: list[list[tuple[int, int, int]]] = field(**UNSEEN)  # (run, slots, running) of each run
    views: list[hpo.Run] = field(**UNSEEN)

    def ask(self, runs: Sequence[hpo.Run], slots: Sequence[int]) -> list[Ask]:
        pairs = zip(runs, slots, strict=True)
        self.asks.append([(run.id, free, len(run.running)) for run, free in pairs])
        self.views.extend(runs)
        return self.inner.ask(runs, slots)


@dataclass(frozen=True)
class Watched(Walk):
    """A walk that writes down every batch it is given."""

    batches: list[list[Segment]] = field(**UNSEEN)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu"):
        self.batches.append(list(segments))
        return Walk.evaluate(self, segments, device)


@dataclass(frozen=True)
class Broken(Walk):
    """A walk that goes wrong in one of several ways where kind is b."""

    how: str = "raises"

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu"):
        walk, dropped = Walk.evaluate(self, segments, device), None
        bad = {s.key for s in segments if s.config["kind"] == "b"}
        while True:
            try:
                reports = walk.send(dropped) if dropped else next(walk)
            except StopIteration:
                return
            epoch = max(report.epoch for report in reports)
            if epoch >= 2 and bad & {report.key for report in reports}:
                if self.how == "raises":
                    raise ValueError("kind b is not to my taste")
                if self.how == "ends":
                    return
                reports = [self._spoilt(r) if r.key in bad else r for r in reports]
            dropped = yield reports

    def _spoilt(self, report: Report) -> Report:
        if self.how == "silent":
            return replace(report, metrics={"double": 1.0})
        return replace(report, metrics={**report.metrics, "loss": float(self.how)})


def experiment(**options: object) -> hpo.Experiment:
    given = {
        "name": "loop",
        "problems": [HEALTHY],
        "strategies": {"one": hpo.Random()},
        "seeds": [0],
        "budget": hpo.Budget(evaluations=4),
    }
    return hpo.Experiment(**{**given, **options})


def run(watch: Callable[[hpo.Progress], None] | None = None, **options: object) -> hpo.Result:
    with Store.in_memory() as store:
        loop.execute(experiment(**options), store, Compute(), watch)
        return hpo.Result.of(store)


def stable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[c for c in frame if not c.endswith("_seconds")]]


# --- asking ---


def test_all_runs_of_a_strategy_are_asked_in_one_call():
    overheard = Overheard(hpo.Random())
    problems = [HEALTHY, Walk(name="short", max_epochs=3, fails_above=2.0)]
    run(problems=problems, strategies={"one": overheard}, seeds=range(5))
    births = len(problems)  # once about each problem, when the experiment is made
    assert [row[0] for row in overheard.asks[births]] == list(range(1, 11))


def test_in_lock_step_a_run_with_work_is_offered_no_slots():
    overheard = Overheard(hpo.Random())
    run(strategies={"one": overheard}, parallel=2)
    asks = [row for (row,) in overheard.asks[1:]]
    assert asks[0] == (1, 2, 0)
    assert {free for _, free, running in asks if running} == {0}
    assert [free for _, free, running in asks if not running] == [2, 2, 2]
    assert sum(running > 0 for *_, running in asks) == 2 * 8  # at every epoch but the last


def test_runs_that_are_ready_together_are_asked_together():
    overheard = Overheard(hpo.Hyperband())
    run(strategies={"one": overheard}, seeds=range(4))
    assert {len(rows) for rows in overheard.asks[1:]} == {4}


def test_asynchronously_a_freed_slot_is_filled_before_the_next_poll(monkeypatch):
    said: list[str] = []

    class Scripted:
        """Ends one trial a poll, the newest first, after one epoch."""

        def __init__(self) -> None:
            self.running: list[Segment] = []

        def submit(self, segments: Sequence[Segment]) -> None:
            said.append(f"submit {len(segments)}")
            self.running += segments

        def stop(self, trials) -> None:
            raise AssertionError("nothing is stopped here")

        def poll(self, timeout: float | None = None) -> Poll:
            segment = self.running.pop()
            said.append("poll")
            return Poll(
                (Report(*segment.key, segment.until, {"loss": 0.5}, 1.0),),
                (Outcome(*segment.key, "finished", segment.until),),
            )

        def close(self) -> None:
            said.append("close")

    monkeypatch.setattr(loop, "executor_for", lambda *_: Scripted())
    result = run(execution="asynchronous", parallel=3, budget=hpo.Budget(trials=5))
    assert said == ["submit 3", *["poll", "submit 1"] * 2, *["poll"] * 3, "close"]
    assert result.is_finished


def test_an_executor_is_closed_when_a_strategy_has_a_bug(monkeypatch):
    closed: list[str] = []
    monkeypatch.setattr(
        loop.Loop, "close", lambda self, close=loop.Loop.close: (closed.append("yes"), close(self))
    )
    with pytest.raises(StrategyError):
        run(strategies={"one": Says([])}, parallel=1)
    assert closed == ["yes"]


def test_a_watcher_sees_the_run_go_up_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    seen: list[hpo.Progress] = []
    run(seen.append, parallel=2, seeds=[0, 1])
    first, last = seen[0].runs, seen[-1].runs
    assert [(p.trials, p.running, p.epochs, p.is_over) for p in first] == [(2, 2, 0, False)] * 2
    assert [(p.trials, p.running, p.epochs, p.share) for p in last] == [(4, 0, 36, 1.0)] * 2
    assert all(p.is_over for p in last)
    shares = [progress.runs[0].share for progress in seen]
    assert shares == sorted(shares)


# --- training ---


def test_all_segments_of_a_problem_are_trained_in_one_batch():
    watched = Watched(fails_above=2.0)
    run(
        problems=[watched],
        strategies={"a": hpo.Random(), "b": hpo.Grid(points=1)},
        seeds=range(3),
        parallel=2,
    )
    assert [s.key for s in watched.batches[0]] == [(r, t) for r in range(1, 7) for t in range(2)]


def test_a_problem_that_cannot_resume_begins_again_each_time():
    watched = Watched(fails_above=2.0, can_resume=False)  # though it hands out states
    result = run(problems=[watched], strategies={"one": hpo.Hyperband()}, seeds=[3])
    segments = [segment for batch in watched.batches for segment in batch]
    assert max(Counter(s.key for s in segments).values()) == 3
    assert {s.attempt for s in segments} == {0}  # a segment is no attempt
    assert {(s.start, s.state) for s in segments} == {(0, None)}
    (cost,) = result.costs.values()
    assert cost.epochs == sum(s.until for s in segments)


def test_a_resumed_trial_goes_on_from_its_state():
    watched = Watched(fails_above=2.0)
    run(problems=[watched], strategies={"one": hpo.Hyperband()})
    resumed = [s for batch in watched.batches for s in batch if s.known]
    assert resumed
    assert all(s.start > 0 and s.state is not None for s in resumed)


# --- failures ---

REASONS = {
    "raises": "ValueError: kind b is not to my taste",
    "ends": "the problem ended before the trial had reached its epoch",
    "silent": "loss is not reported at epoch 2",
    "nan": "loss is nan at epoch 2",
    "-inf": "loss is -inf at epoch 2",
}


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
@pytest.mark.parametrize("how", REASONS)
def test_a_configuration_that_fails_does_not_touch_its_batch_mates(how: str, execution: str):
    # A budget in trials: what a failed trial does not spend makes no room for another.
    budget = hpo.Budget(trials=8)
    options = {"execution": execution, "parallel": 4, "seeds": [0, 1], "budget": budget}
    got = run(problems=[Broken(fails_above=2.0, how=how)], **options).frame()
    expected = run(problems=[HEALTHY], **options).frame()
    failed = got["config.kind"] == "b"
    assert failed.any()
    assert got[failed]["reason"].str.startswith(REASONS[how]).all()
    assert set(got[failed]["status"]) == {"failed"}
    assert got[failed]["value"].isna().all()
    assert set(got[failed]["epochs"]) == {1}
    same = ["trial", "status", "value", "epochs", "reason", "config.x"]
    assert got[~failed][same].equals(expected[~failed][same])


def test_a_run_in_which_all_fail_says_so_and_the_others_go_on():
    never = hpo.SearchSpace(x=hpo.Float(0, 1), kind=hpo.Categorical(["b"]))
    result = run(problems=[Broken(name="never", space=never), HEALTHY], parallel=2)
    assert result.is_finished
    assert set(result.frame().query("problem == 'walk'")["status"]) == {"finished"}
    (message,) = result.messages()
    assert message.startswith("one on never, seed 0: all ")
    assert " trials failed; the first: ValueError: kind b is not to my taste" in message


# --- bugs in strategies ---


@dataclass(frozen=True)
class Says:
    """A strategy that says what it is told to once it is asked in a run; before, and mended, it
    searches at random."""

    answers: object = field(metadata={"identity": False})
    count: list[int] = field(**UNSEEN)
    mended: list[bool] = field(**UNSEEN)

    def ask(self, runs, slots):
        self.count.append(1)
        if len(self.count) == 1 or self.mended:
            return hpo.Random().ask(runs, slots)
        answers = self.answers
        return answers(runs, slots) if callable(answers) else answers


def once_running(*proposals: hpo.Proposal) -> Callable[..., list[Ask]]:
    def answer(runs: Sequence[hpo.Run], slots: Sequence[int]) -> list[Ask]:
        if not runs[0].trials:
            return [Ask((start(MIDDLE, 3, "own"),) * 2)]
        return [Ask(proposals)]

    return answer


def begin(**changes: object) -> list[Ask]:
    return [Ask((replace(start(MIDDLE, 3, "own"), **changes),))]


BUGS = [
    ([], "one: asked 1 run, got 0 asks"),
    ([Ask(), Ask()], "one: asked 1 run, got 2 asks"),
    (begin(config={"x": 2.0, "kind": "a"}), r"one on walk, seed 0: proposal: x: .*2\.0"),
    (begin(config=None), "one on walk, seed 0: proposal: 'x' is missing"),
    (begin(until=0), "until must be an integer above 0 and at most 9, got 0"),
    (begin(until=10), "until must be an integer above 0 and at most 9, got 10"),
    (begin(until=2.5), r"until must be an integer above 0 and at most 9, got 2\.5"),
    ([Ask((start(MIDDLE, 3, "own"),) * 3)], "seed 0: 2 slots were free, got 3 proposals"),
    ([Ask((resume(0, 3),))], "seed 0: cannot resume trial 0, which does not exist"),
    ([Ask((stop(-1),))], "seed 0: cannot stop trial -1, which does not exist"),
    ([Ask((resume(None, 3),))], "cannot resume trial None"),
    ([Ask((), {"why": object()})], "note 'why' must be a number, a string or a list of numbers"),
    ([Ask((), {"why": [1.0, "a"]})], "note 'why' must be a number, a string or a list of numbers"),
    (once_running(start(MIDDLE, 3, "own")), "seed 0: 0 slots were free, got 1 proposals"),
    (once_running(stop(0), stop(0)), "trial 0 is resumed or stopped twice in one ask"),
    (once_running(stop(7)), "cannot stop trial 7, which does not exist"),
]


@pytest.mark.parametrize(("answers", "message"), BUGS, ids=[message for _, message in BUGS])
def test_a_bug_in_a_strategy_is_named_and_leaves_a_store_that_goes_on(
    tmp_path: Path, answers: object, message: str
):
    says = Says(answers)
    given = experiment(strategies={"one": says}, parallel=2)
    with pytest.raises(StrategyError, match=message):
        hpo.run(given, out=tmp_path, device="cpu")
    says.mended.append(True)
    result = hpo.run(given, out=tmp_path, device="cpu")
    assert result.is_finished
    assert (result.frame()["status"] == "finished").sum() >= 3


@pytest.mark.parametrize("kind", ["resume", "stop"])
def test_a_trial_that_is_not_in_the_right_state_is_a_bug(kind: str):
    def answer(runs, slots):
        (view,) = runs
        if not view.trials:
            return [Ask((start(MIDDLE, 3, "own"),))]
        if kind == "resume" and view.running:
            return [Ask((resume(0, 9),))] if slots[0] else [Ask()]
        return [Ask()] if view.running else [Ask((stop(0),))]

    status = {"resume": "running", "stop": "paused"}[kind]
    options = {"execution": "simulated", "parallel": 2}
    with pytest.raises(StrategyError, match=f"cannot {kind} trial 0, which is {status}"):
        run(strategies={"one": Says(answer)}, **options)


def test_a_configuration_with_numbers_of_numpy_becomes_native():
    space = hpo.SearchSpace(n=hpo.Integer(1, 9), x=hpo.Float(0, 1), kind=SPACE.parameters["kind"])

    def answer(runs, slots):
        import numpy as np

        if runs[0].trials:
            return [Ask()]
        return [Ask((start({"x": np.float32(0.5), "kind": "a", "n": np.int64(3)}, 3, "own"),))]

    (config,) = [
        trial.config
        for view in run(
            problems=[Walk(space=space)], strategies={"one": Says(answer)}
        ).runs.values()
        for trial in view.trials
    ]
    assert config == {"n": 3, "x": 0.5, "kind": "a"}
    assert [type(value) for value in config.values()] == [int, float, str]


# --- simulated time ---


@dataclass(frozen=True)
class Listed:
    """Starts these x in order, each to the last epoch; as many as are wanted."""

    xs: tuple[float, ...]
    pause: float = 0.0

    def ask(self, runs, slots):
        time.sleep(self.pause)
        return [
            Ask(
                tuple(
                    start({"x": x, "kind": "a"}, run.max_epochs, "own")
                    for x in self.xs[len(run.trials) : len(run.trials) + free]
                )
            )
            for run, free in zip(runs, slots, strict=True)
        ]


def events(result: hpo.Result) -> list[tuple[int, int, float]]:
    reports = result.reports().sort_values("run_epochs")
    rows = reports[["trial", "epoch", "clock_seconds"]]
    return [tuple(row) for row in rows.itertuples(index=False)]


def simulated(strategy: hpo.Strategy, **options: object) -> hpo.Result:
    given = {
        "problems": [Walk(max_epochs=2)],
        "execution": "simulated",
        "parallel": 2,
        "budget": hpo.Budget(trials=4),
    }
    return run(strategies={"one": strategy}, **{**given, **options})


def test_events_come_in_order_of_their_recorded_time_and_ties_by_trial():
    # An epoch takes 0.5 + x seconds.
    assert events(simulated(Listed((1.0, 0.25, 0.25, 0.0)))) == [
        (1, 1, 0.75),
        (0, 1, 1.5),
        (1, 2, 1.5),
        (2, 1, 2.25),
        (0, 2, 3.0),
        (2, 2, 3.0),
        (3, 1, 3.5),
        (3, 2, 4.0),
    ]


def test_the_clock_of_a_run_is_its_own():
    alone = [simulated(Listed((0.5,) * 4), seeds=[seed]) for seed in (0, 1)]
    together = simulated(Listed((0.5,) * 4), seeds=[0, 1])
    expected = pd.concat([result.reports() for result in alone], ignore_index=True)
    pd.testing.assert_frame_equal(together.reports(), expected, check_exact=True)


def test_searching_takes_no_simulated_time():
    fast, slow = (simulated(Listed((0.25,) * 4, pause)) for pause in (0.0, 0.01))
    pd.testing.assert_frame_equal(fast.reports(), slow.reports(), check_exact=True)


@pytest.mark.parametrize("strategy", [hpo.Random(), hpo.Hyperband(), Halving()], ids=str)
def test_the_clock_of_a_run_never_goes_back(strategy: hpo.Strategy):
    result = simulated(
        strategy, problems=[Walk()], parallel=3, budget=hpo.Budget(evaluations=9), seeds=[0, 1, 2]
    )
    for _, reports in result.reports().groupby("seed"):
        clocks = reports.sort_values("run_epochs")["clock_seconds"]
        assert clocks.is_monotonic_increasing
        assert clocks.iloc[0] > 0


@dataclass(frozen=True)
class StopsSecond:
    """Starts trials of x = 0, then 1, then 0.5, and stops trial 0 when it has reported twice."""

    def ask(self, runs, slots):
        (view,), (free,) = runs, slots
        stops = [stop(t.id) for t in view.running if t.id == 0 and t.reached == 2]
        return [Ask((*stops, *Listed((0.0, 1.0, 0.5)).ask(runs, [free])[0].proposals))]


def test_a_stop_frees_its_slot_at_the_moment_it_was_decided():
    result = simulated(StopsSecond(), problems=[Walk(max_epochs=3)], budget=hpo.Budget(trials=3))
    assert result.frame()["status"].tolist() == ["stopped", "finished", "finished"]
    # Trial 0 is stopped at clock 1; trial 2 takes 1 second an epoch, trial 1 takes 1.5.
    assert events(result) == [
        (0, 1, 0.5),
        (0, 2, 1.0),
        (1, 1, 1.5),
        (2, 1, 2.0),
        (1, 2, 3.0),
        (2, 2, 3.0),
        (2, 3, 4.0),
        (1, 3, 4.5),
    ]


def test_a_trial_that_fails_takes_the_time_of_its_failing_epoch():
    space = hpo.SearchSpace(x=hpo.Float(0, 1), kind=hpo.Categorical(["c"]))
    result = simulated(
        hpo.Random(), problems=[Walk(space=space, fails_above=-1.0, max_epochs=3)], parallel=1
    )
    frame = result.frame()
    ends = 2 * (0.5 + frame["config.x"].astype(float)).cumsum()
    starts = result.reports().query("epoch == 1")
    begun = (starts["clock_seconds"] - starts["epoch_seconds"]).tolist()
    assert begun == pytest.approx([0.0, *ends[:-1]])
    assert all(math.isnan(value) for value in frame["value"])
