"""What a crash or a failure must not change: clocks, charges, checkpoints, answers."""

import dataclasses
from pathlib import Path

import pytest
import torch
from doubles import SPACE, Halving, Walk

import hpo_research as hpo
from hpo_research.errors import ProblemError
from hpo_research.executors.protocol import Poll
from hpo_research.executors.simulated import SimulatedExecutor
from hpo_research.experiment import loop
from hpo_research.ledger import Ledger, Limits, RunInfo
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Ask, Outcome, Report, Run, Segment, Trial, resume, start
from hpo_research.rng import Stream
from hpo_research.store import Checkpoints, Store
from hpo_research.strategies.halving.inner_view import inner_view


@dataclasses.dataclass(frozen=True)
class Crashing(Walk):
    """Raises for configurations above 0.8, in the middle of a batch."""

    name: str = "crashing"

    def evaluate(self, segments, device="cpu") -> Evaluation:
        for reports in Walk.evaluate(self, segments, device):
            if any(s.config["x"] > 0.8 for s in segments):
                raise OSError("no such data set")
            yield reports


class Stopped(BaseException):
    """Stands for SIGKILL."""


def experiment(problem: hpo.Problem, **options) -> hpo.Experiment:
    defaults = {"strategies": {"r": hpo.Random()}, "seeds": [0, 1], "parallel": 3}
    return hpo.Experiment(
        name="crashes",
        problems=[problem],
        **{**defaults, "budget": hpo.Budget(evaluations=8), **options},
    )


def test_a_crash_takes_no_time_on_a_simulated_clock(tmp_path: Path):
    clocks = []
    for place in ("one", "two"):
        result = hpo.run(
            experiment(Crashing(fails_above=2), execution="simulated"),
            out=tmp_path / place,
            device="cpu",
        )
        assert {"failed", "finished"} <= set(result.frame()["status"])
        clocks.append(result.reports()["clock_seconds"].tolist())
    assert clocks[0] == clocks[1]


def test_a_simulated_report_gives_the_state_of_its_own_epoch():
    segment = Segment(0, 0, {"x": 0.5, "kind": "a"}, 9, Stream(0).at("trial", 0))
    executor = SimulatedExecutor(Walk())
    executor.submit([segment])
    for _ in range(4):
        (report,) = executor.poll().reports
        assert report.state is not None
        assert report.state()["value"].item() == report.metrics["loss"]


@pytest.mark.parametrize("execution", ["lock-step", "simulated"])
def test_an_added_seed_begins_at_the_beginning_of_time(execution: str, tmp_path: Path):
    for seeds in ([0], [0, 1]):
        result = hpo.run(
            experiment(Walk(), execution=execution, seeds=seeds), out=tmp_path, device="cpu"
        )
    first = result.reports().groupby("seed")["clock_seconds"].min()
    last = result.reports().groupby("seed")["clock_seconds"].max()
    assert first[1] < last[0]


def test_a_checkpoint_is_written_within_a_segment_when_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    written: set[int] = set()
    save = Checkpoints.save

    def watched(self, states):
        written.update(epoch for _, epoch in states)
        save(self, states)

    monkeypatch.setattr(Checkpoints, "save", watched)
    hpo.run(experiment(Walk()), out=tmp_path, device="cpu")
    assert written == set(range(1, 9))  # nothing goes on from the last epoch
    assert not list(tmp_path.rglob("*.safetensors"))


@dataclasses.dataclass(frozen=True)
class Forgetful(Walk):
    """Says that it can resume, and gives no state."""

    name: str = "forgetful"

    def evaluate(self, segments, device="cpu") -> Evaluation:
        for reports in Walk.evaluate(self, segments, device):
            yield [dataclasses.replace(report, state=None) for report in reports]


