"""Who shares a study: threads are served, children and copies refused, what is lost is closed."""

import asyncio
import copy
import os
import pickle
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import pytest

import hpo_research as hpo
from hpo_research.errors import StudyError
from hpo_research.store import Store

LINE = hpo.SearchSpace(x=hpo.Float(0, 1))
WHERE = pytest.mark.parametrize("where", ["memory", "disk"])


def opened(folder: Path, where: str = "disk", **options: object) -> hpo.Study:
    path = folder / "study" if where == "disk" else None
    return hpo.Study(LINE, hpo.Random(), path=path, **options)


# --- threads ---


@WHERE
def test_threads_that_ask_and_tell_get_every_trial_once(tmp_path: Path, where: str):
    study = opened(tmp_path, where, max_epochs=2)
    each, threads = 12, 6
    start = threading.Barrier(threads)

    def work(_: int) -> list[int]:
        start.wait()
        got = []
        for turn in range(each):
            (trial,) = study.ask()
            got.append(trial.id)
            assert study.report(trial.id, 1, trial.config["x"])
            assert study.best is not None
            if turn % 3:
                study.tell(trial.id, trial.config["x"])
            else:
                study.fail(trial.id, "by hand")
                study.enqueue({"x": 0.5})
        return got

    with ThreadPoolExecutor(threads) as pool:
        got = [trial for own in pool.map(work, range(threads)) for trial in own]
    assert sorted(got) == list(range(each * threads))
    assert Counter(trial.status for trial in study.trials) == {"failed": 24, "finished": 48}
    frame = study.frame()
    study.close()
    if where == "disk":
        with opened(tmp_path, max_epochs=2) as again:
            assert again.frame().equals(frame)
            assert len(again.ask(30)) == 30
            assert sum(trial.origin == "enqueued" for trial in again.trials) == 24


@WHERE
def test_an_event_loop_asks_and_tells_in_a_thread(tmp_path: Path, where: str):
    async def one(study: hpo.Study) -> None:
        (trial,) = await asyncio.to_thread(study.ask)
        await asyncio.to_thread(study.tell, trial.id, trial.config["x"])

    async def all_of_them(study: hpo.Study) -> None:
        await asyncio.gather(*(one(study) for _ in range(8)))

    with opened(tmp_path, where) as study:
        asyncio.run(all_of_them(study))
        assert [trial.status for trial in study.trials] == ["finished"] * 8


def test_a_study_can_be_closed_by_another_thread(tmp_path: Path):
    study = opened(tmp_path)
    thread = threading.Thread(target=study.close)
    thread.start()
    thread.join()
    opened(tmp_path).close()


# --- children ---


