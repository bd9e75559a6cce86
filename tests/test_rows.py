"""Rows: a tuple in every respect but the cost, and indices that never show that they are kept."""

import copy
import gc
import pickle
import threading
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.rows import Rows, forget, kept

FEW = settings(max_examples=40, deadline=None)
edits = st.lists(
    st.tuples(st.dictionaries(st.integers(0, 1200), st.integers()), st.integers(0, 400)),
    max_size=6,
)


class Sums:
    """The sum of all rows, and how often a row was entered."""

    def __init__(self, most: int | None = None) -> None:
        self.sum = self.entered = 0
        self.most = most

    def enter(self, number: int, old: int | None, new: int) -> bool:
        self.entered += 1
        self.sum += new - (old or 0)
        return old is None or self.most is None or new <= self.most


def versions(edits):
    """Rows and the tuples that they are to equal, each from the one before."""
    rows, plain = Rows(range(5)), list(range(5))
    yield rows, tuple(plain)
    for changed, added in edits:
        own = {number: row for number, row in changed.items() if number < len(plain)}
        more = [7 * k for k in range(added)]
        rows = rows.changed(own, more)
        for number, row in own.items():
            plain[number] = row
        plain += more
        yield rows, tuple(plain)


@FEW
@given(edits, st.integers(-50, 1500), st.integers(-50, 1500), st.sampled_from([1, 3, -2]))
def test_rows_are_a_tuple(edits, low, high, step):
    for rows, plain in list(versions(edits)):
        assert rows == plain and plain == rows and len(rows) == len(plain)
        assert (*rows,) == plain and tuple(reversed(rows)) == plain[::-1]
        assert rows[low:high:step] == plain[low:high:step] and rows[:] == plain
        assert rows + plain == plain + plain == plain + rows
        assert all(rows[k] == plain[k] for k in (0, 3, -1, -5, len(plain) - 1))
        assert (repr(rows), hash(rows)) == (repr(plain), hash(plain))
        assert Rows(plain) == rows != (*plain, 0)


@pytest.mark.parametrize("place", [3, -4])
def test_a_row_that_is_not_there_is_refused(place):
    with pytest.raises(IndexError, match=f"row {place} of 3"):
        Rows("abc")[place]


@pytest.mark.parametrize("number", [-1, 3])
def test_a_row_that_is_not_there_cannot_be_changed(number):
    with pytest.raises(IndexError, match="rows 0 to 2 can be changed, got"):
        Rows("abc").changed({number: "d"})


@FEW
@given(edits, st.randoms(use_true_random=False), st.sampled_from([None, 10]))
def test_an_index_says_of_any_rows_in_any_order_what_a_new_one_says(edits, random, most):
    every = list(versions(edits)) * 2
    random.shuffle(every)
    for rows, plain in every:
        with kept(rows, ("sums", most), lambda: Sums(most)) as index:
            assert index.sum == sum(plain)
        if random.random() < 0.2:
            forget(rows)


def test_only_what_changed_is_entered():
    rows = Rows(range(20_000))
    with kept(rows, "sums", Sums) as index:
        assert index.entered == 20_000
    with kept(rows.changed({7: 1, 19_999: 2}, [5]), "sums", Sums) as index:
        assert (index.entered, index.sum) == (20_003, sum(range(20_000)) - 7 + 1 - 19_999 + 2 + 5)


def test_histories_that_part_do_not_mix():
    stem = Rows(range(40))
    with kept(stem, "sums", Sums):
        pass
    one, other = stem.changed({3: 100}, [1]), stem.changed({3: 500, 4: 0}, [2, 3])
    for rows in (one, other, stem, other, one):
        with kept(rows, "sums", Sums) as index:
            assert index.sum == sum(rows)


def test_an_index_that_was_being_advanced_when_something_failed_is_not_used_again():
    rows = Rows(range(5))
    with pytest.raises(ValueError, match="here"), kept(rows, "sums", Sums) as index:
        index.sum = 77
        raise ValueError("here")
    with kept(rows, "sums", Sums) as index:
        assert index.sum == 10


def test_a_block_inside_a_block_has_an_index_of_its_own():
    rows = Rows(range(5))
    later = rows.changed({}, [100])
    with kept(rows, "sums", Sums) as index, kept(later, "sums", Sums) as other:
        assert (index.sum, other.sum) == (10, 110)
    with kept(later, "sums", Sums) as index:
        assert index.sum == 110


def test_threads_that_ask_at_once_all_get_the_right_answer():
    every, wrong = list(versions([({k: k}, 3) for k in range(60)])), []

    def look():
        for rows, plain in every * 3:
            with kept(rows, "sums", Sums) as index:
                if index.sum != sum(plain):
                    wrong.append(len(plain))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_copy_carries_no_index(copied):
    rows = Rows(range(100))
    with kept(rows, "sums", Sums):
        pass
    assert copied(rows) == rows
    with kept(copied(rows), "sums", Sums) as index:
        assert index.entered == 100
    assert b"Sums" not in pickle.dumps(rows)


def test_an_index_goes_with_the_last_of_its_rows():
    rows = Rows(range(100)).changed({3: 1})
    with kept(rows, "sums", Sums) as index:
        gone = weakref.ref(index)
    del index
    gc.disable()
    try:
        later = rows.changed({4: 1})
        del rows
        assert gone() is not None
        del later
        assert gone() is None
    finally:
        gc.enable()


def test_no_more_than_some_indices_are_kept():
    rows = Rows(range(3))
    alive = []
    for number in range(100):
        with kept(rows, ("sums", number), Sums) as index:
            alive.append(weakref.ref(index))
    del index
    assert sum(reference() is not None for reference in alive) == 32
    assert alive[-1]() is not None


def test_a_tuple_keeps_nothing():
    for _ in range(2):
        with kept((1, 2), "sums", Sums) as index:
            assert (index.sum, index.entered) == (3, 2)