def test_a_problem_that_pauses_without_a_state_is_named(tmp_path: Path):
    wrong = experiment(Forgetful(), strategies={"hyperband": hpo.Hyperband()})
    with pytest.raises(ProblemError, match=r"forgetful: trial \d+ was paused at epoch 1 without"):
        hpo.run(wrong, out=tmp_path, device="cpu")


def test_what_a_crash_left_of_ended_trials_is_swept_on_opening(tmp_path: Path):
    hpo.run(experiment(Walk()), out=tmp_path, device="cpu")
    Checkpoints(tmp_path).save({((1, 0), 9): {"w": torch.zeros(2)}})
    assert list(tmp_path.rglob("*.safetensors"))
    hpo.run(experiment(Walk()), out=tmp_path, device="cpu")
    assert not list(tmp_path.rglob("*.safetensors"))


def test_attempts_that_were_running_are_marked_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Store, "append_poll", lambda *_: (_ for _ in ()).throw(Stopped))
        hpo.run(experiment(Walk(), seeds=[0]), out=tmp_path, device="cpu")
    hpo.run(experiment(Walk(), seeds=[0]), out=tmp_path, device="cpu")
    with Store.read(tmp_path) as store:
        assert store.lost() == [(1, trial, 0, 0) for trial in range(3)]


def test_nothing_waits_for_a_slow_problem_while_another_has_news():
    asked: list[tuple[str, float | None]] = []

    @dataclasses.dataclass
    class Scripted:
        name: str
        news: bool

        def poll(self, timeout: float | None = None) -> Poll:
            asked.append((self.name, timeout))
            return Poll((Report(1, 0, 1, {"loss": 0.0}),)) if self.news else Poll()

    busy = object.__new__(loop.Loop)
    busy._executors = {"fast": Scripted("fast", True), "slow": Scripted("slow", False)}
    assert sum(len(poll.reports) for poll in busy._polls(["fast", "slow"], may_wait=True)) == 1
    assert asked == [("fast", 0.0), ("slow", 0.0)]


def test_a_trial_that_fails_while_training_again_is_charged_as_far_as_it_got():
    books = Ledger(RunInfo(1, SPACE, "loss", max_epochs=9, can_resume=False), Limits())
    config = {"x": 0.5, "kind": "a"}
    books.append_ask(books.grant(Ask((start(config, 3, ""),))))
    for epoch in (1, 2, 3):
        books.append_report(Report(1, 0, epoch, {"loss": 1.0}))
    books.append_outcome(Outcome(1, 0, "paused", 3))
    books.append_ask(books.grant(Ask((resume(0, 9),))))
    books.append_outcome(Outcome(1, 0, "failed", 2, "in silence"))
    assert books.spent == 3 + 3


def test_hyperband_shows_no_later_value_as_an_earlier_one():
    late = Trial(0, {"x": 0.5, "kind": "a"}, "paused", 9, epochs=(9,), values=(0.1,), value=0.1)
    others = [
        Trial(i, {"x": 0.1 * i, "kind": "a"}, "paused", 3, (1, 3), (2.0, 1.0), 1.0)
        for i in range(1, 5)
    ]
    seen = inner_view(Run(SPACE, max_epochs=9, trials=(late, *others))).trials
    assert seen[0].value is None
    assert seen[0].status == "running"
    assert [trial.value for trial in seen[1:]] == [1.0] * 4


def test_a_report_that_was_stored_before_a_crash_is_answered_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def study() -> hpo.Study:
        return hpo.Study(SPACE, Halving(rung=1), max_epochs=9, path=tmp_path)

    with study() as first:
        good, bad = first.ask(2)
        assert first.report(good.id, 1, 0.0)
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            patch.setattr(Store, "append_asks", lambda *_: (_ for _ in ()).throw(Stopped))
            first.report(bad.id, 1, 1.0)
    with study() as again:
        assert again.report(bad.id, 1, 1.0) is False
        assert again.trials[bad.id].status == "stopped"
        assert again.report(good.id, 2, 0.0)
