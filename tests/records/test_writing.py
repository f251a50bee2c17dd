from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NewType

import pytest
from typing_extensions import TypeAliasType

from persistent_collections import (
    Backend,
    ConflictError,
    EncodeError,
    ObjectExists,
    ObjectNotFound,
    Record,
    connect,
    make_record,
)
from tests.records.models import Defaults, Employee, Guest, Person, Zeros
from tests.servers import RunningServer


def stored(backend: Backend, record: Record) -> dict[str, bytes]:
    return backend.mapping(record.__pc__.key).get_all()


def test_making_a_handle_writes_and_reads_nothing(store: Backend) -> None:
    assert not Person("leia")
    assert list(store.keys("")) == []


def test_a_record_made_with_values_and_no_id_is_found_by_the_one_it_got(store: Backend) -> None:
    person = Person(name="Anyone")
    assert Person.load(person.id).name == "Anyone"
    assert list(Person.ids()) == [person.id]


def test_values_given_are_written_whether_or_not_the_record_exists(store: Backend) -> None:
    Person("leia", name="Leia", age=18)
    Person("leia", age=19, nickname="Princess")
    assert Person("leia").to_dict() == {**Person("leia").to_dict(), "name": "Leia", "age": 19, "nickname": "Princess"}


def test_children_given_are_replaced_and_those_not_given_stay(store: Backend) -> None:
    luke, han = Person("luke", name="Luke"), Person("han", name="Han")
    Person("leia", name="Leia", friends=[luke], scores={"a": 1}, teams={"x"})
    Person("leia", friends=[han, luke], teams=["y", "z"])
    leia = Person("leia")
    assert (leia.friends[:], leia.scores.copy(), leia.teams.copy()) == ([han, luke], {"a": 1}, {"y", "z"})


def test_a_record_can_be_written_by_a_child_alone(store: Backend) -> None:
    leia = Person("leia", friends=[Person.ref("luke")])
    assert leia
    assert leia.name == ""


@pytest.mark.parametrize(
    "values",
    [
        {"name": "new", "age": "old"},
        {"age": "old", "name": "new"},
        {"name": "new", "friends": ["luke"]},
        {"friends": [], "scores": {"a": "one"}},
        {"teams": {"x"}, "scores": {1: 1}},
        {"name": "new", "password": 3},
        {"name": "new", "friends": 3},
        {"name": "new", "scores": 3},
        {"name": "new", "friends": None},
        {"name": None, "age": 4},
    ],
)
@pytest.mark.parametrize(
    "write",
    [
        lambda values: Person("leia", **values),
        lambda values: Person("leia").update(**values),
        lambda values: Person.create("new", **values),
    ],
    ids=["construct", "update", "create"],
)
def test_values_are_all_checked_before_any_is_written(
    store: Backend, write: Callable[[dict[str, Any]], object], values: dict[str, Any]
) -> None:
    luke = Person("luke", name="Luke")
    leia = Person("leia", name="Leia", age=19, friends=[luke], scores={"a": 1})
    with pytest.raises(TypeError):
        write(values)
    assert (leia.name, leia.age) == ("Leia", 19)
    assert (leia.friends[:], leia.scores.copy(), leia.teams.copy()) == ([luke], {"a": 1}, set())
    assert sorted(Person.ids()) == ["leia", "luke"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 3),
        ("text", b"x"),
        ("whole", "3"),
        ("whole", 3.0),
        ("whole", True),
        ("real", "x"),
        ("truth", 1),
        ("data", "x"),
        ("items_", [1, "2"]),
        ("items_", (1, 2)),
        ("mapping", {"a": "b"}),
        ("unique", {1, "2"}),
        ("pair", [1]),
        ("maybe_whole", "x"),
        ("day", "2024-01-01"),
        ("anything", object()),
        ("other", "Person:x"),
        ("text", None),
        ("items_", None),
    ],
)
def test_a_value_of_another_type_is_refused_naming_field_and_type_but_no_value(
    store: Backend, field: str, value: Any
) -> None:
    record = Zeros("x", whole=1)
    with pytest.raises(EncodeError, match=rf"field '{field}' of 'Zeros:x'") as caught:
        record[field] = value
    named = "None" if value is None else type(value).__name__
    assert named in str(caught.value) or isinstance(value, list | dict | set)
    assert "2024" not in str(caught.value)
    assert list(stored(store, record)) == ["whole"]


def test_an_int_given_for_a_float_is_stored_as_a_float(store: Backend) -> None:
    record = Zeros("x", real=3)
    assert (record.real, type(record.real)) == (3.0, float)


