"""Six workers at one object: nothing is lost, nothing is done twice, and no error but what is to be expected."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import chain
from typing import Any, Final

import pytest

from persistent_collections import Backend
from persistent_collections.testing.contention import assert_each_once
from persistent_collections.testing.crew import Crew, connect, take_place
from tests.collections import jobs
from tests.collections.jobs import marks, the_dict, the_list, the_set

WORKERS: Final = 6
FIRST, LAST = "first", "last"


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    spawn = multiprocessing.get_context("spawn")
    start = (spawn.Barrier(WORKERS),)
    with ProcessPoolExecutor(WORKERS, mp_context=spawn, initializer=take_place, initargs=start) as pool:
        yield pool


@pytest.fixture(
    params=[
        15,
        pytest.param(50, marks=pytest.mark.slow),
        pytest.param(150, marks=[pytest.mark.slow, pytest.mark.proof]),
    ]
)
def crew(backend: Backend, request: pytest.FixtureRequest) -> Iterator[Crew]:
    """Give the workers: processes, or threads where the store is in the process."""
    if not backend.in_process:
        pool = request.getfixturevalue("processes")
        yield Crew(pool, partial(connect, type(backend), backend.url), WORKERS, request.param)
        return
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within a call too
    start = (threading.Barrier(WORKERS),)
    with ThreadPoolExecutor(WORKERS, initializer=take_place, initargs=start) as threads:
        yield Crew(threads, lambda: nullcontext(backend), WORKERS, request.param)
    sys.setswitchinterval(interval)


def every(crew: Crew, job: Callable[[Backend, int, int], list[Any]]) -> list[Any]:
    """Let the workers do a job and return all their results."""
    return list(chain.from_iterable(crew.run(job)))


def test_no_item_appended_is_lost_and_each_workers_stay_in_their_order(backend: Backend, crew: Crew) -> None:
    crew.run(jobs.append)
    items = the_list(backend)[:]
    assert_each_once(items, marks(WORKERS, crew.times))
    for worker in range(WORKERS):
        assert [number for who, number in items if who == worker] == list(range(crew.times))


def test_items_that_extend_a_list_stay_together(backend: Backend, crew: Crew) -> None:
    crew.run(jobs.extend)
    items = the_list(backend)[:]
    assert items[::2] == items[1::2]
    assert_each_once(items[::2], marks(WORKERS, crew.times))


@pytest.mark.parametrize(("job", "copies"), [(jobs.insert, 1), (jobs.put_in_between, 2)])
def test_no_item_inserted_in_the_middle_is_lost(backend: Backend, crew: Crew, job: Any, copies: int) -> None:
    the_list(backend)[:] = [FIRST, LAST]
    crew.run(job)
    first, *items, last = the_list(backend)
    assert (first, last) == (FIRST, LAST)
    assert items[::copies] == items[copies - 1 :: copies], "what one assignment put in stays together"
    assert_each_once(items[::copies], marks(WORKERS, crew.times))


@pytest.mark.parametrize(("job", "left"), [(jobs.pop_last, []), (jobs.pop_second, [FIRST]), (jobs.pop_until_empty, [])])
def test_no_item_is_popped_twice_or_lost(backend: Backend, crew: Crew, job: Any, left: list[str]) -> None:
    the_list(backend)[:] = [*left, *marks(WORKERS, crew.times)]
    assert_each_once(every(crew, job), marks(WORKERS, crew.times))
    assert the_list(backend) == left


@pytest.mark.parametrize(("job", "copies"), [(jobs.delete_second, 1), (jobs.cut_two, 2)])
def test_each_deletion_deletes_what_it_says_once(backend: Backend, crew: Crew, job: Any, copies: int) -> None:
    the_list(backend)[:] = [FIRST, *marks(WORKERS, crew.times * copies), LAST]
    crew.run(job)
    assert the_list(backend) == [FIRST, LAST]


def test_an_item_is_removed_by_one_worker(backend: Backend, crew: Crew) -> None:
    the_list(backend)[:] = [FIRST, *marks(1, crew.times), LAST]
    assert_each_once(every(crew, jobs.remove_the_same), marks(1, crew.times))
    assert the_list(backend) == [FIRST, LAST]


@pytest.mark.parametrize("job", [jobs.append_or_reverse, jobs.append_or_sort])
def test_reversing_and_sorting_lose_nothing(backend: Backend, crew: Crew, job: Any) -> None:
    crew.run(job)
    assert_each_once(the_list(backend), marks(WORKERS, crew.times))


def test_all_agree_on_what_setdefault_stored(backend: Backend, crew: Crew) -> None:
    first, *others = crew.run(jobs.setdefault)
    assert all(other == first for other in others)
    assert the_dict(backend) == dict(enumerate(first))


def test_no_update_is_lost_or_torn(backend: Backend, crew: Crew) -> None:
    crew.run(jobs.update)
    held = the_dict(backend).copy()
    assert_each_once((key for key in held if isinstance(key, tuple)), marks(WORKERS, crew.times))
    assert all(held[number] in range(WORKERS) for number in range(crew.times))


def test_popitem_gives_each_item_to_one_worker(backend: Backend, crew: Crew) -> None:
    items = {mark: number for number, mark in enumerate(marks(WORKERS, crew.times))}
    the_dict(backend).update(items)
    assert_each_once(every(crew, jobs.popitem), items.items())
    assert not the_dict(backend)


@pytest.mark.parametrize("job", [jobs.pop_the_same_keys, jobs.delete_the_same_keys])
def test_a_key_is_popped_or_deleted_by_one_worker(backend: Backend, crew: Crew, job: Any) -> None:
    the_dict(backend).update({number: number for number in range(crew.times)})
    assert_each_once(every(crew, job), range(crew.times))
    assert not the_dict(backend)


def test_no_increment_is_lost_and_no_sum_given_twice(backend: Backend, crew: Crew) -> None:
    assert_each_once(every(crew, jobs.increment), range(1, WORKERS * crew.times + 1))
    assert_each_once(every(crew, jobs.increment_by_half), [n / 2 for n in sums_in_halves(crew)])


def sums_in_halves(crew: Crew) -> range:
    """Return twice what adding a half so often gives, after adding one so often."""
    added = WORKERS * crew.times
    return range(2 * added + 1, 3 * added + 1)


def test_members_added_and_discarded_by_some_are_as_they_left_them(backend: Backend, crew: Crew) -> None:
    crew.run(jobs.add_and_discard)
    assert the_set(backend) == {mark for mark in marks(WORKERS, crew.times) if mark[1] % 2 == 0}


def test_a_member_is_removed_by_one_worker(backend: Backend, crew: Crew) -> None:
    the_set(backend).update(marks(1, crew.times))
    assert_each_once(every(crew, jobs.remove_the_same_members), marks(1, crew.times))
    assert not the_set(backend)


def test_a_member_is_popped_by_one_worker(backend: Backend, crew: Crew) -> None:
    the_set(backend).update(marks(WORKERS, crew.times))
    assert_each_once(every(crew, jobs.pop_members), marks(WORKERS, crew.times))
    assert not the_set(backend)


@pytest.mark.parametrize("job", [jobs.append_inside, jobs.edit])
def test_no_change_inside_a_value_is_lost(backend: Backend, crew: Crew, job: Any) -> None:
    the_dict(backend)["k"] = {"in": []}
    crew.run(job)
    assert_each_once(the_dict(backend)["k"]["in"], marks(WORKERS, crew.times))


def test_no_change_inside_an_item_by_an_operator_is_lost(backend: Backend, crew: Crew) -> None:
    the_list(backend)[:] = [FIRST, [], LAST]
    crew.run(jobs.add_inside)
    assert_each_once(the_list(backend)[1], marks(WORKERS, crew.times))


def test_one_handle_serves_threads_at_once(backend: Backend) -> None:
    mapping, items, times = the_dict(backend), the_list(backend), 30
    mapping["k"] = []

    def add(mark: jobs.Mark) -> None:
        mapping["k"] += [mark]

    def work(worker: int) -> None:
        for number in range(times):
            items.append((worker, number))
            jobs.retried(add, (worker, number))
            mapping.increment("n")
            if number % 10 == 0:
                items.sort(key=repr)

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, range(WORKERS)))
    assert_each_once(items, marks(WORKERS, times))
    assert_each_once(mapping["k"], marks(WORKERS, times))
    assert mapping["n"] == WORKERS * times
