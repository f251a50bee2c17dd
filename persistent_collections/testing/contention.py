"""The suite in which several processes, or threads, use one store."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import chain
from typing import ClassVar, Final, TypeVar

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.testing import index_jobs, jobs, record_jobs
from persistent_collections.testing.backends.base import exists, put
from persistent_collections.testing.crew import Crew, Job, connect, take_place
from persistent_collections.testing.jobs import CHILD, FIRST, KEY, LAST, mark

__all__ = ["ContentionSuite"]

T = TypeVar("T")

LONG_S: Final = int(os.environ.get("CONTENTION_S", "4"))
"""For how many seconds the slow tests write and read."""


class ContentionSuite:
    """Tests that every method is one atomic step: nothing is lost or done twice, and no reader sees half of a write.

    Subclass it beside :class:`~persistent_collections.testing.backends.BackendSuite`, with the same fixture
    ``backend``::

        class TestShelfUnderContention(ContentionSuite):
            @pytest.fixture
            def backend(self, tmp_path):
                with ShelfBackend(tmp_path / "shelf") as backend:
                    yield backend

    The workers are processes. Each makes a backend of the same class from ``backend.url``, so the class must be
    importable. That URL has no password; if it does not reach the store, write a fixture ``backend_url`` that returns
    one that does. For a store that is ``in_process``, the workers are threads.

    Attributes:
        workers: The number of workers.
        times: How often each calls a method.
        slow_times: How often each calls it in the tests that are marked ``slow``.
    """

    workers: ClassVar[int] = 6
    times: ClassVar[int] = 33
    slow_times: ClassVar[int] = 100

    @pytest.fixture
    def backend_url(self, backend: Backend) -> str:
        """Return the URL by which another process reaches the store."""
        return backend.url

    @pytest.fixture(scope="class")
    @classmethod
    def processes(cls) -> Iterator[ProcessPoolExecutor]:
        """Yield a pool that starts its processes on first use, and keeps them for the next test."""
        spawn = multiprocessing.get_context("spawn")
        start = (spawn.Barrier(cls.workers),)
        with ProcessPoolExecutor(cls.workers, mp_context=spawn, initializer=take_place, initargs=start) as pool:
            yield pool

    @pytest.fixture(params=["times", pytest.param("slow_times", marks=pytest.mark.slow)])
    def crew(self, backend: Backend, request: pytest.FixtureRequest) -> Iterator[Crew]:
        """Yield the workers."""
        yield from self.crew_of(backend, request, getattr(self, request.param))

    @pytest.fixture
    def record_crew(self, backend: Backend, request: pytest.FixtureRequest) -> Iterator[Crew]:
        """Yield the workers that work on records."""
        yield from self.crew_of(backend, request, self.times)

    def crew_of(self, backend: Backend, request: pytest.FixtureRequest, times: int) -> Iterator[Crew]:
        """Yield workers on ``backend``."""
        if not backend.in_process:
            reach = partial(connect, type(backend), request.getfixturevalue("backend_url"))
            yield Crew(request.getfixturevalue("processes"), reach, self.workers, times)
            return
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)  # threads take turns within a call too
        start = (threading.Barrier(self.workers),)
        with ThreadPoolExecutor(self.workers, initializer=take_place, initargs=start) as pool:
            yield Crew(pool, lambda: nullcontext(backend), self.workers, times)
        sys.setswitchinterval(interval)

    @pytest.mark.parametrize("pieces", [60, pytest.param(600, marks=pytest.mark.slow)])
    @pytest.mark.parametrize(
        "sell",
        [record_jobs.sell_by_update_if, record_jobs.sell_by_change, record_jobs.sell_by_increment],
        ids=["update_if", "change", "increment"],
    )
    def test_each_piece_is_sold_once(self, backend: Backend, record_crew: Crew, sell: Job[int], pieces: int) -> None:
        piece = record_jobs.Piece.create("x", left=pieces, backend=backend)
        assert sum(record_crew.run(sell, pieces)) == pieces
        assert piece.left == 0

    @pytest.mark.parametrize("pieces", [60, pytest.param(600, marks=pytest.mark.slow)])
    @pytest.mark.parametrize(
        "sell",
        [
            record_jobs.sell_by_compare_and_set,
            record_jobs.sell_by_change_of_an_entry,
            record_jobs.sell_by_increment_of_an_entry,
        ],
        ids=["compare_and_set", "change", "increment"],
    )
    def test_each_piece_of_an_entry_is_sold_once(
        self, backend: Backend, record_crew: Crew, sell: Job[int], pieces: int
    ) -> None:
        stock = record_jobs.stock(backend)
        stock["x"] = pieces
        assert sum(record_crew.run(sell, pieces)) == pieces
        assert stock.copy() == {"x": 0}

    @pytest.mark.parametrize("tasks", [60, pytest.param(600, marks=pytest.mark.slow)])
    @pytest.mark.parametrize(
        "take", [record_jobs.take_by_update_if, record_jobs.take_by_delete_if], ids=["update_if", "delete_if"]
    )
    def test_each_task_is_taken_by_one_worker(
        self, backend: Backend, record_crew: Crew, take: Job[list[int]], tasks: int
    ) -> None:
        for number in range(tasks):
            record_jobs.Task.create(number, backend=backend)
        taken = record_crew.run(take, tasks)
        assert_each_once(chain.from_iterable(taken), range(tasks))
        left = {row["id"]: row["worker"] for row in record_jobs.Task.all(backend=backend).fetch("id", "worker")}
        by_update = {str(number): worker for worker, numbers in enumerate(taken) for number in numbers}
        assert left == (by_update if take is record_jobs.take_by_update_if else {})

    @pytest.mark.parametrize("seconds", [1, pytest.param(LONG_S, marks=pytest.mark.slow)])
    def test_no_reader_sees_half_of_a_record_that_is_made_again(self, record_crew: Crew, seconds: int) -> None:
        assert_nothing_seen(record_crew.run(record_jobs.make_again_and_read, seconds))

    @pytest.mark.parametrize("seconds", [1, pytest.param(LONG_S, marks=pytest.mark.slow)])
    def test_no_write_brings_an_expired_record_back_without_its_deadline(
        self, backend: Backend, record_crew: Crew, seconds: int
    ) -> None:
        found = list(chain.from_iterable(record_crew.run(record_jobs.write_sessions, seconds)))
        assert not found, f"{len(found)} times a record had no deadline, such as {found[0]!r}"
        time.sleep(5 * record_jobs.LIFE_S)
        assert list(backend.keys("ContentionSession:")) == []

    @pytest.fixture
    def claimable(self, backend: Backend) -> Backend:
        """Return a store that supports unique values."""
        if backend.indexing == "none":
            pytest.skip("this store promises nothing about indexes")
        return backend

    def test_a_unique_value_is_claimed_once(self, claimable: Backend, record_crew: Crew) -> None:
        claimed = record_crew.run(index_jobs.claim)
        assert_each_once(chain.from_iterable(claimed), range(record_crew.times))
        names = [row["name"] for row in index_jobs.Holding.all(backend=claimable).fetch("name")]
        assert_each_once(names, [str(number) for number in range(record_crew.times)])
        for name in names:
            assert index_jobs.Holding.find(name=name, backend=claimable).one()

    @pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
    def test_find_gives_just_the_records_that_are_there(
        self, claimable: Backend, record_crew: Crew, rounds: int
    ) -> None:
        for _ in range(rounds):
            record_crew.run(index_jobs.write_at_random)
            time.sleep(index_jobs.LIFE_S)
            assert index_jobs.wrong_queries(claimable) == []
            assert index_jobs.wrong_refusals(claimable) == []

    @pytest.mark.parametrize("job", [jobs.push_right, jobs.push_left], ids=["right", "left"])
    def test_no_push_is_lost_and_each_worker_keeps_its_order(
        self, backend: Backend, crew: Crew, job: Job[None]
    ) -> None:
        crew.run(job)
        items = backend.sequence(KEY).get_slice(slice(None))
        assert_each_once(items, marks(crew))
        for worker in range(crew.size):
            own = [item for item in items if item.startswith(b"[%d," % worker)]
            ordered = [mark(worker, number) for number in range(crew.times)]
            assert own == (ordered if job is jobs.push_right else ordered[::-1])

    def test_no_insertion_is_lost(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([FIRST, LAST])
        crew.run(jobs.insert)
        first, *items, last = backend.sequence(KEY).get_slice(slice(None))
        assert_each_once(items, marks(crew))
        assert (first, last) == (FIRST, LAST), "every insertion went between the two"

    def test_no_splice_is_lost_or_torn(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([FIRST, LAST])
        crew.run(jobs.insert_pairs)
        first, *items, last = backend.sequence(KEY).get_slice(slice(None))
        assert items[::2] == items[1::2], "what one splice put in stays side by side"
        assert_each_once(items[::2], marks(crew))
        assert (first, last) == (FIRST, LAST), "every splice went between the two"

    @pytest.mark.parametrize("index", [-1, 0, 1])
    def test_no_item_is_popped_twice_or_lost(self, backend: Backend, crew: Crew, index: int) -> None:
        backend.sequence(KEY).push_right([FIRST, *marks(crew)] if index == 1 else marks(crew))
        popped = chain.from_iterable(crew.run(partial(jobs.pop, index=index)))
        assert_each_once(popped, marks(crew))
        assert backend.sequence(KEY).get_slice(slice(None)) == ([FIRST] if index == 1 else [])

    def test_each_deletion_deletes_one_item(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([FIRST, *marks(crew), LAST])
        assert sum(crew.run(jobs.delete)) == crew.size * crew.times
        assert backend.sequence(KEY).get_slice(slice(None)) == [FIRST, LAST]

    def test_an_item_is_deleted_by_the_one_who_expected_it(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right(marks(crew))
        assert_each_once(chain.from_iterable(crew.run(jobs.delete_expected)), marks(crew))
        assert not exists(backend, KEY)

    def test_an_item_is_removed_by_one_worker(self, backend: Backend, crew: Crew) -> None:
        items = [mark(0, number) for number in range(crew.times)]
        backend.sequence(KEY).push_right([FIRST, *items, LAST])
        assert_each_once(chain.from_iterable(crew.run(jobs.remove)), items)
        assert backend.sequence(KEY).get_slice(slice(None)) == [FIRST, LAST]

    def test_a_queue_that_keeps_running_empty_loses_nothing(self, backend: Backend, crew: Crew) -> None:
        assert_each_once(chain.from_iterable(crew.run(jobs.push_and_pop)), marks(crew))
        assert not exists(backend, KEY)

    def test_reversing_loses_nothing(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([FIRST, LAST])
        crew.run(jobs.push_or_reverse)
        pushed = [mark(0, number) for number in range(crew.times)]
        assert_each_once(backend.sequence(KEY).get_slice(slice(None)), [FIRST, LAST, *pushed])

    def test_compare_and_set_of_an_item_loses_no_update(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([b"0"])
        crew.run(jobs.count_by_item, crew.times // 3)
        assert backend.sequence(KEY).get(0) == b"%d" % (crew.size * (crew.times // 3))

    def test_replacing_unchanged_items_loses_no_update(self, backend: Backend, crew: Crew) -> None:
        crew.run(jobs.push_by_replacing, crew.times // 5)
        assert_each_once(backend.sequence(KEY).get_slice(slice(None)), marks(crew, crew.times // 5))

    def test_compare_and_set_of_a_field_loses_no_update(self, backend: Backend, crew: Crew) -> None:
        crew.run(jobs.count_by_field, crew.times // 3)
        assert backend.mapping(KEY).get("n") == b"%d" % (crew.size * (crew.times // 3))

    def test_replacing_unchanged_fields_loses_no_update(self, backend: Backend, crew: Crew) -> None:
        crew.run(jobs.set_by_replacing, crew.times // 5)
        assert_each_once(backend.mapping(KEY).get_all().values(), marks(crew, crew.times // 5))

    def test_no_increment_is_lost_and_no_sum_given_twice(self, crew: Crew) -> None:
        sums = chain.from_iterable(crew.run(jobs.increment))
        assert_each_once(sums, range(101, 101 + crew.size * crew.times))

    def test_no_field_set_is_lost(self, backend: Backend, crew: Crew) -> None:
        crew.run(jobs.set_fields)
        assert_each_once(backend.mapping(KEY).get_all().values(), marks(crew))

    def test_all_agree_on_who_added_a_field(self, backend: Backend, crew: Crew) -> None:
        first, *others = crew.run(jobs.add)
        assert all(other == first for other in others), "add returns what is there, to all the same"
        assert backend.mapping(KEY).get_all() == {str(number): data for number, data in enumerate(first)}

    def test_a_field_is_popped_by_one_worker(self, backend: Backend, crew: Crew) -> None:
        fields = {str(number): mark(0, number) for number in range(crew.times)}
        backend.mapping(KEY).set_many(fields)
        assert_each_once(chain.from_iterable(crew.run(jobs.pop_field)), fields.values())
        assert not exists(backend, KEY)

    def test_a_field_is_deleted_by_one_worker(self, backend: Backend, crew: Crew) -> None:
        backend.mapping(KEY).set_many({str(number): FIRST for number in range(crew.times)})
        assert sum(crew.run(jobs.delete_field)) == crew.times
        assert not exists(backend, KEY)

    def test_pop_any_gives_each_field_to_one_worker(self, backend: Backend, crew: Crew) -> None:
        fields = {str(number): data for number, data in enumerate(marks(crew))}
        backend.mapping(KEY).set_many(fields)
        assert_each_once(chain.from_iterable(crew.run(jobs.pop_any_field)), fields.items())
        assert not exists(backend, KEY)

    def test_a_member_is_added_by_one_worker_and_removed_by_one(self, backend: Backend, crew: Crew) -> None:
        assert sum(crew.run(jobs.add_members)) == crew.times
        assert backend.members(KEY).get_all() == {str(number) for number in range(crew.times)}
        assert sum(crew.run(jobs.remove_members)) == crew.times
        assert not exists(backend, KEY)

    def test_pop_any_gives_each_member_to_one_worker(self, backend: Backend, crew: Crew) -> None:
        members = {str(number) for number in range(crew.size * crew.times)}
        backend.members(KEY).add(members)
        assert_each_once(chain.from_iterable(crew.run(jobs.pop_any_member)), members)
        assert not exists(backend, KEY)

    def test_no_toggle_is_lost(self, backend: Backend, crew: Crew) -> None:
        odd = crew.times - 1 + crew.times % 2
        backend.members(KEY).add({"all"} if crew.size % 2 == 0 else set[str]())
        crew.run(jobs.toggle_member, odd)
        assert backend.members(KEY).get_all() == {"all", *map(str, range(crew.size))}

    def test_what_must_be_absent_is_created_by_one_worker(self, backend: Backend, crew: Crew) -> None:
        made = crew.run(jobs.create)
        assert_each_once(chain.from_iterable(made), range(crew.times))
        for worker, numbers in enumerate(made):
            for number in numbers:
                owner = Key(f"Made:{number}")
                assert backend.mapping(owner).get_all() == {"by": mark(worker, number)}, "the winner's, and no other's"
                assert backend.sequence(Key(owner.root, "child")).get_slice(slice(None)) == [mark(worker, number)] * 2

    def test_keys_that_stay_are_listed_exactly_once_while_others_come_and_go(
        self, backend: Backend, crew: Crew
    ) -> None:
        stay = [Key(f"Thing:stay {number}") for number in range(100)]
        for key in stay:
            backend.mapping(key).set_many({"f": LAST})
        for keys in chain.from_iterable(crew.run(jobs.make_and_list, crew.times // 3)):
            assert_each_once((key for key in keys if "stay" in key.root), stay)

    def test_no_reader_sees_half_of_a_write_of_several_fields(self, crew: Crew) -> None:
        assert_nothing_seen(crew.run(jobs.set_and_read_fields))

    def test_no_reader_sees_half_of_a_replacement(self, crew: Crew) -> None:
        assert_nothing_seen(crew.run(jobs.replace_and_read_fields))

    def test_no_reader_sees_half_of_a_splice(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([FIRST, *[mark(0, 0)] * jobs.WIDTH, LAST])
        assert_nothing_seen(crew.run(jobs.splice_and_read_items))

    def test_no_reader_sees_half_of_a_reversal(self, backend: Backend, crew: Crew) -> None:
        backend.sequence(KEY).push_right([b"%d" % number for number in range(jobs.WIDTH)])
        assert_nothing_seen(crew.run(jobs.reverse_and_read_items))

    def test_no_reader_sees_half_of_a_step_over_several_keys(self, backend: Backend, crew: Crew) -> None:
        put(backend, CHILD, {"moved"})
        assert_nothing_seen(crew.run(jobs.move_and_read_members))

    def test_no_snapshot_has_half_of_a_step_over_several_keys(self, backend: Backend, crew: Crew) -> None:
        put(backend, CHILD, [FIRST])
        assert_nothing_seen(crew.run(jobs.move_and_take_snapshots))

    def test_fields_that_stay_are_paged_exactly_once_while_others_write(self, backend: Backend, crew: Crew) -> None:
        stay = {f"stay {number}" for number in range(1500)}
        backend.mapping(KEY).set_many(dict.fromkeys(stay, LAST))
        for fields in chain.from_iterable(crew.run(jobs.change_and_page, crew.times // 10)):
            assert_each_once((field for field in fields if field in stay), stay)
            assert len(set(fields)) == len(fields), "no field twice"


def marks(crew: Crew, times: int | None = None) -> list[bytes]:
    """Return all data that the workers write in ``times``."""
    return [mark(worker, number) for worker in range(crew.size) for number in range(times or crew.times)]


def assert_each_once(found: Iterable[T], expected: Iterable[T]) -> None:
    """Check that ``found`` has each of ``expected`` once and nothing else."""
    counted = Counter(found)
    twice = [item for item, number in counted.items() if number > 1]
    assert not twice, f"{len(twice)} were given or stored twice, such as {twice[0]!r}"
    lost = set(expected) - counted.keys()
    assert not lost, f"{len(lost)} of {len(counted) + len(lost)} were lost, such as {next(iter(lost))!r}"
    strange = counted.keys() - set(expected)
    assert not strange, f"{len(strange)} came from nowhere, such as {next(iter(strange))!r}"


def assert_nothing_seen(halves: Iterable[list[T]]) -> None:
    """Check that no worker saw half of a step."""
    seen = list(chain.from_iterable(halves))
    assert not seen, f"readers saw half of a step {len(seen)} times, such as {seen[0]}"
