from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from persistent_collections import Backend, ObjectExists, ObjectNotFound, PersistentDict, PersistentList
from persistent_collections.backends import Key
from tests.records.models import Guest, Person

HOUR = timedelta(hours=1)


def left(record: Any) -> float:
    ttl = record.ttl()
    assert ttl is not None
    return float(ttl.total_seconds())


MOMENTS: list[Callable[[], Any]] = [
    lambda: 3600,
    lambda: 3600.5,
    lambda: HOUR,
    lambda: datetime.now(UTC) + HOUR,
    lambda: datetime.now().astimezone() + HOUR,
]


@pytest.mark.parametrize("when", MOMENTS)
def test_a_deadline_is_seconds_a_timedelta_or_a_moment(store: Backend, when: Callable[[], Any]) -> None:
    leia = Person("leia", name="Leia")
    leia.expire(when())
    assert 3000 < left(leia) < 3700


def test_without_a_deadline_there_is_no_time_left(store: Backend) -> None:
    assert Person("leia", name="Leia").ttl() is None
    assert Person("nobody").ttl() is None


def test_a_deadline_can_be_taken_back(store: Backend) -> None:
    leia = Person("leia", name="Leia", teams={"x"})
    leia.expire(HOUR)
    leia.persist()
    assert (leia.ttl(), leia.teams.ttl()) == (None, None)
    leia.persist()


def test_the_deadline_of_what_does_not_exist_is_an_error(store: Backend) -> None:
    with pytest.raises(ObjectNotFound, match="'Person:nobody' does not exist"):
        Person("nobody").expire(HOUR)
    with pytest.raises(ObjectNotFound, match="'Person:nobody' does not exist"):
        Person("nobody").persist()