def test_update_sets_several_fields_and_children(store: Backend) -> None:
    leia = Person("leia", name="Leia", friends=[Person.ref("luke")])
    leia.update(name="General Leia", age=53, friends=[], scores={"a": 2})
    assert (leia.name, leia.age, leia.friends[:], leia.scores.copy()) == ("General Leia", 53, [], {"a": 2})


def test_an_update_of_nothing_does_nothing(store: Backend) -> None:
    Person("leia").update()
    assert not Person("leia")


def test_a_field_called_self_can_be_updated(store: Backend) -> None:
    class Selfish(Record):
        self: str

    record = Selfish("x")
    record.update(self="me")
    assert Selfish("x", self="I")["self"] == "I"
    assert Selfish.create("y", self="you")["self"] == "you"


def test_create_stores_a_record_that_does_not_exist(store: Backend) -> None:
    leia = Guest.create("leia", name="Leia", friends=[Guest.ref("luke")])
    assert (leia.name, leia.friends[0].id) == ("Leia", "luke")


@pytest.mark.parametrize(
    "there",
    [
        {"name": "first"},
        {"friends": [Guest.ref("luke")]},
        {"scores": {"a": 1}},
        {"teams": {"x"}},
    ],
)
@pytest.mark.parametrize("values", [{"teams": ["y"]}, {"friends": []}])
def test_create_refuses_what_exists_be_it_only_a_child(
    store: Backend, there: dict[str, Any], values: dict[str, Any]
) -> None:
    leia = Guest("leia", **there)
    before = (leia.to_dict(), leia.friends[:], leia.scores.copy(), leia.teams.copy())
    with pytest.raises(ObjectExists, match="'Guest:leia' exists already"):
        Guest.create("leia", name="second", **values)
    assert (leia.to_dict(), leia.friends[:], leia.scores.copy(), leia.teams.copy()) == before


@pytest.mark.parametrize("values", [{}, {"nickname": None}, {"friends": []}, {"nickname": "x", "scores": {}}])
def test_create_needs_every_field_without_a_default(store: Backend, values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"Guest.create\(\) is missing 'name': give name=…, or declare a default"):
        Guest.create("leia", **values)
    with pytest.raises(TypeError, match="is missing 'name', 'email', 'age', 'password', 'tags': give name=…, email=…"):
        Person.create("leia", nickname="x")
    assert list(store.keys("")) == []


@pytest.mark.parametrize(
    "kind",
    [
        int | None,
        Annotated[int | None, "an age"],
        TypeAliasType("Age", int | None),
        NewType("OwnAge", int | None),
        TypeAliasType("Old", int | None) | bytes,
        Literal[1, None],
        Final[int | None],
    ],
)
def test_create_needs_no_field_that_may_be_none_however_it_is_declared(store: Backend, kind: Any) -> None:
    assert make_record("Ageing", {"age": kind}).create("x").to_dict() == {"age": None}


def test_create_without_an_id_makes_one(store: Backend) -> None:
    assert len(Guest.create(name="Anyone").id) == 12
    assert Guest.count() == 1


def test_of_several_threads_that_create_exactly_one_wins(store: Backend) -> None:
    def create(number: int) -> bool:
        try:
            Guest.create("leia", name=f"Leia {number}", teams={str(number)})
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(24)))
    assert won.count(True) == 1
    winner = str(won.index(True))
    assert (Guest("leia").name, Guest("leia").teams.copy()) == (f"Leia {winner}", {winner})


def _create(url: str, number: int) -> bool:
    try:
        Guest.create("leia", backend=url, name=f"Leia {number}", teams={str(number)})
    except ObjectExists:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("medium", ["json", "server"])
def test_of_several_processes_that_create_exactly_one_wins(medium: str, server: RunningServer, tmp_path: Path) -> None:
    url = server.url if medium == "server" else f"json:{tmp_path}"
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        won = pool.starmap(_create, [(url, number) for number in range(40)], chunksize=1)
    assert won.count(True) == 1
    leia, winner = Guest("leia", backend=url), str(won.index(True))
    assert (leia.name, leia.teams.copy()) == (f"Leia {winner}", {winner})


def test_none_unsets_a_field_that_reads_as_none_while_unset(store: Backend) -> None:
    leia = Person("leia", name="Leia", nickname="Princess", best=Person.ref("luke"))
    leia.nickname = None
    leia.best = None
    assert (leia.nickname, leia.best) == (None, None)
    assert list(stored(store, leia)) == ["name"]


def test_none_is_a_value_where_the_default_is_another(store: Backend) -> None:
    record = Defaults("x", whole=1)
    record.maybe_whole = None
    assert record.maybe_whole is None
    assert "maybe_whole" in stored(store, record)
    del record.maybe_whole
    assert record.maybe_whole == 3


