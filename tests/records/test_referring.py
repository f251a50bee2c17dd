"""``on_delete``: what happens to records that refer to one that is deleted."""

from __future__ import annotations

from contextlib import suppress
from threading import Barrier, Thread
from typing import Annotated

import pytest

from persistent_collections import (
    Backend,
    ObjectNotFound,
    Record,
    StillReferenced,
    connect,
    on_delete,
)


class Proprietor(Record):
    name: str = ""


class Heir(Proprietor):
    pass


class Bill(Record):
    owner: Annotated[Proprietor | None, on_delete("restrict")]
    total: int = 0


class Letter(Record):
    owner: Annotated[Proprietor | None, on_delete("cascade")]


class Stamp(Record):
    letter: Annotated[Letter | None, on_delete("cascade")]


class Photo(Record):
    owner: Annotated[Proprietor | None, on_delete("clear")]


@pytest.fixture
def store(either_store: Backend) -> Backend:
    return either_store


def test_a_record_that_others_need_is_not_deleted(store: Backend) -> None:
    luke = Proprietor.create("luke")
    bill = Bill.create("b1", owner=luke)
    letter = Letter.create("l1", owner=luke)
    for delete in (luke.delete, lambda: luke.delete_if({"name": ""})):
        with pytest.raises(StillReferenced, match="'Proprietor:luke' is the owner of 'Bill:b1', and maybe of others"):
            delete()
        assert luke
        assert letter, "nothing was deleted"
    assert not luke.delete_if({"name": "Leia"}), "the condition comes first"
    bill.owner = None
    assert luke.delete()
    assert not letter
    assert not luke.delete()


def test_records_are_deleted_or_cleared_before_the_one_they_refer_to(store: Backend) -> None:
    luke, leia = Proprietor.create("luke"), Proprietor.create("leia")
    for number in range(3):
        letter = Letter.create(f"l{number}", owner=luke)
        Stamp.create(f"s{number}", letter=letter)
        Photo.create(f"p{number}", owner=luke)
    kept = Letter.create("kept", owner=leia)
    assert luke.delete_if({"name": ""})
    assert (Letter.count(), Stamp.count(), Photo.count()) == (1, 0, 3)
    assert [row["owner"] for row in Photo.all().fetch("owner")] == [None] * 3
    assert kept.owner == leia


def test_a_subclass_is_referred_to_as_its_base(store: Backend) -> None:
    heir = Heir.create("x")
    Bill.create("b", owner=heir)
    Proprietor.create("x").delete()
    with pytest.raises(StillReferenced, match="'Heir:x'"):
        heir.delete()


def test_what_is_referred_to_has_to_exist(store: Backend) -> None:
    luke = Proprietor.create("luke")
    bill = Bill.create("b", owner=luke)
    gone = Proprietor.ref("gone")
    for write in (
        lambda: Bill.create("c", owner=gone),
        lambda: Bill("c", owner=gone),
        lambda: setattr(bill, "owner", gone),
        lambda: bill.update(owner=gone, total=3),
        lambda: bill.update_if({"total": 0}, owner=gone),
        lambda: bill.change("owner", lambda _: gone),
        lambda: setattr(Bill("c"), "owner", gone),
    ):
        with pytest.raises(ObjectNotFound, match="'Proprietor:gone' does not exist"):
            write()
    assert bill.to_dict() == {"owner": luke, "total": 0}
    assert Bill.count() == 1
    bill.total = 4
    assert bill.total == 4


ROUNDS = range(24)


def create_bills(store: Backend, together: Barrier, worker: int, made: list[int]) -> None:
    for number in ROUNDS:
        together.wait()
        with suppress(ObjectNotFound):
            Bill.create(f"{worker}-{number}", owner=Proprietor.ref(str(number)), backend=store)
            made.append(number)


def delete_owners(store: Backend, together: Barrier, deleted: list[int]) -> None:
    for number in ROUNDS:
        together.wait()
        with suppress(StillReferenced):
            if Proprietor.ref(str(number), backend=store).delete():
                deleted.append(number)


def test_creators_against_deleters_leave_no_dangling_reference(store: Backend) -> None:
    if not store.several_roots:
        pytest.skip("this store looks, and acts then")
    for number in ROUNDS:
        Proprietor.create(str(number))
    made, deleted, together = list[int](), list[int](), Barrier(4, timeout=5)
    threads = [
        *(Thread(target=create_bills, args=(store, together, worker, made)) for worker in range(2)),
        *(Thread(target=delete_owners, args=(store, together, deleted)) for _ in range(2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(made).isdisjoint(deleted)
    assert set(made) | set(deleted) == set(ROUNDS)
    assert all(row["owner"] for row in Bill.all().fetch("owner")), "a dangling reference is falsy"


class Link(Record):
    next: Annotated[Link | None, on_delete("cascade")]
    other: Annotated[Link | None, on_delete("cascade")]


class Chief(Record):
    chief: Annotated[Chief | None, on_delete("restrict")]


class Mirror(Record):
    twin: Annotated[Mirror | None, on_delete("clear")]


class Pupil(Record):
    guard: Annotated[Pupil | None, on_delete("cascade")]
    keeper: Annotated[Pupil | None, on_delete("restrict")]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_cascade_ends_in_a_cycle(store: Backend, size: int) -> None:
    links = [Link.create(str(number)) for number in range(size)]
    for number, link in enumerate(links):
        link.next = links[number - 1]
    kept = Link.create("kept")
    Link.create("after", next=links[-1])
    assert links[0].delete()
    assert list(Link.all()) == [kept]


def test_a_cascade_ends_where_every_record_refers_to_two_others(store: Backend) -> None:
    a, b, c = (Link.create(name) for name in "abc")
    a.update(next=b, other=c)
    b.update(next=a, other=c)
    c.update(next=b, other=a)
    assert a.delete()
    assert Link.count() == 0


def test_a_cascade_reaches_the_end_of_a_long_chain() -> None:
    store = connect("memory:")
    first = link = Link.create("0", backend=store)
    for number in range(1, 300):
        link = Link.create(str(number), next=link, backend=store)
    assert first.delete()
    assert Link.count(backend=store) == 0


def test_a_record_does_not_prevent_its_own_deletion(store: Backend) -> None:
    chief = Chief.create("x")
    chief.chief = chief
    below = Chief.create("y", chief=chief)
    with pytest.raises(StillReferenced, match="'Chief:x' is the chief of 'Chief:y'"):
        chief.delete()
    assert below.delete()
    assert chief.delete_if({"chief": chief})
    mirror = Mirror.create("x")
    mirror.twin = mirror
    assert mirror.delete_if({"twin": mirror})
    assert not mirror


def test_restrict_counts_a_record_that_the_same_call_would_delete_later(store: Backend) -> None:
    first = Pupil.create("first")
    second = Pupil.create("second", guard=first)
    first.keeper = second
    with pytest.raises(StillReferenced, match="'Pupil:second' is the keeper of 'Pupil:first'"):
        first.delete()
    assert (first.keeper, second.guard) == (second, first)
