"""The suite for transactions: several objects read and changed in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.keys import Key
from persistent_collections.collections.dicts import PersistentDict
from persistent_collections.collections.lists import PersistentList
from persistent_collections.collections.sets import PersistentSet
from persistent_collections.config import use_backend
from persistent_collections.errors import (
    ConflictError,
    ObjectExists,
    ObjectNotFound,
    TransactionError,
    WrongShapeError,
)
from persistent_collections.records.record import Record, child
from persistent_collections.transactions.blocks import on_commit, transaction, transactional

__all__ = ["TransactionSuite"]

MARKS = {"x": 1, "y": 2, "z": 3}


class Account(Record, name="suite-account"):
    """The record that the suite stores."""

    balance: int = 0
    note: str | None = None
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    other: Account | None = None
    log: PersistentList[str] = child()
    marks: PersistentDict[str, int] = child()


def elsewhere(function: Callable[[], Any]) -> None:
    """Run a function as another program would, outside any transaction."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            failures.append(error)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    for failure in failures:
        raise failure


class TransactionSuite:
    """Tests of the promises of transactions; cases of two objects are skipped if ``several_roots`` is False.

    Subclass it beside :class:`~persistent_collections.testing.backends.BackendSuite`, with the same fixture
    ``backend``::

        class TestShelfTransactions(TransactionSuite):
            @pytest.fixture
            def backend(self, tmp_path):
                with ShelfBackend(tmp_path / "shelf") as backend:
                    yield backend
    """

    @pytest.fixture(autouse=True)
    def in_store(self, backend: Backend) -> Iterator[None]:
        with use_backend(backend):
            yield

    @pytest.fixture
    def a(self, in_store: None) -> Account:  # noqa: ARG002 - asked for before
        """Return a stored account."""
        return Account.create("a", balance=10)

    @pytest.fixture
    def b(self, in_store: None, backend: Backend) -> Account:  # noqa: ARG002 - asked for before
        """Return another account; skip the case if the store changes one object at a time."""
        if not backend.several_roots:
            pytest.skip("the store changes one object at a time")
        return Account.create("b")

    def test_a_transaction_sees_its_own_writes_and_others_see_them_at_its_end(self, a: Account, b: Account) -> None:
        with transaction():
            a.balance -= 3
            b.balance += 3
            b.log.append("+3")
            b.marks["x"] = 1
            assert (a.balance, b.balance, b.log[:], b.marks.copy()) == (7, 3, ["+3"], {"x": 1})
            elsewhere(lambda: pytest.fail("seen") if (a.balance, b.balance, len(b.log)) != (10, 0, 0) else None)
        assert (a.balance, b.balance, b.log[:], b.marks.copy()) == (7, 3, ["+3"], {"x": 1})

    def test_an_exception_writes_nothing(self, a: Account, b: Account) -> None:
        before = a.tags
        with pytest.raises(ZeroDivisionError), transaction():
            a.update(balance=0, log=["x"])
            b.delete()
            before.append("tag")
            Account.create("c")
            a.tags.append("other")
            raise ZeroDivisionError
        assert (a.balance, a.log[:], a.tags, bool(b), bool(Account.ref("c"))) == (10, [], [], True, False)
        assert before == [], "a value in hand is as it was read"
        before.append("tag")
        assert a.tags == ["tag"]

    def test_a_lost_update_is_a_conflict(self, a: Account) -> None:
        with pytest.raises(ConflictError), transaction():
            balance = a.balance
            elsewhere(lambda: a.increment("balance"))
            a.balance = balance + 5
        assert a.balance == 11

    def test_write_skew_is_a_conflict(self, a: Account, b: Account) -> None:
        with pytest.raises(ConflictError), transaction():
            if a.balance == 10:
                elsewhere(lambda: a.update(balance=0))
                b.balance = 1
        assert b.balance == 0

    def test_a_reader_never_sees_a_wrong_sum(self, a: Account, b: Account) -> None:
        with pytest.raises(ConflictError), transaction():
            first = a.balance
            elsewhere(lambda: a.update(balance=0))
            elsewhere(lambda: b.update(balance=10))
            assert first + b.balance != 10, "the block was told of a sum that never was, and cannot end"

    def test_an_error_that_reads_of_two_moments_caused_is_a_conflict(self, a: Account, b: Account) -> None:
        attempts = []

        @transactional
        def share() -> float:
            first = a.balance
            attempts.append(first)
            if len(attempts) == 1:
                elsewhere(lambda: a.update(balance=0))
                elsewhere(lambda: b.update(balance=10))
            return 1 / (20 - first - b.balance)

        assert share() == 0.1
        assert attempts == [10, 0], "20 - 10 - 10 was a division by zero that no moment justified"
        with pytest.raises(ZeroDivisionError), transaction():
            assert 1 / (10 - a.balance - b.balance)

    def test_what_was_not_read_is_no_conflict(self, a: Account) -> None:
        a.log.extend(["1", "2"])
        a.marks["x"] = 1
        with transaction():
            a.balance += 1
            a.log.append("3")
            assert (a.log.pop(0), a.log[0]) == ("1", "2")
            a.marks["y"] = a.marks["x"] + 1
            elsewhere(lambda: a.update(note="other"))
            elsewhere(lambda: a.log.append("other"))
            elsewhere(lambda: a.marks.update(z=3))
        assert (a.balance, a.note, a.log[:], a.marks.copy()) == (
            11,
            "other",
            ["2", "other", "3"],
            {"x": 1, "y": 2, "z": 3},
        )

    def test_members_that_were_not_asked_for_are_no_conflict(self) -> None:
        members = PersistentSet("members", {"a"})
        with transaction():
            members.add("b")
            members.discard("a")
            elsewhere(lambda: members.add("c"))
        assert members.copy() == {"b", "c"}
        with pytest.raises(ConflictError), transaction():
            assert "d" not in members
            elsewhere(lambda: members.add("d"))
            members.add("e")
        assert members.copy() == {"b", "c", "d"}

    @pytest.mark.parametrize("read", [len, list, sorted, lambda items: items[2], lambda items: items[-1]])
    def test_what_was_read_of_a_list_is_compared(self, read: Callable[[Any], Any]) -> None:
        numbers = PersistentList("numbers", [3, 1, 2])
        with pytest.raises(ConflictError), transaction():
            read(numbers)
            elsewhere(lambda: numbers.extend([4]))
            elsewhere(lambda: numbers.__setitem__(2, 5))
            numbers.append(6)
        assert numbers[:] == [3, 1, 5, 4]

    @pytest.mark.parametrize("read", [len, list, dict, lambda items: "z" in items, lambda items: items.get("z")])
    def test_what_was_read_of_a_dict_is_compared(self, read: Callable[[Any], Any]) -> None:
        names = PersistentDict("names", {"a": 1})
        with pytest.raises(ConflictError), transaction():
            read(names)
            elsewhere(lambda: names.update(z=1))
            names["b"] = 2
        assert names.copy() == {"a": 1, "z": 1}

    def test_of_two_racing_creators_one_wins(self, backend: Backend) -> None:
        with pytest.raises(ConflictError), transaction():
            made = Account.create("c", balance=1)
            assert made.balance == 1
            elsewhere(lambda: Account.create("c", balance=2, backend=backend))
        assert Account.load("c").balance == 2
        with transaction():
            with pytest.raises(ObjectExists):
                Account.create("c", balance=3)
            Account.ref("c").balance = 4
        assert Account.load("c").balance == 4

    def test_what_is_created_and_deleted_leaves_nothing(self, backend: Backend) -> None:
        with transaction():
            made = Account.create("c", log=["x"])
            made.marks["x"] = 1
            assert made.delete()
            assert not made
            assert made.log[:] == []
        assert list(backend.keys("")) == []

    def test_what_is_deleted_can_be_made_anew(self, a: Account) -> None:
        a.update(log=["old"], note="old", expire=1000)
        with transaction():
            a.delete()
            with pytest.raises(ObjectNotFound):
                a.log.append("gone")
            again = Account.create("a", balance=1)
            again.marks["new"] = 1
            assert (again.log[:], again.note) == ([], None)
        assert (a.balance, a.note, a.log[:], a.marks.copy(), a.ttl()) == (1, None, [], {"new": 1}, None)

    @pytest.mark.parametrize("end", [lambda a: a.delete(), lambda a: a.expire(-1)])
    @pytest.mark.parametrize("end_again", [lambda a: a.delete(), lambda a: a.expire(-1)])
    def test_what_is_made_anew_and_ends_again_leaves_nothing(
        self, a: Account, backend: Backend, end: Callable[[Account], Any], end_again: Callable[[Account], Any]
    ) -> None:
        a.update(log=["old"], marks={"old": 1})
        with transaction():
            end(a)
            Account.create("a").marks["new"] = 1
            end_again(a)
        assert list(backend.keys("")) == []
        assert (a.log[:], a.marks.copy()) == ([], {})

    def test_a_record_that_is_gone_is_missed_at_the_line(self, a: Account) -> None:
        a.delete()
        with transaction():
            with pytest.raises(ObjectNotFound):
                Account.load("a")
            with pytest.raises(ObjectNotFound):
                a.balance = 4
            with pytest.raises(ObjectNotFound):
                a.log.append("x")
            assert not a.update_if({}, balance=4)
        assert not a
        assert a.log[:] == []

    def test_a_record_that_is_deleted_meanwhile_is_a_conflict(self, a: Account) -> None:
        with pytest.raises(ConflictError), transaction():
            a.log.append("x")
            elsewhere(a.delete)
        assert not a
        assert a.log[:] == []

    def test_deadlines_are_set_in_the_same_step(self, a: Account) -> None:
        with transaction():
            a.log.append("before")
            a.expire(1000)
            a.marks["after"] = 1
            left = a.ttl()
            assert left is not None
            assert left.total_seconds() == pytest.approx(1000, abs=60)
        times = [each.ttl() for each in (a, a.log, a.marks)]
        assert all(left is not None for left in times)
        with transaction():
            a.persist()
            assert a.ttl() is None
        assert [each.ttl() for each in (a, a.log, a.marks)] == [None] * 3
        with transaction():
            a.expire(-1)
            assert not a
        assert not a

    @pytest.mark.parametrize(
        ("kind", "first", "work"),
        [
            (PersistentList, [1], lambda numbers: (numbers.pop(), numbers.append(2))),
            (PersistentList, [1], lambda numbers: (numbers.append(2), numbers.pop(0))),
            (PersistentList, [1], lambda numbers: (numbers.lpush(2), numbers.pop())),
            (PersistentList, [1], lambda numbers: (numbers.pop(0), numbers.append(2), numbers[:])),
            (PersistentList, [1], lambda numbers: (numbers.expire(2000), numbers.pop(), numbers.append(2))),
            (PersistentList, [1], lambda numbers: (numbers.pop(), numbers.append(2), numbers.expire(2000), numbers[:])),
            (PersistentDict, {"x": 1}, lambda names: (names.pop("x"), names.update(y=2))),
            (PersistentDict, {"x": 1}, lambda names: (names.update(y=2), names.pop("x"))),
            (PersistentDict, {"x": 1}, lambda names: (names.pop("x"), names.update(y=2), len(names))),
            (PersistentSet, {"x"}, lambda members: (members.remove("x"), members.add("y"))),
            (PersistentSet, {"x"}, lambda members: (members.remove("x"), members.add("x"))),
            (PersistentSet, {"x"}, lambda members: (members.add("y"), members.remove("x"), members.copy())),
        ],
    )
    def test_a_collection_that_was_empty_at_a_moment_has_lost_its_deadline(
        self, kind: Any, first: Any, work: Callable[[Any], Any]
    ) -> None:
        plain, stored, asked = (kind(name, first) for name in ("plain", "stored", "asked"))
        for each in (plain, stored, asked):
            each.expire(1000)
        work(plain)
        with transaction():
            work(stored)
        with transaction():
            work(asked)
            inside = asked.ttl()
        left = [each and each.total_seconds() for each in (stored.ttl(), inside, asked.ttl())]
        expected = plain.ttl() and plain.ttl().total_seconds()
        assert left == [expected if expected is None else pytest.approx(expected, abs=60)] * 3

    @pytest.mark.parametrize(
        "work",
        [
            lambda a: (a.expire(2000), a.marks.update(new=1)),
            lambda a: (a.marks.clear(), a.marks.update(new=1)),
            lambda a: (a.delete(), Account.create("a"), a.marks.update(new=1)),
            lambda a: (a.delete(), Account.create("a", expire=2000), a.log.append("new")),
            lambda a: (a.expire(2000), a.log[:], a.persist(), a.log.append("new")),
            lambda a: (a.expire(2000), list(a.log), a.expire(3000), a.log.append("new")),
        ],
    )
    def test_a_child_that_is_made_shares_the_deadline_of_its_record(
        self, a: Account, work: Callable[[Any], Any]
    ) -> None:
        a.update(marks={"old": 1}, expire=1000)
        with transaction():
            work(a)
            inside = [each.ttl() for each in (a, a.marks, a.log) if each]
        times = [each.ttl() for each in (a, a.marks, a.log) if each]
        assert len(times) == len(inside) > 1
        first = times[0] and times[0].total_seconds()
        expected = first if first is None else pytest.approx(first, abs=60)
        assert [left and left.total_seconds() for left in (*inside, *times)] == [expected] * 2 * len(times)

    def test_a_child_that_was_empty_at_a_moment_shares_the_deadline_of_its_record(self, a: Account) -> None:
        a.update(log=["old"], expire=1000)
        with transaction():
            a.log.pop()
            a.log.append("new")
            times = [a.log.ttl(), a.ttl()]
        times += [a.log.ttl(), a.ttl()]
        assert [left and left.total_seconds() for left in times] == [pytest.approx(1000, abs=60)] * 4

    def test_methods_of_lists_take_part(self) -> None:
        def work(numbers: Any) -> list[Any]:
            numbers.append(7)
            numbers.insert(0, 9)
            numbers.sort()
            numbers.extend([4, 4])
            numbers.remove(4)
            numbers[1:3] = [0]
            numbers[0] = 6
            del numbers[2]
            numbers += [2]
            found = [numbers.pop(), numbers.pop(1), numbers.index(9), numbers.count(4)]
            numbers.reverse()
            return [*found, list(numbers), len(numbers)]

        stored = PersistentList("methods", [5, 3, 8, 1])
        plain = stored[:]
        with transaction():
            found = work(stored)
        assert found == work(plain)
        assert stored[:] == plain

    def test_methods_of_dicts_take_part(self) -> None:
        def work(names: Any) -> list[Any]:
            names["c"] = 3
            del names["a"]
            names |= {"a": 4, "d": 5}
            return [names.pop("d"), names.setdefault("e", 6), names.get("x"), dict(names), len(names)]

        stored = PersistentDict("methods", {"a": 1, "b": 2})
        plain = stored.copy()
        with transaction():
            found = work(stored)
            assert stored.increment("b", 5) == 7
        assert found == work(plain)
        assert stored.copy() == {**plain, "b": 7}

    def test_methods_of_sets_take_part(self) -> None:
        def work(members: Any) -> list[Any]:
            members |= {"z"}
            members ^= {"x", "w"}
            members -= {"y"}
            members.add("v")
            members.discard("z")
            return [sorted(members), len(members), "v" in members, members & {"v", "x"}]

        stored = PersistentSet("methods", {"x", "y"})
        plain = stored.copy()
        with transaction():
            found = work(stored)
        assert found == work(plain)
        assert stored.copy() == plain

    def test_references_read_inside_go_on_outside(self, a: Account, b: Account) -> None:
        with transaction():
            a.other = b
            found = a.other
            assert found is not None
            assert found.balance == 0
        assert found.balance == 0
        found.balance = 5
        assert b.balance == 5

    def test_a_value_read_inside_is_written_back_outside(self, a: Account) -> None:
        with transaction():
            tags = a.tags
            tags.append("inside")
        tags.append("outside")
        assert a.tags == ["inside", "outside"]

    def test_another_shape_is_refused_and_nothing_is_written(self, a: Account, backend: Backend) -> None:
        backend.commit([], [Replace(Key("suite-account:a", "log"), {"f": b"1"})])
        with pytest.raises(WrongShapeError), transaction():
            a.balance = 0
            a.log.append("x")
        assert a.balance == 10

    def test_listings_are_refused(self) -> None:
        for listing in (Account.count, lambda: list(Account.ids()), lambda: list(Account.all())):
            with transaction(), pytest.raises(TransactionError, match="before the transaction begins"):
                listing()

    def test_a_second_object_is_refused_where_the_store_cannot(self, a: Account, backend: Backend) -> None:
        if backend.several_roots:
            return
        with transaction():
            a.balance = 1
            a.log.append("own child")
            with pytest.raises(TransactionError, match="cannot be in one transaction"):
                PersistentDict("far away")["x"] = 1
        assert (a.balance, a.log[:]) == (1, ["own child"])

    def test_a_function_runs_again_after_a_conflict(self, a: Account) -> None:
        attempts = []
        done = []

        @transactional
        def add() -> int:
            balance = a.balance
            attempts.append(balance)
            on_commit(lambda: done.append(a.balance))
            if len(attempts) < 3:
                elsewhere(lambda: a.increment("balance", 100))
            a.balance = balance + 1
            return a.balance

        assert add() == 211
        assert (a.balance, attempts, done) == (211, [10, 110, 210], [211])
