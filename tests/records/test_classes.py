from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Ge

from persistent_collections import (
    Backend,
    Password,
    PersistentDict,
    PersistentList,
    Record,
    child,
    connect,
    make_record,
)
from persistent_collections.errors import EncodeError, UnknownFieldError
from persistent_collections.objects import classes
from tests.records.models import Person


def test_make_record_makes_what_a_class_statement_does(store: Backend) -> None:
    made = make_record(
        "Ace",
        {"name": str, "age": int, "password": Password, "ships": "PersistentList[Ace]", "wing": "Ace | None"},
        defaults={"name": "unnamed"},
    )
    pilot: Any = made.ref("x")
    pilot.update(age=3, password="secret", ships=[pilot], wing=pilot)
    assert (pilot.name, pilot.age, pilot["ships"][0].id, pilot.wing) == ("unnamed", 3, "x", pilot)
    assert pilot.password.verify("secret")
    assert repr(pilot) == "Ace('x')"
    assert (made.__name__, made.__module__, pilot.key) == ("Ace", __name__, "Ace:x")
    assert made.__qualname__.endswith("does.<locals>.Ace")
    with pytest.raises(UnknownFieldError):
        pilot.ship  # noqa: B018 - reading is what raises


def test_make_record_takes_the_options_of_a_class(store: Backend) -> None:
    other = connect("memory:")
    made = make_record("Ace", {"age": int}, type_name="flyer", backend=other, codec="msgpack")
    pilot: Any = made.ref("x")
    pilot.age = 3
    assert pilot.key == "flyer:x"
    assert other.mapping(pilot._key).get_all() == {"age": b"\x03"}


def test_make_record_skips_class_variables() -> None:
    assert list(make_record("Mixed", {"a": int, "b": ClassVar[int], "c": ClassVar, "_d": int}).ref("x")) == ["a"]


def test_a_default_of_none_is_read_whatever_the_type(store: Backend) -> None:
    record = make_record("Nameless", {"name": str, "size": int}, defaults={"name": None}).ref("x")
    record["size"] = 1
    assert record["name"] is None
    record["name"] = "x"
    assert record["name"] == "x"
    record["name"] = None
    assert record["name"] is None


@pytest.mark.parametrize("value", ["x", "", 3, None, ["x"]])
def test_a_field_of_several_types_holds_each(store: Backend, value: Any) -> None:
    record = make_record("Several", {"one": str | int | list[str] | None, "name": str}).ref("x")
    record.update(one=value, name="x")
    assert record["one"] == value
    assert type(record["one"]) is type(value) or isinstance(record["one"], list)


def test_make_record_refuses_a_default_for_no_field() -> None:
    with pytest.raises(TypeError, match="there is a default for 'nmae', which is no field"):
        make_record("Ace", {"name": str}, defaults={"nmae": "x"})


@pytest.mark.parametrize("name", ["a:b", "a%", "{a", "a}b"])
def test_a_field_or_type_with_a_reserved_character_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError, match="which keys need; choose another"):
        make_record("Odd", {name: str})
    with pytest.raises(TypeError, match="which keys need; choose another"):
        make_record("Odd", {"x": str}, type_name=name)
    with pytest.raises(TypeError, match="which keys need; choose another"):

        class Odd(Record, name=name):
            x: str


@pytest.mark.parametrize("name", ["with space", "ünïcode", "class", "a.b", "a/b", "..", "a\nb", "*", "A", "a"])
def test_fields_may_have_any_other_name(store: Backend, name: str) -> None:
    record = make_record("Fields", {name: int, "list_of": PersistentList[int]}).ref("x")
    record[name] = 3
    assert record.to_dict() == {name: 3}


@pytest.mark.parametrize("name", ["with space", "ünïcode", "a.b", "a/b", "..", ".store", "CON", "*", "[x]", "A", "a"])
def test_types_may_have_any_other_name(store: Backend, name: str) -> None:
    made = make_record("Named", {"x": int, "items_": PersistentList[int]}, type_name=name)
    record = made.ref("y")
    record.update(x=3, items_=[1])
    assert record.key == f"{name}:y"
    assert list(made.ids()) == ["y"]
    assert record["items_"][:] == [1]


def test_the_field_id_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"'id' is every record's id and no field"):

        class Wrong(Record):
            id: str


def test_a_name_for_the_keys_is_given_with_the_class(store: Backend) -> None:
    class Account(Record, name="account"):
        name: str

    assert Account("x", name="y").key == "account:x"
    assert classes["account"] is Account


def test_a_subclass_has_a_name_of_its_own(store: Backend) -> None:
    class Account(Record, name="account"):
        name: str

    class Savings(Account):
        pass

    Account("a", name="x")
    Savings("s", name="y")
    assert (list(Account.ids()), list(Savings.ids())) == (["a"], ["s"])
    assert Account.count() == 1


def test_a_class_made_again_takes_the_place_of_its_namesake(store: Backend) -> None:
    def declare() -> type[Record]:
        class Again(Record):
            other: Again | None

        return Again

    first, second = declare(), declare()
    assert classes["Again"] is second
    second.ref("x").update(other=second.ref("y"))
    assert type(second.ref("x")["other"]) is second
    assert first is not second


