import os
import subprocess
import sys

import pytest
import torch
from threadpoolctl import threadpool_info

from hpo_research.threads import limited


def pools():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


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


def test_blocks_of_two_threads_may_overlap():
    before = pools()
    first, second = limited(), limited()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 1
    assert set(pools().values()) == {1}
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 2
    assert pools() == before


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