def said_by_a_child(act: Callable[[], object]) -> str:
    """What a forked child says that acts: the name and text of its error, or `nothing`."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "nothing"
        try:
            act()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(theirs, said.encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as pipe:
        said = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said


ACTS: dict[str, Callable[[hpo.Study], object]] = {
    "ask": lambda study: study.ask(),
    "tell": lambda study: study.tell(0, 0.5),
    "report": lambda study: study.report(0, 1, 0.5),
    "fail": lambda study: study.fail(0, "why"),
    "enqueue": lambda study: study.enqueue({"x": 0.5}),
    "close": lambda study: study.close(),
}


@WHERE
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_child_is_refused_and_told_what_to_do(
    tmp_path: Path, where: str, act: Callable[[hpo.Study], object]
):
    with opened(tmp_path, where) as study:
        study.ask(2)
        said = said_by_a_child(lambda: act(study))
        assert said.startswith(f"StudyError: the study belongs to process {os.getpid()}, and this")
        assert "return the value to that process" in said
        assert [trial.id for trial in study.pending] == [0, 1]
        study.tell(0, 0.5)
        if where == "disk":
            with pytest.raises(hpo.HpoError, match="is writing to it"):
                opened(tmp_path)


def test_a_child_may_look_and_leave_while_a_thread_of_its_parent_acts(tmp_path: Path):
    def look() -> None:
        with study:
            assert [trial.id for trial in study.pending] == [0, 1]
            assert study.best is None and len(study.frame()) == 2 and not study.is_finished

    with opened(tmp_path) as study:
        study.ask(2)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with study._turns.one():
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        said = said_by_a_child(look)
        done.set()
        thread.join()
        assert said == "nothing"
        study.tell(0, 0.5)


def test_a_child_that_forgets_the_study_takes_nothing_from_its_parent(tmp_path: Path):
    held = [opened(tmp_path)]
    held[0].ask(2)
    before = sorted(file.name for file in (tmp_path / "study").iterdir())
    assert said_by_a_child(held.clear) == "nothing"
    assert sorted(file.name for file in (tmp_path / "study").iterdir()) == before
    held[0].tell(0, 0.5)
    held[0].close()
    with opened(tmp_path) as study:
        assert [trial.status for trial in study.trials] == ["finished", "running"]


@pytest.mark.parametrize(
    "copies",
    [copy.copy, copy.deepcopy, pickle.dumps, cloudpickle.dumps],
    ids=["copy", "deepcopy", "pickle", "cloudpickle"],
)
@WHERE
def test_a_study_cannot_be_copied(
    tmp_path: Path, where: str, copies: Callable[[hpo.Study], object]
):
    with (
        opened(tmp_path, where) as study,
        pytest.raises(StudyError, match=r"cannot be pickled or copied.*tell here what they return"),
    ):
        copies(study)


# --- what is lost or interrupted ---


def test_a_lost_study_gives_back_its_folder(tmp_path: Path):
    opened(tmp_path).ask(2)
    with opened(tmp_path) as study:
        assert len(study.pending) == 2


@WHERE
@pytest.mark.parametrize("method", ["append_asks", "append_poll", "set_meta"])
@pytest.mark.parametrize("is_stored", [False, True], ids=["before", "after"])
def test_an_interrupt_beside_the_store_leaves_books_and_store_alike(
    tmp_path: Path, where: str, method: str, is_stored: bool, monkeypatch: pytest.MonkeyPatch
):
    def stores(self: Store, *given: object) -> None:
        if is_stored:
            original(self, *given)
        raise KeyboardInterrupt

    original = getattr(Store, method)
    acts = {"append_asks": "ask", "append_poll": "tell", "set_meta": "enqueue"}
    with opened(tmp_path, where) as study:
        study.ask()
        with monkeypatch.context() as patch:
            patch.setattr(Store, method, stores)
            with pytest.raises(KeyboardInterrupt):
                ACTS[acts[method]](study)
        study.tell(0, 0.5)
        first = study.ask(2)
        assert [trial.id for trial in study.trials] == list(range(len(study.trials)))
        enqueued = is_stored and method == "set_meta"
        assert [trial.origin for trial in first].count("enqueued") == enqueued
        assert len(study.trials) == 3 + (is_stored and method == "append_asks")


# --- the queue ---


def test_a_queue_from_before_it_had_rows_is_served(tmp_path: Path):
    with opened(tmp_path) as study:
        study.ask()
        study._store.set_meta({"queue": '[{"x": 0.25}, {"x": 0.5}]'})
    with opened(tmp_path) as study:
        study.enqueue({"x": 0.75})
    with opened(tmp_path) as study:
        assert [trial.config["x"] for trial in study.ask(4)[:3]] == [0.25, 0.5, 0.75]
    with opened(tmp_path) as study:
        assert study.ask()[0].origin == "uniform"


def test_an_enqueued_configuration_is_stored_once(tmp_path: Path):
    with opened(tmp_path) as study:
        sizes = []
        for _ in range(3):
            study.enqueue({"x": 0.5})
            sizes.append(len(study._store.series("queue/")))
        assert sizes == [1, 2, 3]


def test_threads_report_to_a_strategy_that_stops_trials():
    study = hpo.Study(LINE, hpo.MedianStopping(hpo.Random()), max_epochs=9)
    trials = study.ask(6)

    def train(trial: hpo.Trial) -> None:
        for epoch in range(1, 10):
            if not study.report(trial.id, epoch, trial.config["x"] + trial.id):
                return

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(train, trials))
    assert {trial.status for trial in study.trials} <= {"stopped", "finished"}