def test_deleting_a_field_unsets_it(store: Backend) -> None:
    record = Defaults("x", whole=1, text="some")
    del record["text"]
    assert record.text == "none yet"
    del record.text
    assert "text" not in stored(store, record)
    assert "whole" in stored(store, record)


def test_deleting_a_child_empties_it(store: Backend) -> None:
    leia = Person("leia", name="Leia", friends=[Person.ref("luke")])
    del leia["friends"]
    assert leia.friends[:] == []
    assert leia.name == "Leia"


def test_a_field_becomes_optional_with_no_rewrite(store: Backend) -> None:
    strict = make_record("Growing", {"name": str, "age": int})
    strict("x").update(name="old", age=1)
    lenient = make_record("Growing", {"name": str | None, "age": int})
    later = lenient("x")
    assert later["name"] == "old"
    later["name"] = None
    assert later["name"] is None
    later["name"] = "new"
    assert strict("x")["name"] == "new"


def test_a_field_added_to_a_class_reads_as_its_default_in_older_records(store: Backend) -> None:
    class Old(Record, name="Versioned"):
        name: str

    Old("x", name="old")

    class New(Record, name="Versioned"):
        name: str
        size: int = 4

    assert New("x").size == 4


def test_increment_adds_in_the_store(store: Backend) -> None:
    leia = Person("leia", name="Leia")
    assert leia.increment("age") == 1
    assert leia.increment("age", 18) == 19
    assert leia.age == 19
    assert leia.increment("age", -20) == -1


def test_increment_starts_from_the_default(store: Backend) -> None:
    record = Defaults("x", text="a")
    assert record.increment("whole", 3) == 10
    assert record.whole == 10


def test_increment_makes_a_record_as_any_write_does(store: Backend) -> None:
    assert Person("leia").increment("age") == 1
    assert Person.load("leia").age == 1


def test_increment_adds_floats_and_other_numbers(store: Backend) -> None:
    record = Zeros("x", text="a")
    assert record.increment("real", 0.5) == 0.5
    assert record.increment("real") == 1.5
    assert record.increment("maybe_whole") == 1
    assert record.increment("anything", 2**70) == 2**70
    assert record.increment("anything", 1) == 2**70 + 1


def test_increment_goes_on_past_64_bits(store: Backend) -> None:
    leia = Person("leia", age=2**63 - 1)
    assert leia.increment("age") == 2**63
    assert leia.increment("age", -1) == 2**63 - 1


@pytest.mark.parametrize(("field", "by"), [("text", 1), ("whole", "1"), ("whole", 0.5), ("items_", 1), ("unique", 1)])
def test_increment_of_what_is_no_number_is_a_type_error(store: Backend, field: str, by: Any) -> None:
    record = Zeros("x", text="a", whole=3)
    with pytest.raises(TypeError):
        record.increment(field, by)
    assert (record.text, record.whole) == ("a", 3)


def test_a_child_is_neither_incremented_nor_edited(store: Backend) -> None:
    leia = Person("leia", name="Leia")
    with pytest.raises(TypeError, match="'friends' of 'Person:leia' is a child collection"):
        leia.increment("friends")
    with pytest.raises(TypeError, match="is a child collection"), leia.edit("friends"):
        pass


def test_parallel_increments_are_all_counted(store: Backend) -> None:
    leia = Person("leia", name="Leia")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: leia.increment("age"), range(80)))
    assert leia.age == 80


def test_edit_stores_what_the_block_changed(store: Backend) -> None:
    leia = Person("leia", tags=["b", "a"])
    with leia.edit("tags") as tags:
        assert type(tags) is list
        tags.sort()
        tags.append("c")
        assert leia.tags == ["b", "a"]
    assert leia.tags == ["a", "b", "c"]


def test_edit_starts_from_the_default_of_an_unset_field(store: Backend) -> None:
    record = Defaults("x", whole=1)
    with record.edit("tags") as tags:
        tags.append("more")
    assert record.tags == ["new", "more"]


def test_a_block_left_by_an_exception_writes_nothing(store: Backend) -> None:
    leia = Person("leia", tags=["a"])
    with suppress(RuntimeError), leia.edit("tags") as tags:
        tags.append("b")
        raise RuntimeError
    assert leia.tags == ["a"]


def test_edit_refuses_to_overwrite_what_changed_meanwhile(store: Backend) -> None:
    leia = Person("leia", tags=["a"])
    editing = leia.edit("tags")
    editing.__enter__().append("b")
    Person("leia").tags = ["other"]
    with pytest.raises(ConflictError, match="'tags'"):
        editing.__exit__(None, None, None)
    assert leia.tags == ["other"]


