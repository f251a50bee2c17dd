from __future__ import annotations

import typing as t
from datetime import date
from typing import Any, ClassVar

import pytest

from persistent_collections import (
    Backend,
    ObjectNotFound,
    PersistentList,
    Record,
    UnknownFieldError,
    child,
    make_record,
)
from persistent_collections.backends.keys import Key
from tests.records.models import Clashing, Defaults, Employee, Person, Zeros


def test_a_field_reads_as_it_was_given_by_item_and_by_attribute(store: Backend) -> None:
    person = Person("leia", name="Leia", age=19, tags=["a"])
    assert person["name"] == person.name == "Leia"
    assert person["age"] == person.age == 19
    assert person["tags"] == person.tags == ["a"]


def test_a_field_is_written_by_item_and_by_attribute(store: Backend) -> None:
    person = Person("leia", name="Leia")
    person["name"] = "Leia Organa"
    person.age = 19
    assert (person.name, person["age"]) == ("Leia Organa", 19)


def test_another_handle_reads_the_same_fields(store: Backend) -> None:
    Person("leia", name="Leia", best=Person("luke", name="Luke"))
    assert Person("leia").name == "Leia"
    assert Person.load("leia")["best"]["name"] == "Luke"


@pytest.mark.parametrize(
    ("field", "zero"),
    [
        ("text", ""),
        ("whole", 0),
        ("real", 0.0),
        ("truth", False),
        ("data", b""),
        ("items_", []),
        ("bare_list", []),
        ("mapping", {}),
        ("unique", set()),
        ("frozen", frozenset()),
        ("pair", ()),
        ("maybe_text", None),
        ("maybe_whole", None),
        ("day", None),
        ("anything", None),
        ("other", None),
    ],
)
def test_an_unset_field_reads_as_the_zero_of_its_type(store: Backend, field: str, zero: Any) -> None:
    record = Zeros("x")
    record[{"text": "whole"}.get(field, "text")] = {"text": 1}.get(field, "there")
    assert record[field] == zero
    assert isinstance(record[field], type(zero))


def test_an_unset_password_is_falsy_and_verifies_nothing(store: Backend) -> None:
    person = Person("leia", name="Leia")
    assert not person.password
    assert not person.password.verify("")
    assert not person.password.verify("Leia")


def test_an_unset_field_reads_as_its_default(store: Backend) -> None:
    record = Defaults("x", whole=8)
    assert record.to_dict() == {
        "text": "none yet",
        "whole": 8,
        "truth": True,
        "tags": ["new"],
        "maybe": None,
        "maybe_whole": 3,
        "day": date(2024, 2, 29),
    }


def test_a_default_is_made_anew_for_each_object(store: Backend) -> None:
    one, other = Defaults("one", whole=1), Defaults("other", whole=2)
    one.tags.append("more")
    assert (one.tags, other.tags, Defaults("one").tags) == (["new", "more"], ["new"], ["new", "more"])


def test_defaults_are_stored_when_a_record_is_made(store: Backend) -> None:
    Defaults("x", whole=8)
    stored = store.mapping(Defaults.ref("x").__pc__.key).get_all()
    assert set(stored) == {"text", "whole", "truth", "tags", "maybe_whole", "day"}
    Defaults("x", truth=False)
    assert Defaults.ref("x").to_dict()["whole"] == 8, "defaults are not stored again"


def test_a_value_equal_to_the_default_is_stored_once_set(store: Backend) -> None:
    record = Defaults("x", whole=8)
    record.whole = 7
    assert store.mapping(record.__pc__.key).get("whole") == b"7"


@pytest.mark.parametrize("field", ["name", "age", "password", "nickname", "tags", "best"])
def test_reading_a_field_of_a_record_that_does_not_exist_is_an_error(store: Backend, field: str) -> None:
    with pytest.raises(ObjectNotFound, match=r"'Person:nobody' does not exist"):
        Person("nobody")[field]


@pytest.mark.parametrize("read", [Person.items, Person.values, Person.to_dict])
def test_reading_all_of_a_record_that_does_not_exist_is_an_error(store: Backend, read: Any) -> None:
    with pytest.raises(ObjectNotFound, match=r"'Person:nobody' does not exist"):
        read(Person("nobody"))


def test_a_child_of_a_record_that_does_not_exist_is_empty(store: Backend) -> None:
    nobody = Person("nobody")
    assert (nobody.friends[:], nobody.scores.copy(), nobody.teams.copy()) == ([], {}, set())
    assert not nobody


def test_a_record_exists_until_it_is_deleted(store: Backend) -> None:
    person = Person("leia")
    assert not person
    person.teams.add("rebels")
    assert person
    assert person.name == ""
    person.teams.clear()
    assert person
    person.name = "Leia"
    del person.name
    assert person
    person.delete()
    assert not person


def test_get_reads_a_field_or_gives_the_default_where_reading_raises_a_key_error(store: Backend) -> None:
    person = Person("leia", name="Leia")
    assert person.get("name") == "Leia"
    assert person.get("age", 5) == 0
    assert person.get("best", "none") is None
    assert person.get("id") == "leia"
    assert person.get("nmae") is None
    assert person.get("nmae", 1) == 1
    assert Person("nobody").get("name", "gone") == "gone"
    assert person.get("friends") == []


