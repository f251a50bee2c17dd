from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from types import new_class
from typing import Annotated, Any, ClassVar, Final
from uuid import uuid4

import pytest
from annotated_types import Ge

from persistent_collections import (
    Backend,
    Password,
    PersistentDict,
    PersistentList,
    Record,
    child,
    classes,
    codec,
    connect,
    field,
    make_record,
    stored_as,
)
from persistent_collections.errors import EncodeError, UnknownFieldError
from tests.records.models import Person


def test_make_record_makes_what_a_class_statement_does(store: Backend) -> None:
    made = make_record(
        "Ace",
        {"name": str, "age": int, "password": Password, "ships": "PersistentList[Ace]", "wing": "Ace | None"},
        defaults={"name": "unnamed"},
    )
    pilot: Any = made("x")
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
    pilot: Any = made("x")
    pilot.age = 3
    assert pilot.key == "flyer:x"
    assert other.mapping(pilot.__pc__.key).get_all() == {"age": b"\x03"}


def test_make_record_skips_class_variables() -> None:
    assert list(make_record("Mixed", {"a": int, "b": ClassVar[int], "c": ClassVar, "_d": int}).ref("x")) == ["a"]


def test_a_default_of_none_is_read_whatever_the_type(store: Backend) -> None:
    record = make_record("Nameless", {"name": str, "size": int}, defaults={"name": None})("x")
    record["size"] = 1
    assert record["name"] is None
    record["name"] = "x"
    assert record["name"] == "x"
    record["name"] = None
    assert record["name"] is None


@pytest.mark.parametrize("value", ["x", "", 3, None, ["x"]])
def test_a_field_of_several_types_holds_each(store: Backend, value: Any) -> None:
    kind = Annotated[str | int | list[str] | None, codec("json")]
    record = make_record("Several", {"one": kind, "name": str})("x")
    record.update(one=value, name="x")
    assert record["one"] == value
    assert type(record["one"]) is type(value) or isinstance(record["one"], list)


def test_make_record_refuses_a_default_for_no_field() -> None:
    with pytest.raises(TypeError, match="'nmae' has a default, but is not a field"):
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
    record = make_record("Fields", {name: int, "list_of": PersistentList[int]})("x")
    record[name] = 3
    assert record.to_dict() == {name: 3}


@pytest.mark.parametrize("name", ["with space", "ünïcode", "a.b", "a/b", "..", ".store", "CON", "*", "[x]", "A", "a"])
def test_types_may_have_any_other_name(store: Backend, name: str) -> None:
    made = make_record("Named", {"x": int, "items_": PersistentList[int]}, type_name=name)
    record = made("y")
    record.update(x=3, items_=[1])
    assert record.key == f"{name}:y"
    assert list(made.ids()) == ["y"]
    assert record["items_"][:] == [1]


@pytest.mark.parametrize("name", ["id", "backend", "expire", "key", "type_name"])
def test_a_field_that_would_be_swallowed_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError, match=f"write {name}_: Annotated.*stored_as.'{name}'.., or choose another name"):
        make_record("Swallowing", {name: str})
    for stored in (make_record("Stored", {f"{name}_": Annotated[str, stored_as(name)]}),):
        assert list(stored("x")) == [f"{name}_"]


@pytest.mark.parametrize("name", ["backend", "expire", "key", "type_name"])
def test_a_field_may_be_stored_under_a_name_that_is_taken(store: Backend, name: str) -> None:
    made: Any = make_record("Stored", {f"{name}_": Annotated[int, stored_as(name)]})
    record = made.create("x", **{f"{name}_": 3}, expire=1000)
    assert (record[f"{name}_"], record.key) == (3, "Stored:x")
    assert record.ttl() is not None
    assert made.load("x").to_dict() == {f"{name}_": 3}


def test_the_field_id_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a field cannot be called 'id', which is an attribute of every record"):

        class Wrong(Record):
            id: str


