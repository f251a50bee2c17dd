"""What reading, writing and pickling keep to when stores, classes and threads change meanwhile."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
    get_codec,
    use_backend,
)
from persistent_collections.codecs.compressed import Compressed


@dataclass
class Passenger:
    age: int


@pytest.mark.filterwarnings("ignore:Passenger is not frozen:persistent_collections.MutableValueWarning")
def test_a_value_changed_around_its_methods_is_stored_when_it_is_assigned_back(store: Backend) -> None:
    numbers = PersistentDict[str, list[int]]("x", {"heap": [3, 5]})
    heap = numbers["heap"]
    heapq.heappush(heap, 1)
    numbers["heap"] = heap
    assert numbers["heap"] == [1, 5, 3]
    people = PersistentList[list[Passenger]]("x", [[Passenger(4)]])
    row = people[0]
    row[0].age = 5
    people[0] = row
    assert people[0] == [Passenger(5)]


def test_a_value_read_from_one_store_is_written_whole_to_another(backend: Backend) -> None:
    unbound = PersistentDict("x")
    with use_backend(connect("memory:")):
        unbound["t"] = [1]
        value = unbound["t"]
    with use_backend(backend):
        unbound["t"] = value
        assert unbound.copy() == {"t": [1]}


def test_setdefault_gives_an_empty_text_that_is_stored(store: Backend) -> None:
    class Form(Record):
        answers: PersistentDict[str, str] = child()

    answers = Form("x").answers
    answers["name"] = ""
    assert answers.setdefault("name", "nobody") == ""


@pytest.mark.parametrize(
    ("kind", "items"), [(PersistentDict, {"a": 1}), (PersistentList, ["a"]), (PersistentSet, {"a"})]
)
def test_an_iterator_stays_with_the_store_it_was_made_in(kind: Any, items: Any, backend: Backend) -> None:
    unbound = kind("x")
    with use_backend(backend):
        kind("x", items)
        iterator = iter(unbound)
    with use_backend(connect("memory:")):
        assert list(iterator) == ["a"]


def test_a_pickle_holds_a_codec_by_name_and_none_that_is_not_registered() -> None:
    backend = connect("json:./never-made")
    registered = PersistentDict("x", backend=backend, codec=get_codec("msgpack"))
    assert b"Msgpack" not in pickle.dumps(registered)
    with pytest.raises(ConfigurationError, match="register_codec"):
        pickle.dumps(PersistentDict("x", backend=backend, codec=Compressed(get_codec("json"), "of-my-own")))


def test_an_empty_backend_is_refused_rather_than_taken_for_the_default() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        PersistentDict("x", backend="")


def test_a_class_that_takes_the_place_of_its_namesake_is_found_by_classes_already_used(store: Backend) -> None:
    class Team(Record):
        owner: "Player | None"  # type: ignore[name-defined] # noqa: F821, UP037 - it is defined further down
        players: PersistentList["Player"] = child()  # type: ignore[name-defined] # noqa: F821, UP037 - as above

    def define() -> Any:
        class Player(Record):
            name: str

        return Player

    for name in ("first", "second"):
        player = define()(name, name=name)
        team = Team("x", owner=player, players=[player])
        assert (team.owner, team.players[0]) == (player, player)


def test_a_field_after_an_unresolved_forward_reference_is_checked_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="bad"):

        class Mixed(Record):
            friend: Nowhere  # type: ignore[name-defined] # noqa: F821 - it is defined nowhere
            bad: Exception


@pytest.mark.parametrize("change", ["extend", "update", "assign", "fill"])
def test_an_operation_goes_to_the_store_that_was_the_default_when_it_began(store: Backend, change: str) -> None:
    class Basket(Record):
        fruit: PersistentList[str] = child()

    def pairs() -> Iterator[tuple[str, bytes]]:
        yield "a", b"\xff"
        configure("memory:")
        yield "b", b"\xfe"

    match change:
        case "extend":
            PersistentList("x", codec="msgpack").extend(data for _, data in pairs())
            assert PersistentList("x", codec="msgpack", backend=store)[:] == [b"\xff", b"\xfe"]
        case "update":
            PersistentDict("x", codec="msgpack").update(pairs())
            assert PersistentDict("x", codec="msgpack", backend=store) == {"a": b"\xff", "b": b"\xfe"}
        case "fill":
            PersistentSet("x", (name for name, _ in pairs()))
            assert PersistentSet("x", backend=store) == {"a", "b"}
        case "assign":
            Basket("x").update(fruit=(name for name, _ in pairs()))
            assert Basket("x", backend=store).fruit[:] == ["a", "b"]
