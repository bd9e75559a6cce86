"""A copied results folder is another one: its run leaves the processes of the original alone."""

import shutil
import subprocess
from pathlib import Path

import pytest
from doubles import Walk

import hpo_research as hpo
from hpo_research.device import Compute
from hpo_research.executors.choice import executor_for
from hpo_research.executors.processes import process_tree
from hpo_research.executors.processes.executor import ProcessExecutor
from hpo_research.store import Store


def experiment() -> hpo.Experiment:
    return hpo.Experiment(
        name="copied",
        problems=[Walk()],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(evaluations=1),
    )


def test_only_the_folder_itself_ends_the_survivors_of_its_killed_run(tmp_path: Path):
    hpo.run(experiment(), out=tmp_path / "original", device="cpu")
    with Store.write(tmp_path / "original") as store:
        environment = process_tree.environment(1, store.tag)
        process = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)
        known = process_tree.identity(process.pid)
        assert known is not None
        store.add_process(known.pid, known.created, known.host)
        shutil.copytree(tmp_path / "original", tmp_path / "copy")
        hpo.run(experiment(), out=tmp_path / "copy", device="cpu")  # while the original runs
    shutil.copytree(tmp_path / "original", tmp_path / "later")  # and when it was killed
    hpo.run(experiment(), out=tmp_path / "later", device="cpu")
    assert process.poll() is None
    (tmp_path / "original").rename(tmp_path / "moved")
    hpo.run(experiment(), out=tmp_path / "moved", device="cpu")
    assert process_tree.identity(known.pid) is None
    process.wait(10)


@pytest.mark.parametrize("execution", ["lock-step", "asynchronous"])
def test_worker_processes_belong_to_the_folder_of_their_store(tmp_path: Path, execution: str):
    problem = hpo.FunctionProblem(lambda config: 0.0, hpo.SearchSpace(x=hpo.Float(0, 1)))
    with Store.write(tmp_path) as store:
        executor = executor_for(problem, execution, Compute(), store)
        assert isinstance(executor, ProcessExecutor)
        found = (tmp_path / "lock").stat()
        assert executor._owner == store.tag == f"{found.st_dev}:{found.st_ino}"
    assert process_tree.environment(1, "64:1")[process_tree.TAG] == "64:1"