def test_a_name_for_the_keys_is_given_with_the_class(store: Backend) -> None:
    class Account(Record, name="account"):
        name: str

    assert Account("x", name="y").key == "account:x"
    assert classes.every()["account"] is Account


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
    assert classes.every()["Again"] is second
    second("x").update(other=second("y"))
    assert type(second("x")["other"]) is second
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
from persistent_collections import classes
print(list(classes.every()["User"].ref("x")))
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

    assert classes.every()["Base"] is Derived
    assert list(Derived("x")) == ["name", "size"]
    for make in (Base, Base.ref, Base.load, Record):
        with pytest.raises(TypeError, match="is abstract; make objects of a subclass"):
            make("x")


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (PersistentList, (int, str), r"PersistentList takes 1 type parameter\(s\), not 2"),
        (PersistentList, (), r"PersistentList takes 1 type parameter\(s\), not 0"),
        (PersistentList[int], str, r"PersistentList takes no type parameter\(s\), not 1"),
        (Person, int, r"Person takes no type parameter\(s\), not 1"),
        (Person, "luke", r"not 1; Person.load\(id\) returns the object that has an id"),
    ],
)
def test_type_parameters_are_counted(kind: Any, parameters: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        kind[parameters]


@pytest.mark.parametrize(
    ("base", "option", "hint"),
    [
        (Record, "unque", "did you mean 'unique'"),
        (Record, "table", "known: 'abstract', 'backend', 'codec', 'indexes', 'name', 'unique'"),
        (PersistentList, "unique", "known: 'abstract', 'backend', 'codec', 'name'"),
    ],
)
def test_an_unknown_option_of_a_class_is_named(base: type, option: str, hint: str) -> None:
    with pytest.raises(TypeError, match=rf"class Refused: no option '{option}'; {hint}"):
        new_class("Refused", (base,), {option: "x"})


def test_a_base_of_another_kind_may_take_options_of_its_own(store: Backend) -> None:
    class Tagging:
        def __init_subclass__(cls, tag: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.tag = tag

        tag: ClassVar[str]

    for bases in ((Record, Tagging), (Tagging, Record)):
        made: Any = new_class("Tagged", bases, {"tag": "x"})
        assert made.tag == "x"


def test_a_field_may_be_final(store: Backend) -> None:
    class Fixed(Record):
        size: Final[int] = 3

    assert Fixed.create("x").to_dict() == {"size": 3}
    assert make_record("Fixed", {"size": Final[int]}).ref("x") == Fixed.ref("x")


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
    assert Own("x").__pc__.choice.backend is not Other("y").__pc__.choice.backend  # type: ignore[union-attr] # both chose a URL


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


def test_a_function_is_no_default_of_a_field() -> None:
    for function in (lambda: 3, suppress_nothing):
        with pytest.raises(TypeError, match="the default of 'made' is a function, which would be a method"):
            make_record("Made", {"made": int}, defaults={"made": function})

    class Measured(Record):
        size: int

        def size(self) -> str:  # type: ignore[no-redef] # a method that has the name of a field
            return "large"

    measured: Any = Measured.ref("x")
    assert measured.size() == "large"


@pytest.mark.parametrize("given", [[], 3, "x"])
def test_a_factory_that_is_no_function_is_refused_where_it_is_given(given: Any) -> None:
    with pytest.raises(TypeError, match=f"takes a function as default_factory=, not {type(given).__name__}; write"):
        field(default_factory=given)


def suppress_nothing() -> None:
    """Be a function of a module."""


def test_reading_a_field_of_a_class_says_how_a_record_is_given() -> None:
    anything: Any = Person
    with pytest.raises(TypeError, match=r"get\(\) reads a field of a record; load\(id\) and ref\(id\) of a class"):
        anything.get("x")


@pytest.mark.parametrize("kind", [Person, PersistentList])
def test_a_method_called_on_a_class_says_how_an_object_is_given(kind: Any) -> None:
    for name, arguments in {"delete": (), "expire": (5,)}.items():
        with pytest.raises(TypeError, match=rf"{name}\(\) is called on an object, .*: User.load\(id\).{name}\(\)"):
            getattr(kind, name)("luke", *arguments)
    with pytest.raises(TypeError, match=r"update\(\) is called on an object"):
        Person.update("luke", name="Luke")  # type: ignore[arg-type]  # pyright: ignore # called on the class, on purpose


def test_what_all_gives_has_no_indexes_and_says_so(store: Backend) -> None:
    with pytest.raises(TypeError, match=r"has no indexes; itertools.islice\(….all\(\), 20\) takes the first 20"):
        _ = Person.all()[:20]


def test_a_uuid_is_given_as_its_text() -> None:
    given: Any = uuid4()
    with pytest.raises(TypeError, match=r"an id is a str or an int, not UUID; give its text, such as str\(uuid4\(\)\)"):
        Person(given)


APP = """
from __future__ import annotations
from persistent_collections import PersistentList, Record, child, configure

configure("memory:app")


class User(Record):
    name: str
    best: User | None
    friends: PersistentList[User] = child()


if __name__ == "__main__":
    import views

    ada = User.create("ada", name="Ada")
    bob = User.create("bob", name="Bob", best=ada, friends=[ada])
    views.befriend("ada", "bob")
    print(bob.best.name, bob.friends[0].name, ada.friends[0].name, ada.friends[0] == bob, sorted(views.names()))
    bob.best = views.load("ada")
    bob.friends.append(views.load("ada"))
    print(bob.friends[-1] == ada, bob in ada.friends, [user.id for user in bob.friends])
"""
VIEWS = """
from app import User

def befriend(a, b):
    User.load(a).friends.append(User.load(b))

def load(id):
    return User.load(id)

def names():
    return [user.name for user in User.all()]
"""


def test_a_file_that_is_run_and_imported_is_one_definition(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP, "utf-8")
    (tmp_path / "views.py").write_text(VIEWS, "utf-8")
    for command in ([sys.executable, "app.py"], [sys.executable, "-m", "app"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["Ada Ada Bob True ['Ada', 'Bob']", "True True ['ada', 'ada']"]