def test_items_and_values_give_what_reading_each_gives(store: Backend) -> None:
    person = Person("leia", name="Leia", tags=["a"], best=Person("luke", name="Luke"), friends=[Person.ref("luke")])
    others = [name for name in person if name != "password"]
    assert [(name, value) for name, value in person.items() if name != "password"] == [(n, person[n]) for n in others]
    assert len(person.values()) == len(person)
    dict(person.items())["tags"].append("b")
    assert person.tags == ["a", "b"]
    dict(person.items())["friends"].append(person)
    assert len(person.friends) == 2


def test_to_dict_gives_plain_values_without_the_children(store: Backend) -> None:
    luke = Person("luke", name="Luke")
    person = Person("leia", name="Leia", tags=["a"], best=luke, friends=[luke])
    plain = person.to_dict()
    assert list(plain) == ["name", "email", "age", "password", "nickname", "tags", "best", "twin"]
    assert type(plain["tags"]) is list
    assert plain["best"] == luke
    plain["tags"].append("b")
    assert person.tags == ["a"]


def test_declared_fields_are_what_a_record_is_made_of(store: Backend) -> None:
    person = Person("nobody")
    names = ["name", "email", "age", "password", "nickname", "tags", "best", "twin", "friends", "scores", "teams"]
    assert list(person) == person.keys() == names
    assert len(person) == len(names)
    assert "name" in person
    assert "friends" in person
    assert "nmae" not in person
    assert "id" not in person
    assert 3 not in person


def test_inherited_fields_come_first(store: Backend) -> None:
    assert list(Employee("x"))[-4:] == ["teams", "salary", "boss", "reports"]
    worker = Employee("x", name="Chewie", salary=3)
    assert (worker.name, worker.salary, worker.friends[:]) == ("Chewie", 3, [])


def test_the_fields_of_several_bases_are_all_inherited(store: Backend) -> None:
    class Named(Record):
        name: str = "unnamed"
        size: int = 1

    class Sized(Record):
        size: int = 2
        weight: int

    class Both(Named, Sized):
        colour: str

    both = Both("x", weight=3, colour="red")
    assert both.to_dict() == {"size": 1, "weight": 3, "name": "unnamed", "colour": "red"}


def test_a_field_declared_again_in_a_subclass_takes_the_place_of_the_inherited_one(store: Backend) -> None:
    class Base(Record):
        size: int
        name: str = "base"

    class Derived(Base):
        size: str  # type: ignore[assignment] # another type is what this test is about

    assert list(Derived("x")) == ["size", "name"]
    assert Derived("x", size="large").size == "large"
    assert Derived("x").name == "base"


def test_a_plain_default_in_a_subclass_replaces_the_inherited_one(store: Backend) -> None:
    class Base(Record):
        size: int = 1
        name: str

    class Derived(Base):
        size = 2

    derived = Derived("x", name="x")
    assert derived.size == derived["size"] == 2
    derived.size = 3
    assert Derived("x").size == Derived("x")["size"] == 3


def test_the_id_is_read_as_any_field_but_never_written(store: Backend) -> None:
    person = Person("leia", name="Leia")
    assert person["id"] == person.id == "leia"
    with pytest.raises(UnknownFieldError, match=r"the id of 'Person:leia' is fixed"):
        person["id"] = "han"
    with pytest.raises(AttributeError):
        person.id = "han"
    with pytest.raises(UnknownFieldError, match="is fixed"):
        person.update(id="han")
    assert person.id == "leia"


@pytest.mark.parametrize(
    "use",
    [
        lambda person: person["nmae"],
        lambda person: person.nmae,
        lambda person: person.__setitem__("nmae", "x"),
        lambda person: setattr(person, "nmae", "x"),
        lambda person: person.__delitem__("nmae"),
        lambda person: person.update(age=3, nmae="x"),
        lambda person: person.increment("nmae"),
        lambda person: person.edit("nmae").__enter__(),
        lambda person: Person(person.id, age=3, nmae="x"),
        lambda person: Person.create("new", age=3, nmae="x"),
    ],
)
def test_an_undeclared_field_is_an_error_that_names_the_nearest_before_anything_is_written(
    store: Backend, use: Any
) -> None:
    person = Person("leia", name="Leia")
    with pytest.raises(UnknownFieldError, match=r"no field 'nmae' in Person; did you mean 'name'\?") as caught:
        use(person)
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, AttributeError)
    assert person.to_dict() == Person("leia").to_dict()
    assert person.age == 0
    assert list(Person.ids()) == ["leia"]


@pytest.mark.parametrize("name", [3, None, ("name",), b"name", ["name"], {}])
def test_a_field_that_is_no_text_is_unknown(store: Backend, name: Any) -> None:
    with pytest.raises(UnknownFieldError, match="no field"):
        Person("leia")[name]


