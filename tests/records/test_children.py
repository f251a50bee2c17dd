from __future__ import annotations

from typing import Any

import pytest

from persistent_collections import (
    Backend,
    EncodeError,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    connect,
    use_backend,
)
from tests.records.models import Employee, Person


class Logbook(PersistentList[int]):
    pass


def test_a_child_has_the_key_of_its_record_and_its_field(store: Backend) -> None:
    leia = Person("leia:organa")
    assert leia.friends.key == str(leia["friends"]) == "Person:leia%3Aorgana:friends"
    assert repr(leia.friends) == "Person('leia:organa')['friends']"


def test_a_child_is_the_same_by_item_and_attribute_and_from_another_handle(store: Backend) -> None:
    leia = Person("leia")
    leia["scores"]["a"] = 1
    assert leia.scores == {"a": 1}
    assert Person("leia").scores == {"a": 1}
    assert leia.scores is leia["scores"]


def test_a_child_is_changed_by_its_own_methods(store: Backend) -> None:
    leia, luke = Person("leia", name="Leia"), Person("luke", name="Luke")
    leia.friends.append(luke)
    leia.friends.insert(0, leia)
    leia.scores.update(a=1)
    leia.scores.increment("a")
    leia.teams |= {"x", "y"}
    leia["teams"] -= {"x"}
    leia.friends += [luke]
    again = Person("leia")
    assert again.friends[:] == [leia, luke, luke]
    assert (again.scores.copy(), again.teams.copy()) == ({"a": 2}, {"y"})
    assert again.friends[1].name == "Luke"


@pytest.mark.parametrize(
    "assign", [setattr, Record.__setitem__, lambda record, name, value: record.update(**{name: value})]
)
def test_assigning_to_a_child_replaces_its_contents(store: Backend, assign: Any) -> None:
    luke = Person("luke")
    leia = Person("leia", friends=[luke], scores={"a": 1, "b": 2}, teams={"x"})
    friends = leia.friends
    assign(leia, "friends", (each for each in [leia, luke]))
    assign(leia, "scores", [("c", 3)])
    assign(leia, "teams", ["y", "z", "y"])
    assert friends[:] == [leia, luke]
    assert (leia.scores.copy(), leia.teams.copy()) == ({"c": 3}, {"y", "z"})
    assign(leia, "friends", [])
    assert (friends[:], bool(friends)) == ([], False)


def test_assigning_the_child_of_another_record_copies_it(store: Backend) -> None:
    luke = Person("luke", name="Luke", friends=[Person.ref("han")], scores={"a": 1}, teams={"x"})
    leia = Person("leia", name="Leia", teams={"old"})
    leia.friends, leia.scores, leia["teams"] = luke.friends, luke.scores, luke.teams
    luke.friends.append(leia)
    luke.scores["b"] = 2
    luke.teams.add("y")
    assert (leia.friends[:], leia.scores.copy(), leia.teams.copy()) == ([Person.ref("han")], {"a": 1}, {"x"})


def test_assigning_a_collection_of_its_own_copies_it(store: Backend) -> None:
    scores = PersistentDict[str, int]("scores", {"a": 1})
    leia = Person("leia", scores=scores, teams=PersistentSet[str]("teams", {"x"}))
    scores["b"] = 2
    assert (leia.scores.copy(), leia.teams.copy()) == ({"a": 1}, {"x"})


def test_assigning_a_child_to_itself_does_nothing(store: Backend) -> None:
    leia = Person("leia", friends=[Person.ref("luke")], scores={"a": 1})
    leia.friends = leia.friends
    leia["scores"] = leia["scores"]
    other = Person("leia")
    leia.friends = other.friends
    leia.update(scores=other.scores, teams=other.teams)
    assert (leia.friends[:], leia.scores.copy()) == ([Person.ref("luke")], {"a": 1})


def test_assigning_a_child_to_itself_reads_nothing(server: Any) -> None:
    with connect(server.url) as backend, server.client() as client:
        leia = Person("leia", friends=[Person.ref("luke", backend=backend)], backend=backend)
        other = Person("leia", backend=backend)
        client.config_resetstat()
        leia.friends = other.friends
        assert not {"cmdstat_lrange", "cmdstat_evalsha"} & client.info("commandstats").keys()


@pytest.mark.parametrize("wrong", [["luke"], [3], [None], [PersistentDict.ref("x")], "luke", None, 3])
def test_items_of_a_child_are_checked_and_the_old_ones_stay(store: Backend, wrong: Any) -> None:
    leia = Person("leia", friends=[Person.ref("luke")])
    with pytest.raises(EncodeError, match=r"^(item 0 given to |field 'friends' of )?'Person:leia"):
        leia["friends"] = wrong
    with pytest.raises(TypeError):
        leia["friends"].extend(wrong)
    assert leia.friends[:] == [Person.ref("luke")]


