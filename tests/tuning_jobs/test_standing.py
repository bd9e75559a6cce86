"""How a job stands, from its folder alone."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from doubles import Walk

from hpo_research import Budget, Categorical, Experiment, Float, Random, SearchSpace, run
from hpo_research.errors import DocumentError
from hpo_research.experiment.ending import never
from hpo_research.sagemaker.standing import ERROR, NO_SUCCESS, standing
from hpo_research.store import Store, lock, requests
from hpo_research.store.overview import SESSIONS, Session, noted

HOLDS = """
import sys, time
from pathlib import Path
from hpo_research.store import lock
held = lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


WORKS = Walk(fails_above=2)
FAILS = Walk(fails_above=0, space=SearchSpace(x=Float(0.5, 1), kind=Categorical(["c"])))


def job(home, problem=WORKS, *, trials=2, ends=never, asked=""):
    """Run a job in a folder, as far as it goes."""
    home.mkdir(exist_ok=True)
    (home / "job.json").write_text("{}")
    experiment = Experiment(
        "job", [problem], {"random": Random()}, seeds=[0], budget=Budget(trials=trials), parallel=1
    )
    if asked:
        requests.write(home, requests.Request(tuple(experiment.run_names()), asked))
    run(experiment, out=home, progress=False, ends=ends)


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    home = tmp_path_factory.mktemp("jobs") / "completed"
    job(home)
    return home


@pytest.fixture
def home(completed, tmp_path):
    shutil.copytree(completed, tmp_path / "job")
    return tmp_path / "job"


def contents(home):
    """The files of a folder and their times, but for what SQLite's readers share."""
    files = (path for path in home.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm")
    return {path: path.stat().st_mtime_ns for path in files}


def cut(home):
    """Let the run of a folder be as if its process had ended before it."""
    with Store.write(home) as store, store._transaction():
        store._writer.over(1, is_over=False)
    return home


def test_a_folder_without_a_job_is_refused(tmp_path):
    with pytest.raises(DocumentError, match=r"there is no tuning job \(job.json is missing\)"):
        standing(tmp_path)


def test_a_job_that_has_not_begun_is_in_progress(tmp_path):
    (tmp_path / "job.json").write_text("{}")
    found = standing(tmp_path)
    assert (found.status, found.reason, found.is_running) == ("InProgress", "", False)
    assert found.created == found.modified
    assert found.ended is None


def test_a_job_whose_jobs_are_all_done_is_completed(completed):
    found = standing(completed)
    assert (found.status, found.reason, found.is_over) == ("Completed", "", True)
    assert found.created <= found.ended <= datetime.now(UTC) + timedelta(seconds=5)
    assert found.modified == found.ended
    assert not found.is_running


def test_a_job_that_nobody_runs_says_so(home):
    found = standing(cut(home))
    assert (found.status, found.is_over, found.ended) == ("InProgress", False, None)
    assert found.detail == "no process runs it; the same command resumes"


def test_a_job_that_another_process_runs_is_running(home):
    cut(home)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert standing(home).is_running
        assert standing(home).detail == ""
        requests.write(home, requests.Request((), "enough"))
        assert (standing(home).status, standing(home).reason) == ("Stopping", "enough")
        holder.kill()
        holder.wait()
        assert not standing(home).is_running
        assert (standing(home).status, standing(home).reason) == ("Stopped", "enough")


def test_looking_at_a_lock_turns_nobody_away(home):
    held = lock.acquire(home)
    assert lock.is_held(home)
    held.release()
    assert not lock.is_held(home)
    lock.acquire(home).release()


def test_a_lock_that_names_a_process_that_is_another_now_is_free(home):
    (home / lock.FILE).write_text(f"process {os.getppid()} on {os.uname().nodename}\n")
    assert not lock.is_held(home)


def test_a_lock_of_another_machine_is_believed(home):
    (home / lock.FILE).write_text("process 1 on elsewhere.example\n")
    assert lock.is_held(home)


def test_a_job_that_was_asked_to_stop_is_stopped(tmp_path):
    job(tmp_path / "job", asked="enough")
    found = standing(tmp_path / "job")
    assert (found.status, found.reason) == ("Stopped", "enough")


def test_a_job_that_a_rule_ends_is_completed(tmp_path):
    job(tmp_path / "job", trials=9, ends=lambda run: "two are enough" if len(run.trials) else "")
    found = standing(tmp_path / "job")
    assert (found.status, found.reason) == ("Completed", "two are enough")


def test_a_job_without_success_has_failed_and_names_the_last_error(tmp_path):
    home = tmp_path / "job"
    (home / "jobs" / "000").mkdir(parents=True)
    log = home / "jobs" / "000" / "output.log"
    log.write_text("no data\n")
    job(home, FAILS, trials=9, ends=lambda run: NO_SUCCESS if len(run.trials) > 1 else "")
    found = standing(home)
    assert (found.status, found.reason) == ("Failed", NO_SUCCESS)
    assert found.detail.startswith("trial 0: loss is nan")
    assert found.detail.endswith(f"; its log is {log}")


def test_a_job_of_which_all_jobs_failed_has_failed(tmp_path):
    job(tmp_path / "job", FAILS)
    found = standing(tmp_path / "job")
    assert (found.status, found.reason) == ("Failed", "No training job succeeded.")
    assert found.detail.startswith("trial 1: loss is nan")


def test_an_error_that_ended_the_process_is_a_failure_until_it_goes_on(home):
    cut(home)
    (home / ERROR).write_text("StrategyError: nothing fits\n")
    found = standing(home)
    assert (found.status, found.reason) == ("Failed", "StrategyError: nothing fits")
    held = lock.acquire(home)
    assert standing(home).status == "InProgress"
    held.release()


def test_times_are_those_of_the_session_in_which_the_clock_read_so(home):
    first = datetime(2026, 11, 30, 8, tzinfo=UTC)
    second = first + timedelta(days=1)
    with Store.write(home) as store:
        store.set_meta({SESSIONS: noted([Session(first, 0.0), Session(second, 0.5)])})
    found = standing(home)
    assert found.created == first
    assert found.date(0.25) == first + timedelta(seconds=0.25)
    assert found.date(60.5) == second + timedelta(seconds=60)
    assert found.ended == found.date(found.seen.clock)


def test_looking_writes_nothing(home):
    before = contents(home)
    standing(home)
    assert contents(home) == before
