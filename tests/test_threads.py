import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

import hpo_research as hpo
from hpo_research import threads
from hpo_research.threads import limited


def pools():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


def blas():
    return {p["filepath"]: p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_torch_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_every_library_runs_on_one_thread_inside_the_block():
    with limited():
        assert torch.get_num_threads() == 1
        assert set(pools().values()) == {1}


def test_more_threads_can_be_asked_for():
    with limited(2):
        assert torch.get_num_threads() == 2


def test_the_counts_are_restored_after_the_block():
    before = pools()
    with limited():
        pass
    assert torch.get_num_threads() == 2
    assert pools() == before


def test_the_counts_are_restored_after_an_error():
    before = pools()
    with pytest.raises(ZeroDivisionError), limited():
        _ = 1 / 0
    assert torch.get_num_threads() == 2
    assert pools() == before


def test_blocks_can_be_nested():
    with limited(2):
        with limited(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2


def test_torch_is_limited_where_it_is_loaded_inside_a_block():
    code = """
import sys
from hpo_research.threads import limited
with limited():
    assert "torch" not in sys.modules
    import torch
    assert torch.get_num_threads() == 1
assert torch.get_num_threads() == 2, torch.get_num_threads()
finders = len(sys.meta_path)
with limited():
    assert torch.get_num_threads() == 1
assert torch.get_num_threads() == 2 and len(sys.meta_path) == finders
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


BLAS_OF_SCIPY = sorted(Path(find_spec("scipy").origin).parents[1].glob("scipy.libs/lib*openblas*"))


@pytest.mark.skipif(not BLAS_OF_SCIPY, reason="this SciPy brings no BLAS of its own")
def test_a_library_that_is_loaded_between_two_blocks_is_limited_in_the_second():
    code = """
import ctypes, sys
from threadpoolctl import threadpool_info
from hpo_research.threads import limited
counts = lambda: {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
with limited():
    before = counts()
modules = {*sys.modules}
ctypes.CDLL(sys.argv[1])
assert modules == {*sys.modules} and set(before.values()) <= {1}
with limited():
    after = counts()
    assert len(after) > len(before) and set(after.values()) == {1}, after
assert 2 in counts().values(), counts()
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code, str(BLAS_OF_SCIPY[0])]
    subprocess.run(command, env=environment, check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the linker counts what it loads")
def test_an_ask_with_nothing_loaded_anew_does_not_read_the_memory_map(monkeypatch):
    study, looks = hpo.Study(hpo.SearchSpace(x=hpo.Float(0, 1)), hpo.Random()), []
    look = threads.ThreadpoolController
    monkeypatch.setattr(threads, "ThreadpoolController", lambda: looks.append(1) or look())
    monkeypatch.setattr(threads._limits, "_pools", threads._Pools())
    for expected in (1, 1, 1):
        (trial,) = study.ask()
        study.tell(trial.id, 0.5)
        assert len(looks) == expected


def test_where_nothing_says_what_was_loaded_every_block_looks(monkeypatch):
    looks, look = [], threads.ThreadpoolController
    monkeypatch.setattr(threads, "ThreadpoolController", lambda: looks.append(1) or look())
    monkeypatch.setattr(threads, "_IS_LINUX", False)
    monkeypatch.setattr(threads._limits, "_pools", threads._Pools())
    for expected in (1, 2):
        with limited():
            assert len(looks) == expected and set(pools().values()) == {1}


def test_a_function_can_be_limited():
    assert limited()(torch.get_num_threads)() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("counts", [(2, 2), (2, 3)], ids=["alike", "each its own"])
def test_blocks_of_two_threads_may_overlap(counts):
    before = pools()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
        for thread, count in zip((one, two), counts, strict=True):
            thread.submit(torch.set_num_threads, count).result()
            thread.submit(torch.get_num_threads).result()  # before this, another's count is its own
        first, second = limited(), limited()
        one.submit(first.__enter__).result()
        two.submit(second.__enter__).result()
        one.submit(first.__exit__, None, None, None).result()
        assert two.submit(torch.get_num_threads).result() == 1
        assert set(two.submit(blas).result().values()) == {1}
        two.submit(second.__exit__, None, None, None).result()
        assert [t.submit(torch.get_num_threads).result() for t in (one, two)] == [*counts]
    assert pools() == before


@pytest.mark.parametrize("ends", [(0, 1), (1, 0)], ids=["first out", "last out"])
def test_threads_that_torch_first_sees_inside_a_block_are_the_users(ends):
    before, torch_before = pools(), torch.get_num_threads()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
        threads, blocks = (one, two), (limited(), limited())
        for thread, block in zip(threads, blocks, strict=True):
            thread.submit(block.__enter__).result()
        for i in ends:
            threads[i].submit(blocks[i].__exit__, None, None, None).result()
        counts = [thread.submit(torch.get_num_threads).result() for thread in threads]
        assert counts == [torch_before] * 2
    with ThreadPoolExecutor(1) as new:
        assert new.submit(torch.get_num_threads).result() == torch_before
    assert pools() == before
