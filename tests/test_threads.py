import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import threadpool_info

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