TWO_MODULES = """
import sys, types
from persistent_collections import Record
import textwrap

def module(name, source):
    made = sys.modules[name] = types.ModuleType(name)
    exec(textwrap.dedent(source), made.__dict__)
    return made

one = module("one", '''
from persistent_collections import Record
class User(Record):
    name: str
class User(Record):
    name: str
    email: str
''')
print(list(one.User("x")))
try:
    module("two", '''
    from persistent_collections import Record
    class User(Record):
        name: str
    ''')
except TypeError as error:
    print(error)
module("three", '''
from persistent_collections import Record
class User(Record, name="three.User"):
    name: str
def make():
    class User(Record):
        size: int
    return User
''').make()
from persistent_collections.objects import classes
print(list(classes["User"].ref("x")))
"""


def test_only_module_level_classes_of_different_modules_may_not_share_a_name() -> None:
    done = subprocess.run([sys.executable, "-c", TWO_MODULES], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['name', 'email']",
        "one.User and two.User both claim the type name 'User'; give one of them another name: class User(…, name=…)",
        "['size']",
    ]


def test_an_abstract_class_leaves_its_name_to_others(store: Backend) -> None:
    class Base(Record, abstract=True):
        name: str

    class Derived(Base, name="Base"):
        size: int

    assert classes["Base"] is Derived
    assert list(Derived("x")) == ["name", "size"]
    for make in (Base, Base.ref, Base.load, Record):
        with pytest.raises(TypeError, match="is abstract; make objects of a class made from it"):
            make("x")


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (PersistentList, (int, str), r"PersistentList takes 1 type parameter\(s\), not 2"),
        (PersistentList, (), r"PersistentList takes 1 type parameter\(s\), not 0"),
        (PersistentList[int], str, r"PersistentList takes no type parameter\(s\), not 1"),
        (Person, int, r"Person takes no type parameter\(s\), not 1"),
    ],
)
def test_type_parameters_are_counted(kind: Any, parameters: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        kind[parameters]


def test_a_mixin_adds_methods_to_records(store: Backend) -> None:
    class Greeting:
        name: str

        def greet(self) -> str:
            return f"Hello {self.name}"

    class Guest(Greeting, Record):
        name: str

    assert Guest("x", name="Han").greet() == "Hello Han"


def test_a_class_names_its_backend(store: Backend) -> None:
    other = connect("memory:")

    class Apart(Record, backend=other):
        name: str
        items_: PersistentList[int] = child()

    class Sub(Apart):
        pass

    Apart("x", name="x", items_=[1])
    Sub("y", name="y")
    assert list(store.keys("")) == []
    assert sorted(map(str, other.keys(""))) == ["Apart:x", "Apart:x:items_", "Sub:y"]
    assert Apart.count() == 1
    assert not Apart("x", backend=store)


def test_a_url_of_a_class_is_connected_once_at_the_first_use() -> None:
    class Own(Record, backend="fakeredis://"):
        name: str

    class Other(Record, backend="fakeredis://"):
        name: str

    Own("x", name="x")
    Other("y", name="y")
    assert Own("x").name == "x"
    assert Own("x")._choice.backend is not Other("y")._choice.backend  # type: ignore[union-attr] # both chose a URL


def test_threads_that_use_the_url_of_a_class_first_share_one_store() -> None:
    class Crowd(Record, backend="memory:"):
        name: str

    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        Crowd(number, name="x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert Crowd.count() == 8


def test_a_wrong_url_of_a_class_is_an_error_when_the_class_is_made() -> None:
    with pytest.raises(ValueError, match="option 'a' is given twice"):

        class Wrong(Record, backend="redis://localhost?a=1&a=2"):
            name: str


def test_dicts_and_lists_of_a_subclass_are_their_own_type(store: Backend) -> None:
    class Log(PersistentList[int], name="log"):
        pass

    log = Log("x", [1])
    assert log.key == "log:x"
    assert (list(Log.ids()), list(PersistentList.ids())) == (["x"], [])
    holder = PersistentDict[str, Any]("holder", {"log": log})
    assert type(holder["log"]) is Log
    with pytest.raises(EncodeError):
        log.append("x")  # type: ignore[arg-type] # the wrong type is what this test is about


def test_child_stands_for_a_collection_that_is_declared() -> None:
    with pytest.raises(TypeError, match=r"Lost: 'tags' has no annotation; write tags: PersistentList\[…\] = child\(\)"):

        class Lost(Record):
            tags = child()

    with pytest.raises(TypeError, match=r"field 'tags' of Plain: child\(\) is for a PersistentList, PersistentDict or"):

        class Plain(Record):
            tags: list[str] = child()


def test_a_number_that_is_not_stored_counts_as_the_zero_of_its_type(store: Backend) -> None:
    class Account(Record):
        owner: str
        balance: Decimal
        ratio: float
        limited: Annotated[Decimal, Ge(0)]

    account = Account("x", owner="Ann")
    assert [repr(account.increment(name, 1)) for name in ("balance", "ratio", "limited")] == [
        "Decimal('1')",
        "1.0",
        "Decimal('1')",
    ]
    assert repr(PersistentDict[str, Decimal]("sums").increment("a", 2)) == "Decimal('2')"
    assert PersistentDict[str, Any]("any").increment("a") == 1