@pytest.mark.parametrize("name", ["friends", "scores", "teams"])
def test_a_child_is_no_value(store: Backend, name: str) -> None:
    leia = Person("leia", friends=[Person.ref("luke")], scores={"a": 1}, teams={"x"})
    remedy = r"'Person:leia:\w+' is a child collection, not a value; store its owner, or a copy of it"
    holder = PersistentDict[str, Any]("holder")
    with pytest.raises(EncodeError, match=remedy):
        holder["x"] = leia[name]
    with pytest.raises(EncodeError, match=remedy):
        holder["x"] = {"deep": [leia[name]]}
    with pytest.raises(EncodeError, match=remedy):
        PersistentList("items", [leia[name]])
    with pytest.raises(TypeError):
        leia["best"] = leia[name]
    assert not holder
    holder["x"] = leia
    holder["y"] = leia[name].copy()
    assert holder["x"] == leia


def test_a_child_of_a_subclass_of_a_collection_is_one_of_that_class(store: Backend) -> None:
    class Machine(Record):
        log: Logbook = child()
        by_day: PersistentDict[int, list[int]] = child()

    machine = Machine("m", log=[1], by_day={1: [2]})
    assert isinstance(machine.log, Logbook)
    machine.log.append(2)
    machine.by_day[1].append(3)
    assert (machine.log[:], machine.by_day.copy()) == ([1, 2], {1: [2, 3]})
    with pytest.raises(EncodeError):
        machine["log"].append("x")
    with pytest.raises(EncodeError):
        machine["by_day"]["one"] = []


def test_children_of_any_type_hold_whatever_the_codec_does(store: Backend) -> None:
    class Loose(Record):
        items_: PersistentList[Any] = child()
        bare: PersistentList = child()
        things: PersistentDict[str, Any] = child()

    values = [1, "x", None, (1, 2), {"a": b"\x00"}, Person.ref("leia")]
    loose = Loose("l", items_=values, bare=values, things={"a": values})
    assert loose.items_[:] == loose.bare[:] == loose.things["a"] == values


def test_a_child_cannot_be_optional_or_have_a_default(store: Backend) -> None:
    with pytest.raises(TypeError, match=r"field 'a' of Wrong: .*drop the '\| None'"):

        class Wrong(Record):
            a: PersistentList[int] | None

    with pytest.raises(TypeError, match="field 'a' of Worse: a child collection has no default"):

        class Worse(Record):
            a: PersistentList[int] = []  # type: ignore[assignment] # noqa: RUF012 - a default is what this test is about


def test_a_child_lives_where_its_record_does(store: Backend) -> None:
    other = connect("memory:")
    bound = Person("leia", teams={"there"}, backend=other)
    unbound = Person("leia", teams={"here"})
    with use_backend(other):
        assert unbound.teams.copy() == {"there"}
        made_inside = Person("leia").teams
    assert (bound.teams.copy(), unbound.teams.copy(), made_inside.copy()) == ({"there"}, {"here"}, {"there"})


def test_a_child_is_truthy_while_it_holds_something(store: Backend) -> None:
    leia = Person("leia", name="Leia")
    assert not leia.friends
    leia.friends.append(leia)
    assert leia.friends


def test_a_loop_over_a_child_sees_what_an_assignment_through_the_same_record_changed(store: Backend) -> None:
    leia = Person("leia", friends=[Person.ref(str(number)) for number in range(4)])
    seen = []
    for friend in leia.friends:
        seen.append(friend.id)
        if friend.id == "1":
            leia.friends = [Person.ref("a"), Person.ref("b"), Person.ref("c")]
    assert seen == ["0", "1", "c"]


def test_a_record_may_be_made_of_children_alone(store: Backend) -> None:
    class Shelf(Record):
        books: PersistentList[str] = child()
        prices: PersistentDict[str, int] = child()

    shelf = Shelf("s")
    for read in (shelf.items, shelf.values, shelf.to_dict):
        with pytest.raises(ObjectNotFound):
            read()
    shelf.update(books=["Dune"], prices={"Dune": 3})
    assert (shelf.to_dict(), dict(shelf.items())) == ({}, {"books": ["Dune"], "prices": {"Dune": 3}})
    assert Shelf.load("s").books == ["Dune"]
    assert shelf.delete()


def test_children_inherited_by_a_subclass_hold_the_declared_types(store: Backend) -> None:
    luke = Person("luke")
    chewie = Employee("chewie", friends=[luke], reports=[Employee.ref("r2")])
    assert chewie.friends.key == "Employee:chewie:friends"
    assert chewie.friends[:] == [luke]
    with pytest.raises(EncodeError):
        chewie["reports"].append(luke)


def test_records_and_their_children_with_odd_ids_do_not_collide(store: Backend) -> None:
    plain, odd = Person("x", teams={"plain"}), Person("x:teams", name="odd")
    assert plain.teams.copy() == {"plain"}
    assert odd.name == "odd"
    assert sorted(Person.ids()) == ["x", "x:teams"]
    assert plain.delete()
    assert odd.name == "odd"
