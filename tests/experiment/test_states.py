"""States of every kind in an experiment: killed equals uninterrupted, or the trial fails."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import pytest
from odd import BAD, GIVE, Odd

import hpo_research as hpo
from hpo_research.experiment import loop
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Segment
from hpo_research.store import Store


class Killed(BaseException):
    pass


def experiment(*problems: Odd, **options: object) -> hpo.Experiment:
    known = {
        "strategies": {"hyperband": hpo.Hyperband()},
        "seeds": [0],
        "budget": hpo.Budget(evaluations=4),
    }
    return hpo.Experiment(name="odd", problems=problems, **{**known, **options})


def odd(kinds: Iterable[str], **options: object) -> list[Odd]:
    return [Odd(name=kind, kind=kind, max_epochs=3, **options) for kind in kinds]


def export(result: hpo.Result) -> list[pd.DataFrame]:
    return [
        frame[[c for c in frame if not c.endswith("_seconds")]]
        for frame in (result.frame(), result.reports())
    ]


def killed_at(patch: pytest.MonkeyPatch, at: int) -> None:
    count = iter(range(1, 1000))
    append = Store.append_poll

    def guarded(*arguments: object, **options: object) -> None:
        append(*arguments, **options)
        if next(count) == at:
            raise Killed

    patch.setattr(Store, "append_poll", guarded)


def test_killed_equals_uninterrupted_whatever_a_state_is_made_of(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    wanted = experiment(*odd(GIVE))
    whole = export(hpo.run(wanted, out=tmp_path / "whole", device="cpu"))
    assert set(whole[0]["status"]) == {"finished", "paused"}
    for at in (1, 2, 4):
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            killed_at(patch, at)
            hpo.run(wanted, out=folder, device="cpu")
        again = export(hpo.run(wanted, out=folder, device="cpu"))
        for expected, got in zip(whole, again, strict=True):
            pd.testing.assert_frame_equal(expected, got, check_exact=True)


def test_a_state_is_handed_down_alike_whatever_it_is_made_of(tmp_path):
    frame = hpo.run(experiment(*odd(GIVE)), out=tmp_path, device="cpu").reports()
    values = frame.pivot(index=["trial", "epoch"], columns="problem", values="metric.loss")
    assert (values.sub(values["plain"], axis=0).abs() < 1e-12).all(axis=None)


BY_WAY = {
    "lock-step": (BAD, {}),
    "simulated": (BAD, {"execution": "simulated"}),
    "asynchronous": (["a module"], {"execution": "asynchronous", "parallel": 2}),
}


@pytest.mark.parametrize(("kinds", "options"), BY_WAY.values(), ids=BY_WAY)
def test_a_state_that_cannot_be_kept_fails_its_trial(kinds, options, tmp_path):
    wanted = experiment(*odd(kinds), **options)
    result = hpo.run(wanted, out=tmp_path, device="cpu")
    assert result.is_finished
    frame, reports = result.frame(), result.reports()
    for kind in kinds:
        trials = frame[frame["problem"] == kind]
        paused = trials[trials["until"] == 1]
        assert set(paused["status"]) == {"failed"}
        words = f"the state at epoch 1 cannot be kept: {BAD[kind][1]}"
        assert paused["reason"].str.match(words).all()
        assert not reports[reports["problem"] == kind]["trial"].isin(paused["trial"]).any()
    again = hpo.run(wanted, out=tmp_path, device="cpu")
    pd.testing.assert_frame_equal(frame, again.frame())


def test_a_state_that_is_only_for_a_crash_is_missed_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_CHECKPOINT_SECONDS", 0.0)
    wanted = experiment(
        *odd(["a module"]), strategies={"r": hpo.Random()}, budget=hpo.Budget(evaluations=1)
    )
    with pytest.warns(UserWarning, match=r"a module, trial 0: the state at epoch 1 .*'net'\] is"):
        result = hpo.run(wanted, out=tmp_path, device="cpu")
    assert set(result.frame()["status"]) == {"finished"}


BROKEN: list[int] = []


@dataclass(frozen=True)
class Fault(Odd):
    """Breaks once, after a batch has changed its states in place."""

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        for reports in Odd.evaluate(self, segments, device):
            if len(segments) > 1 and segments[0].start and not BROKEN:
                BROKEN.append(1)
                raise RuntimeError("once")
            yield reports


def test_a_batch_that_is_trained_again_one_by_one_begins_from_untouched_states(tmp_path):
    plain = Odd(max_epochs=9)
    values = []
    for problem in (plain, Fault(**vars(plain))):
        wanted = experiment(problem, budget=hpo.Budget(evaluations=6))
        out = tmp_path / type(problem).__name__
        values.append(hpo.run(wanted, out=out, device="cpu").reports()["metric.loss"])
    assert BROKEN
    pd.testing.assert_series_equal(*values, check_exact=True)