def test_hasattr_and_getattr_know_the_declared_fields(store: Backend) -> None:
    person = Person("leia", name="Leia")
    assert hasattr(person, "name")
    assert not hasattr(person, "nmae")
    assert getattr(person, "nmae", 3) == 3


def test_a_record_of_no_fields_says_so(store: Backend) -> None:
    class Blank(Record):
        pass

    with pytest.raises(UnknownFieldError, match="no field 'x' in Blank, which declares none"):
        Blank("x")["x"]
    assert list(Blank("x")) == []


def test_a_field_with_the_name_of_a_method_is_reached_by_item(store: Backend) -> None:
    given: dict[str, Any] = {name: name for name in Clashing("x")} | {"items": [1], "count": 5}
    record = Clashing("x")
    record.update(**given)
    assert {name: record[name] for name in record} == dict(record.items()) == record.to_dict() == given
    assert record.key == str(record) == "Clashing:x"
    assert Clashing.type_name == "Clashing"
    assert Clashing.count() == 1
    assert record.get("get") == "get"
    record.update(update="new")
    assert record["update"] == "new"
    assert record.delete()


def test_a_field_with_the_name_of_no_method_is_an_attribute(store: Backend) -> None:
    record: Any = Clashing("x")
    record.register = "yours"
    assert record["register"] == record.register == "yours"


def test_a_field_may_have_the_name_of_its_type(store: Backend) -> None:
    class Dated(Record):
        name: str
        date: date

    dated = Dated("x", date=date(2024, 1, 2))
    assert dated.date == dated["date"] == date(2024, 1, 2)


def test_a_default_of_a_field_with_the_name_of_a_method_leaves_the_method_its_attribute(store: Backend) -> None:
    counted = make_record("Counted", {"count": int, "name": str}, defaults={"count": 3})
    counted("x")["name"] = "x"
    assert counted.count() == 1
    assert counted("x")["count"] == 3


def test_a_field_with_the_name_of_an_inherited_method_leaves_it_its_attribute(store: Backend) -> None:
    class Polite(Record, abstract=True):
        def greet(self) -> str:
            return "Hello"

    class Guest(Polite):
        greet: str  # type: ignore[assignment] # one name for two things is what this test is about

    guest: Any = Guest("x")
    guest["greet"] = "Good day"
    assert (guest["greet"], guest.greet()) == ("Good day", "Hello")


def test_assigning_to_the_attribute_of_a_method_says_how_the_field_is_reached(store: Backend) -> None:
    record: Any = Clashing("x")
    record["count"] = 5
    with pytest.raises(AttributeError, match=r"\['items'\]"):
        record.items = [1]
    with pytest.raises(AttributeError):
        record.key = "other"
    assert record["count"] == 5
    assert record["items"] == []


def test_a_method_can_be_declared_beside_fields(store: Backend) -> None:
    class Greeter(Record):
        name: str

        def greet(self) -> str:
            return f"Hello {self.name}"

        @property
        def initial(self) -> str:
            return self.name[0]

    greeter = Greeter("x", name="Han")
    assert (greeter.greet(), greeter.initial, list(greeter)) == ("Hello Han", "H", ["name"])


def test_a_record_is_copied_into_a_dict_by_its_keys(store: Backend) -> None:
    record = Defaults("x", whole=8)
    assert dict(record) == record.to_dict()


def test_a_class_variable_and_a_private_annotation_are_no_fields(store: Backend) -> None:
    class Mixed(Record):
        name: str
        limit: ClassVar[int] = 3
        other: t.ClassVar = 4
        _cache: dict[str, int]

    mixed = Mixed("x", name="a")
    assert (list(mixed), Mixed.limit, mixed.limit, mixed.other) == (["name"], 3, 3, 4)


def test_a_child_list_is_declared_with_child(store: Backend) -> None:
    class Parent(Record):
        one: PersistentList[int] = child()
        two: PersistentList[int]

    parent = Parent("x", one=[1], two=[2])
    assert (parent.one[:], parent.two[:]) == ([1], [2])


def test_an_unset_field_that_is_looked_at_stays_unset(store: Backend) -> None:
    class Post(Record):
        title: str
        tags: list[str] = ["new"]  # noqa: RUF012 - a field's default, evaluated for each object

    post = Post("x", title="Hello")
    with post.edit("tags") as tags:
        assert tags == ["new"]
    post.tags.remove("new")
    post.tags.append("new")
    del post["tags"]
    post.tags.extend([])
    assert store.mapping(Key("Post:x")).get("tags") is None
    with post.edit("tags") as tags:
        tags.append("old")
    assert post.tags == ["new", "old"]


def test_an_attribute_error_in_a_property_is_its_own(store: Backend) -> None:
    class User(Record):
        name: str

        @property
        def initials(self) -> str:
            return self.nickname[0]  # type: ignore[no-any-return, attr-defined]  # what the test is about

        @property
        def shadow(self) -> str:
            raise AttributeError("no light")

    user = User("x", name="Luke")
    with pytest.raises(AttributeError, match="no light"):
        _ = user.shadow
    with pytest.raises(UnknownFieldError, match="no field 'nickname' in User"):
        _ = user.initials