def test_edit_of_what_cannot_change_in_place_is_a_type_error(store: Backend) -> None:
    leia = Person("leia", name="Leia", best=Person.ref("luke"))
    for field in ("name", "age", "nickname", "best"):
        with pytest.raises(TypeError, match=r"assign a new value, or use increment"), leia.edit(field):
            pass


def test_edit_of_a_record_that_does_not_exist_is_an_error(store: Backend) -> None:
    with pytest.raises(ObjectNotFound), Person("nobody").edit("tags"):
        pass


def test_nested_values_of_a_field_are_written_back(store: Backend) -> None:
    record = Zeros("x", anything={"a": [{"b": [1]}]})
    record.anything["a"][0]["b"].append(2)
    record["anything"]["c"] = {"d"}
    record.anything["c"].add("e")
    assert record.anything == {"a": [{"b": [1, 2]}], "c": {"d", "e"}}
    record.items_ += [1, 2]
    record.items_ *= 2
    record.unique |= {5}
    record["mapping"] |= {"k": 1}
    assert (record.items_, record.unique, record.mapping) == ([1, 2, 1, 2], {5}, {"k": 1})


def test_a_nested_value_that_changed_meanwhile_is_not_overwritten(store: Backend) -> None:
    leia = Person("leia", tags=["a"])
    mine = leia.tags
    Person("leia").tags = ["other"]
    with pytest.raises(ConflictError, match="'tags' of Person:leia changed since it was read"):
        mine.append("b")
    assert mine == ["a"]
    assert leia.tags == ["other"]


def test_a_nested_value_is_checked_against_the_annotation(store: Backend) -> None:
    leia = Person("leia", tags=["a"])
    tags: Any = leia.tags
    with pytest.raises(EncodeError):
        tags.append(3)
    assert (tags, leia.tags) == (["a"], ["a"])


def test_a_nested_value_of_a_record_deleted_meanwhile_is_not_written(store: Backend) -> None:
    leia = Person("leia", tags=["a"])
    tags = leia.tags
    leia.delete()
    with pytest.raises(ObjectNotFound):
        tags.append("b")
    assert not leia


def test_the_default_of_a_record_deleted_meanwhile_is_not_written(store: Backend) -> None:
    record = Defaults("x", whole=1)
    tags = record.tags
    record.delete()
    with pytest.raises(ObjectNotFound):
        tags.append("more")
    assert not record


@pytest.mark.parametrize(
    "change",
    [
        lambda leia: leia.__delitem__("tags"),
        lambda leia: leia.update(tags=["other"]),
        lambda leia: leia.tags.append("other"),
    ],
)
def test_a_value_read_before_a_change_is_stored_when_assigned_after_it(store: Backend, change: Any) -> None:
    leia = Person("leia", name="Leia", tags=["a"])
    tags = leia.tags
    change(leia)
    leia.tags = tags
    assert leia.tags == ["a"]


def test_delete_takes_the_children_along(store: Backend) -> None:
    leia = Employee("leia", name="Leia", friends=[Person.ref("luke")], scores={"a": 1}, teams={"x"}, reports=[])
    assert leia.delete()
    assert not leia
    assert list(store.keys("")) == []
    assert not leia.delete()
    again = Employee("leia", name="Leia")
    assert (again.friends[:], again.scores.copy(), again.teams.copy()) == ([], {}, set())


def test_delete_finds_a_record_that_was_made_by_a_child(store: Backend) -> None:
    leia = Person("leia", teams={"x"})
    assert leia.delete()
    assert list(store.keys("")) == []


def test_what_is_stored_does_not_depend_on_init_or_str_of_a_subclass(store: Backend) -> None:
    class Member(Record):
        name: str
        email: str
        best: Member | None

        def __init__(self, id: str | None = None, email: str | None = None, **values: Any) -> None:
            super().__init__(email or id, **({"email": email} if email else {}), **values)

        def __str__(self) -> str:
            return f"Member {self.name}"

        def __repr__(self) -> str:
            return "an account"

    luke = Member(email="luke@example.com", name="Luke")
    han = Member(email="han@example.com", name="Han", best=luke)
    assert str(luke) == "Member Luke"
    assert luke.key == "Member:luke@example.com"
    found = Member("han@example.com").best
    assert found == luke
    assert found is not None
    assert found.name == "Luke"
    assert Member.load("han@example.com").best == luke
    assert sorted(account.name for account in Member.all()) == ["Han", "Luke"]
    assert stored(store, han)["best"].strip(b'"') == b"Member:luke@example.com"


def test_two_stores_hold_two_records_of_one_key(store: Backend) -> None:
    other = connect("memory:")
    here, there = Person("leia", name="here"), Person("leia", name="there", backend=other)
    assert (here.name, there.name) == ("here", "there")
    assert here != there
    assert list(Person.all(backend=other)) == [there]