@pytest.mark.parametrize(
    ("when", "error"),
    [
        (datetime(2030, 1, 1), ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (1e300, ValueError),
        (10**400, ValueError),
        ("3600", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_deadline_is_refused(store: Backend, when: Any, error: type[Exception]) -> None:
    leia = Person("leia", name="Leia")
    with pytest.raises(error, match="deadline"):
        leia.expire(when)
    assert leia.ttl() is None


@pytest.mark.parametrize("when", [0, -1, timedelta(days=-1), datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_deadline_that_has_passed_deletes_at_once(store: Backend, when: Any) -> None:
    leia = Person("leia", name="Leia", teams={"x"})
    leia.expire(when)
    assert not leia
    assert (leia.teams.copy(), list(Person.ids()), list(store.keys(""))) == (set(), [], [])


PAST: list[Callable[[Any], Any]] = [
    lambda past: Person.create("han", name="Han", expire=past),
    lambda past: Person("han", name="Han", expire=past),
    lambda past: Person.upsert("han", name="Han", expire=past),
    lambda past: Person.load("leia").update(name="New", expire=past),
    lambda past: Person.load("leia").update(expire=past),
    lambda past: Person.load("leia").update_if({"name": "Leia"}, name="New", expire=past),
    lambda past: Person("han").increment("age", expire=past),
    lambda past: Person.load("leia").increment("age", expire=past),
    lambda past: PersistentDict.create("numbers", {"a": 1}, expire=past),
    lambda past: PersistentDict("numbers").increment("a", expire=past),
]


@pytest.mark.parametrize("when", [0, -5, timedelta(days=-1), datetime(2020, 1, 1, tzinfo=UTC)])
def test_no_write_sets_a_deadline_that_has_passed(store: Backend, when: Any) -> None:
    leia = Person("leia", name="Leia")
    for write in PAST:
        with pytest.raises(ValueError, match="expire= is not in the future"):
            write(when)
    assert leia.name == "Leia"
    assert list(store.keys("")) == [Key("Person:leia")]


def test_a_record_vanishes_with_its_children_at_its_deadline(store: Backend) -> None:
    leia = Person("leia", name="Leia", friends=[Person.ref("x")], scores={"a": 1})
    leia.expire(100)
    assert left(leia.friends) <= 100
    leia.expire(0.1)
    time.sleep(0.15)
    assert not leia
    assert (leia.friends[:], leia.scores.copy(), Person.count()) == ([], {}, 0)
    with pytest.raises(ObjectNotFound):
        leia.name  # noqa: B018 - reading is what raises


def test_a_deadline_lasts_through_later_writes(store: Backend) -> None:
    leia = Person("leia", name="Leia", tags=["a"], friends=[Person.ref("x")], scores={"a": 1}, teams={"x"})
    leia.expire(HOUR)
    leia.name = "New"
    leia.tags.append("b")
    leia.increment("age")
    leia.update(nickname="x", friends=[leia, leia])
    del leia.nickname
    leia.friends.insert(1, leia)
    leia.friends.sort(key=str)
    leia.scores |= {"b": 2}
    leia.scores.increment("a")
    leia.teams.clear()
    leia.teams.add("y")
    for each in (leia, leia.friends, leia.scores, leia.teams):
        assert 3000 < left(each) <= 3600


@pytest.mark.parametrize(
    "make",
    [
        lambda leia: leia.friends.append(leia),
        lambda leia: leia.friends.lpush(leia),
        lambda leia: leia.friends.insert(0, leia),
        lambda leia: leia.friends.extend([leia]),
        lambda leia: leia.friends.__setitem__(slice(None), [leia]),
        lambda leia: setattr(leia, "friends", [leia]),
        lambda leia: leia.update(name="x", friends=[leia]),
        lambda leia: Person("leia", friends=[leia]),
    ],
)
def test_a_child_made_later_takes_the_deadline_of_its_record(store: Backend, make: Any) -> None:
    leia = Person("leia", name="Leia")
    leia.expire(HOUR)
    make(leia)
    assert leia.friends[:] == [leia]
    assert 3000 < left(leia.friends) <= 3600


@pytest.mark.parametrize(
    "make",
    [
        lambda leia: leia.scores.__setitem__("a", 1),
        lambda leia: leia.scores.setdefault("a", 1),
        lambda leia: leia.scores.update(a=1),
        lambda leia: leia.scores.increment("a"),
        lambda leia: setattr(leia, "scores", {"a": 1}),
    ],
)
def test_a_child_dict_made_later_takes_the_deadline_of_its_record(store: Backend, make: Any) -> None:
    leia = Person("leia", teams={"x"})
    leia.expire(HOUR)
    make(leia)
    assert leia.scores.copy() == {"a": 1}
    assert 3000 < left(leia.scores) <= 3600


@pytest.mark.parametrize(
    "make",
    [
        lambda leia: setattr(leia, "name", "Leia"),
        lambda leia: leia.update(name="Leia", age=3),
        lambda leia: leia.increment("age"),
        lambda leia: leia.tags.append("a"),
        lambda leia: Person("leia", name="x"),
        lambda leia: leia.teams.add("x"),
    ],
)
def test_all_of_a_record_that_a_child_made_has_its_deadline(store: Backend, make: Any) -> None:
    leia = Person("leia")
    leia.friends.append(Person.ref("x"))
    leia.expire(HOUR)
    make(leia)
    found = [each for each in store.look(list(store.keys(""))) if each]
    assert len(found) in (2, 3)
    assert all(each.ttl_s is not None and 3000 < each.ttl_s <= 3600 for each in found)


def test_a_child_emptied_and_refilled_keeps_the_deadline_of_its_record(store: Backend) -> None:
    leia = Person("leia", name="Leia", friends=[Person.ref("x")])
    leia.expire(HOUR)
    leia.friends.pop()
    leia.friends.append(leia)
    assert 3000 < left(leia.friends) <= 3600


def test_a_deadline_ends_where_all_of_the_record_is_gone(store: Backend) -> None:
    leia = Person("leia", name="Leia", friends=[Person.ref("x")])
    leia.expire(HOUR)
    leia.delete()
    again = Person("leia")
    again.name = "again"
    again.friends.append(again)
    assert (again.ttl(), again.friends.ttl()) == (None, None)
    other = Person("other", teams={"x"})
    other.expire(HOUR)
    other.teams.clear()
    other.name = "x"
    assert 3000 < left(other) <= 3600, "a record whose children are emptied exists"


def test_a_record_created_anew_has_no_deadline(store: Backend) -> None:
    leia = Guest("leia", name="Leia")
    leia.expire(0.05)
    time.sleep(0.1)
    again = Guest.create("leia", name="Leia")
    assert again.ttl() is None


def test_a_record_is_created_with_its_deadline_children_and_all(store: Backend) -> None:
    leia = Guest.create("leia", name="Leia", scores={"a": 1}, expire=HOUR)
    leia.friends.append(leia)
    assert 3000 < left(leia) <= 3600
    assert 3000 < left(leia.scores) <= 3600
    assert 3000 < left(leia.friends) <= 3600
    assert Guest.create("han", name="Han", scores={"a": 1}, expire=timedelta(hours=1)).ttl()
    with pytest.raises(ObjectExists):
        Guest.create("leia", name="Another", expire=1)
    assert 3000 < left(leia) <= 3600
    with pytest.raises(ValueError, match="aware datetime"):
        Guest.create("luke", name="Luke", expire=datetime(2030, 1, 1))
    assert not Guest.ref("luke")


def test_collections_of_their_own_have_deadlines_too(store: Backend) -> None:
    settings, items = PersistentDict("settings", {"a": 1}), PersistentList("items", [1])
    settings.expire(HOUR)
    settings["b"] = 2
    assert 3000 < left(settings) <= 3600
    items.expire(0.05)
    time.sleep(0.1)
    assert (items[:], bool(items), len(items)) == ([], False, 0)
    settings.clear()
    settings["c"] = 3
    assert settings.ttl() is None
