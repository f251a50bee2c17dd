"""What an error says: the object, the part of it and the file, and what to do; never what is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    DecodeError,
    EncodeError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    UnknownFieldError,
    child,
    configure,
    connect,
    make_record,
    stored_as,
    use_backend,
)
from persistent_collections.suggestions import suggestion
from persistent_collections.testing import FaultyBackend


class Keeper(Record):
    name: str
    pets: PersistentList[Puppy] = child()


class Puppy(Record):
    name: str
    age: int
    kind: Literal["dog", "wolf"]
    owner: Keeper
    tags: Annotated[list[str], stored_as("labels")]
    sizes: dict[str, list[int]]
    born: date
    toys: PersistentList[str] = child()
    weights: PersistentList[int] = child()
    names: PersistentDict[int, str] = child()
    places: PersistentSet[str] = child()


class Rack(Record):
    rows: PersistentList[PersistentList[str]] = child()
    cells: PersistentDict[str, PersistentDict[str, int]] = child()


puppy: Any = Puppy
keeper: Any = Keeper  # type checkers want all of its fields


@pytest.fixture
def rex(store: Backend) -> Any:
    return puppy("rex", name="Rex", tags=["a"], sizes={"a": [1]}, weights=[1, 2])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give the directory of a JSON store that is the default."""
    configure(f"json:{tmp_path}")
    yield tmp_path
    configure({})


def told(use: Callable[[], object], kind: type[Exception] = EncodeError) -> str:
    with pytest.raises(kind) as caught:
        use()
    return str(caught.value)


def test_a_field_says_what_was_declared_and_what_to_do(rex: Any) -> None:
    assert told(lambda: setattr(rex, "name", None)) == (
        "field 'name' of 'Puppy:rex': value: expected str, not None, as declared; declare it str | None to allow None"
    )
    assert told(lambda: setattr(rex, "name", 7331)) == (
        "field 'name' of 'Puppy:rex': value: expected str, not int, as declared"
    )
    assert told(lambda: rex.update(age=1, kind="7331")) == (
        "field 'kind' of 'Puppy:rex': value: expected one of 'dog', 'wolf', not another str, as declared"
    )
    assert told(lambda: setattr(rex, "owner", "luke")) == (
        "field 'owner' of 'Puppy:rex': value: expected Keeper, not str, as declared; Keeper.ref(id) returns one"
    )
    assert told(lambda: rex.increment("age", 1.5)) == (
        "field 'age' of 'Puppy:rex': value: expected int, not float, as declared"
    )


def test_what_a_nested_value_writes_back_names_the_field_key_or_item(rex: Any) -> None:
    lists: Any = PersistentDict[str, list[int]]("d", {"k": [1]})
    rows: Any = PersistentList[list[int]]("l", [[0], [1]])
    what = "expected int, not str, as declared"
    uses: dict[Callable[[], object], str] = {
        lambda: rex.tags.append(1): "field 'tags' of 'Puppy:rex': value[1]: expected str, not int, as declared",
        lambda: rex.sizes["a"].append("x"): f"field 'sizes' of 'Puppy:rex': value[\"a\"][1]: {what}",
        lambda: lists["k"].append("x"): f"key 'k' of 'PersistentDict:d': value[1]: {what}",
        lambda: rows[1].insert(0, "x"): f"item 1 of 'PersistentList:l': value[0]: {what}",
        lambda: [row.append("x") for row in rows]: f"item 0 of 'PersistentList:l': value[1]: {what}",
        lambda: _edited(rex, "tags", 1): "field 'tags' of 'Puppy:rex': value[1]: expected str, not int, as declared",
        lambda: _edited(lists, "k", "x"): f"key 'k' of 'PersistentDict:d': value[1]: {what}",
        lambda: _edited(rows, 1, "x"): f"item 1 of 'PersistentList:l': value[1]: {what}",
    }
    for use, message in uses.items():
        assert told(use) == message
    assert (rex.tags, rex.sizes, lists.copy(), rows[:]) == (["a"], {"a": [1]}, {"k": [1]}, [[0], [1]])


def _edited(handle: Any, where: Any, item: object) -> None:
    with handle.edit(where) as value:
        value.append(item)


def test_a_collection_names_the_key_or_item_it_was_given(rex: Any) -> None:
    numbers: Any = PersistentDict[str, int]("d")
    what = "value: expected int, not str, as declared"
    uses: dict[Callable[[], object], str] = {
        lambda: numbers.__setitem__("k", "x"): f"key 'k' of 'PersistentDict:d': {what}",
        lambda: numbers.setdefault("k", "x"): f"key 'k' of 'PersistentDict:d': {what}",
        lambda: numbers.update(a=1, b="x"): f"key 'b' given to 'PersistentDict:d': {what}",
        lambda: numbers.increment(
            "k", 1.5
        ): "key 'k' of 'PersistentDict:d': value: expected int, not float, as declared",
        lambda: rex.weights.append("x"): f"'Puppy:rex:weights': {what}",
        lambda: rex.weights.extend(iter([3, "x"])): f"item 1 given to 'Puppy:rex:weights': {what}",
        lambda: rex.weights.__setitem__(1, "x"): f"item 1 of 'Puppy:rex:weights': {what}",
        lambda: setattr(rex, "weights", [1, 2, "x"]): f"item 2 given to 'Puppy:rex:weights': {what}",
        lambda: rex.toys.append(1): "'Puppy:rex:toys': value: expected str, not int, as declared",
        lambda: keeper("luke").pets.append("rex"): (
            "'Keeper:luke:pets': value: expected Puppy, not str, as declared; Puppy.ref(id) returns one"
        ),
    }
    for use, message in uses.items():
        assert told(use) == message
    assert rex.weights[:] == [1, 2]


def test_a_key_is_called_a_key_and_a_member_a_member(store: Backend) -> None:
    wrong: Any = 1
    assert told(lambda: PersistentDict("d", {wrong: 1})) == (
        "'PersistentDict:d': a key of type int where keys are str; give a str, or declare PersistentDict[int, V]"
    )
    assert told(lambda: PersistentSet("s", {wrong})) == (
        "'PersistentSet:s': a member of type int where members are str; give a str, or declare PersistentSet[int]"
    )
    assert told(lambda: PersistentSet[int]("s").add("x")).startswith(  # type: ignore[arg-type] # as a user may
        "'PersistentSet:s': a member of type str is refused: "
    )


def test_a_collection_in_a_collection_says_what_to_declare(store: Backend) -> None:
    rack: Any = Rack("x")
    remedy = (
        "as declared; collections are nested only by reference: declare a plain list, dict or set there, "
        "or a record whose child it is"
    )
    assert told(lambda: setattr(rack, "rows", [["a"]])) == (
        f"item 0 given to 'Rack:x:rows': value: expected PersistentList[str], not list, {remedy}"
    )
    assert told(lambda: rack.cells.__setitem__("a", {"b": 1})) == (
        f"key 'a' of 'Rack:x:cells': value: expected PersistentDict[str, int], not dict, {remedy}"
    )
    rack.rows = [PersistentList[str]("y", ["a"])]
    assert rack.rows[0][:] == ["a"]


@pytest.mark.parametrize(
    ("name", "kind"), [("toys", "list"), ("weights", "list"), ("places", "list"), ("names", "dict")]
)
@pytest.mark.parametrize("one", ["abc", b"abc", bytearray(b"abc"), "", Keeper.ref("luke")], ids=repr)
def test_one_value_for_a_whole_child_is_refused(rex: Any, one: Any, name: str, kind: str) -> None:
    before = {"toys": ["ball"], "weights": [1, 2], "places": {"a"}, "names": {1: "a"}}
    rex.update(**before)
    uses: list[Callable[[], object]] = [
        lambda: setattr(rex, name, one),
        lambda: rex.update(**{"age": 2, name: one}),
        lambda: puppy("rex", **{name: one}),
        lambda: puppy.create("rex", **{name: one}),
    ]
    for use in uses:
        assert told(use) == (
            f"'Puppy:rex:{name}': expected a {kind} of items, not {type(one).__name__}; put it in a {kind}"
        )
    assert {name: rex[name].copy() for name in before} == before
    assert rex.age == 0


def test_a_child_s_own_methods_take_texts_as_a_list_does(rex: Any) -> None:
    rex.toys.extend("ab")
    rex.toys[:0] = "c"
    rex.places.update("xy")
    assert (rex.toys[:], rex.places.copy()) == (["c", "a", "b"], {"x", "y"})
    assert PersistentList("letters", "ab")[:] == ["a", "b"]


def test_what_is_no_item_at_all_names_the_field(rex: Any) -> None:
    assert told(lambda: setattr(rex, "toys", 3)) == "field 'toys' of 'Puppy:rex': 'int' object is not iterable"


CODE = "part of the program and cannot be stored; store a name that the program looks it up by"
ALIVE = "exists only in this process and cannot be stored; store its results, such as a list"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: 1, f"a function is {CODE}"),
        (len, f"a builtin_function_or_method is {CODE}"),
        (keeper("x").delete, f"a method is {CODE}"),
        (Path, f"a class is {CODE}"),
        (threading, f"a module is {CODE}"),
        ((number for number in [1]), f"generator {ALIVE}"),
        (map(str, ()), f"map {ALIVE}"),
        ({}.keys(), f"dict_keys {ALIVE}"),
        (threading.Lock(), f"lock {ALIVE}"),
        (threading.RLock(), f"RLock {ALIVE}"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_data_is_told_so_and_not_to_register_it(store: Backend, value: Any, message: str) -> None:
    assert told(lambda: PersistentList("l").append([value])) == f"'PersistentList:l': value[0]: {message}"


def test_an_open_file_is_no_data(store: Backend, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert told(lambda: PersistentDict("d").update(a=file)) == (
            f"key 'a' given to 'PersistentDict:d': value: TextIOWrapper {ALIVE}"
        )


def test_what_is_stored_otherwise_than_declared_is_named_wherever_it_is_read(store: Backend) -> None:
    rex, mixed = puppy("rex", name="Rex", weights=[1]), PersistentList[Any]("l", [0, 1, "s3cret", 3])
    store.mapping(rex.__pc__.key).set_many({"born": b'{"$date":"2020-13-01"}', "age": b'"s3cret"'})
    store.sequence(rex.weights.__pc__.key).push_right([b'"s3cret"'])
    PersistentDict[str, Any]("d", {"a": 1, "b": "s3cret"})
    numbers, table = PersistentList[int]("l"), PersistentDict[str, int]("d")
    born = "the value under the tag 'date' is not of type date (ValueError)"
    what = "value: expected int, not str, as declared"
    uses: dict[Callable[[], object], tuple[str, str]] = {
        lambda: rex.born: ("field 'born' of 'Puppy:rex'", born),
        lambda: [*Puppy.all().fetch("born")]: ("field 'born' of 'Puppy:rex'", born),
        lambda: rex.increment("age"): ("field 'age' of 'Puppy:rex'", what),
        rex.to_dict: ("field 'age' of 'Puppy:rex'", what),
        lambda: rex.weights[1]: ("item 1 of 'Puppy:rex:weights'", what),
        lambda: numbers[2]: ("item 2 of 'PersistentList:l'", what),
        numbers.copy: ("item 2 of 'PersistentList:l'", what),
        lambda: numbers[1:]: ("item 2 of 'PersistentList:l'", what),
        lambda: numbers[-3:]: ("item 2 of 'PersistentList:l'", what),
        lambda: numbers[::-1]: ("item 2 of 'PersistentList:l'", what),
        lambda: [*numbers]: ("item 2 of 'PersistentList:l'", what),
        lambda: [*reversed(numbers)]: ("item 2 of 'PersistentList:l'", what),
        lambda: numbers.pop(2): ("item 2 of 'PersistentList:l'", what),
        numbers.sort: ("item 2 of 'PersistentList:l'", what),
        lambda: table["b"]: ("key 'b' of 'PersistentDict:d'", what),
        table.copy: ("key 'b' of 'PersistentDict:d'", what),
        lambda: [*table.items()]: ("key 'b' of 'PersistentDict:d'", what),
        lambda: table.pop("b"): ("key 'b' of 'PersistentDict:d'", what),
        lambda: table.increment("b"): ("key 'b' of 'PersistentDict:d'", what),
    }
    for use, (where, problem) in uses.items():
        message = told(use, DecodeError)
        assert message.startswith(f"{where} in " if store.medium == "json" else f"{where}: {problem}")
        assert problem in message
        assert "s3cret" not in message
    assert mixed[:] == [0, 1, "s3cret", 3]


def test_what_was_spoilt_by_hand_is_told_with_its_file(folder: Path) -> None:
    rex = puppy("rex", name="Rex", toys=["ball"], places={"a"}, names={1: "a"})
    file, toys, names = folder / "Puppy/rex.json", folder / "Puppy/rex/toys.json", folder / "Puppy/rex/names.json"
    file.write_text('{"name": 5, "born": {"$date": "2020-13-01"}, "owner": "Nobody:x"}', "utf-8")
    toys.write_text('["ball", null]', "utf-8")
    names.write_text('{"1": "a", "one": "b"}', "utf-8")
    by_hand = "; the file may be corrected by hand"

    def retyped(name: str) -> str:
        line = f"new_{name}: Annotated[…, formerly({name!r}, old_type, convert)]"
        return f"; if its type has changed, give it a new name: {line}"

    text = "not the JSON string of the codec 'str'"
    born = "the value under the tag 'date' is not of type date (ValueError)"
    uses: dict[Callable[[], object], str] = {
        lambda: rex.name: f"field 'name' of 'Puppy:rex' in {file}: {text} (…){by_hand}{retyped('name')}",
        lambda: rex.born: f"field 'born' of 'Puppy:rex' in {file}: {born}{by_hand}{retyped('born')}",
        lambda: rex.owner: (
            f"field 'owner' of 'Puppy:rex' in {file}: a stored reference is to a 'Nobody'; "
            f"import the module that defines this class{by_hand}"
        ),
        lambda: rex.toys[:]: f"item 1 of 'Puppy:rex:toys' in {toys}: {text} (…){by_hand}",
        lambda: list(rex.names): (
            f"'Puppy:rex:names' in {names}: a key is stored that this codec does not write (JSONDecodeError){by_hand}"
        ),
    }
    for use, message in uses.items():
        start, _, end = message.partition("…")  # what the parser found wrong is said in its own words
        found = told(use, DecodeError)
        assert (found.startswith(start), found.endswith(end)) == (True, True), found


def test_a_store_that_is_wrapped_names_the_file_too(tmp_path: Path) -> None:
    faulty = FaultyBackend(connect(f"json:{tmp_path}"))
    PersistentDict("d", {"a": "x"}, backend=faulty)
    message = told(PersistentDict[str, int]("d", backend=faulty).copy, DecodeError)
    assert message.startswith(f"key 'a' of 'PersistentDict:d' in {tmp_path / 'PersistentDict/d.json'}: ")


def test_a_default_beside_none_says_which_declaration_holds_both() -> None:
    def declare() -> None:
        class Nickname(Record):
            text: str | None = "none"

    assert told(declare, TypeError) == (
        "field 'text' of Nickname: None is stored as unset, and unset reads as the default, which is not None; "
        "drop the default, or declare Annotated[str | None, codec('json')], which stores None as such"
    )

    def declare_literal() -> None:
        class Suit(Record):
            text: Literal["a", "b"] | None = "a"

    assert "declare Annotated[Literal['a', 'b'] | None, codec('json')]" in told(declare_literal, TypeError)


def test_a_name_that_is_not_defined_is_told_with_class_and_field(store: Backend) -> None:
    for annotation in ("Nowhere", "PersistentList[Nowhere]"):
        unfinished: Any = make_record("Unfinished", {"text": annotation})
        unfinished.__qualname__ = "Unfinished"  # as of a class of a module
        for use in (lambda: unfinished("x", text=1), lambda: unfinished.ref("x").text):  # noqa: B023 - used at once
            message = told(use, NameError)
            assert message == (
                "field 'text' of Unfinished: name 'Nowhere' is not defined; "
                "define or import it where Unfinished is declared, before its first use"
            )


def test_a_class_of_a_function_that_names_another_one_is_told_where_to_define_it(store: Backend) -> None:
    @dataclass(frozen=True)
    class Crumb:
        size: int

    @dataclass(frozen=True)
    class Loaf:
        crumbs: tuple[Crumb, ...]

    message = told(lambda: PersistentDict[str, Loaf]("x").update(a=Loaf((Crumb(1),))), TypeError)
    assert message.endswith(
        ".Loaf cannot be resolved: name 'Crumb' is not defined; define or import it in the module of Loaf: an "
        "annotation that is a text, as all are after 'from __future__ import annotations', does not see the names of a "
        "function"
    )


def test_two_classes_or_fields_of_one_name_are_told_to_change_one() -> None:
    def declare() -> None:
        class Twice(Record):
            one: Annotated[str, stored_as("same")]
            other: Annotated[str, stored_as("same")]

    assert told(declare, TypeError).endswith("give one of them another name by stored_as()")


def test_an_attribute_that_is_no_field_is_to_be_annotated(store: Backend) -> None:
    class Plain(Record):
        size = 7331

        def grow(self) -> None: ...

    class Mixed(Record):
        name: str
        size = 7331

    plain: Any = Plain
    mixed: Any = Mixed
    uses: list[Callable[[], object]] = [
        lambda: plain(size=1),
        lambda: plain("x")["size"],
        lambda: setattr(mixed("x"), "size", 1),
    ]
    for use in uses:
        assert told(use, UnknownFieldError).endswith("; annotate it in the class: size: int = …")
    assert told(lambda: plain(grow=1), UnknownFieldError) == "no field 'grow' in Plain, which declares none"
    assert told(lambda: mixed(key=1), UnknownFieldError) == "no field 'key' in Mixed; known: 'name'"


def test_creating_without_a_field_says_what_to_give(store: Backend) -> None:
    class Vacant(Record): ...

    assert told(lambda: puppy.create("rex"), TypeError).endswith("born=…, or declare a default or '| None'")
    assert "is missing 'name', 'age'" in told(lambda: puppy.create("rex"), TypeError)
    assert Vacant.create("x"), "a record of no fields needs none"


def test_a_path_for_a_backend_is_told_to_be_a_url(store: Backend) -> None:
    def used() -> None:
        with use_backend("./data"):
            pass

    remedy = "a store's URL starts with its scheme: 'json:./data' or 'sqlite:./data'"
    for use in (used, PersistentDict("x", backend="./data").copy):
        assert told(use, ConfigurationError) == f"'./data' is not a configured name, and {remedy}"
    assert told(lambda: connect("./data"), ConfigurationError).startswith(
        "a store's URL starts with its scheme, such as"
    )
    assert "a URL (such as 'json:./data')" in told(lambda: configure("./data"), ConfigurationError)
    assert told(PersistentDict("x", backend=".\\data").copy, ConfigurationError).startswith(
        "'.\\\\data' is not a configured"
    )


def test_a_backend_given_to_configure_is_told_where_to_stand() -> None:
    wrong: Any = connect("memory:")
    mapping = '{"backends": {"default": backend}}'
    assert told(lambda: configure(wrong), ConfigurationError).endswith(f", not MemoryBackend; give {mapping}")
    try:
        configure(eval(mapping, {"backend": wrong}))  # what the message says, word for word
        assert PersistentDict("x").__pc__.now().backend is wrong
    finally:
        configure({})


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("nmae", ["email", "name"], "did you mean 'name'?"),
        ("emial", ["email", "name"], "did you mean 'email'?"),
        ("sentinel_pasword", ["password", "sentinel_password"], "did you mean 'sentinel_password'?"),
        ("save", ["name", "friends"], "known: 'friends', 'name'"),
        ("socket_timeout", ["codec", "fsync", "lock_timeout_s"], "known: 'codec', 'fsync', 'lock_timeout_s'"),
        ("", ["name"], "known: 'name'"),
    ],
)
def test_a_known_name_is_suggested_only_where_it_is_near(name: str, known: list[str], expected: str) -> None:
    assert suggestion(name, known).startswith(expected)


def test_suggestions_are_listed_in_the_same_order_whatever_was_typed() -> None:
    for names in (["zoo", "animal", "keeper"], {"zoo", "animal", "keeper"}):
        assert {suggestion(name, names) for name in ("x", "keepsake", "zone")} == {"known: 'animal', 'keeper', 'zoo'"}


def test_a_suggestion_lists_no_more_than_fits_into_a_message() -> None:
    names = [f"field{number}" for number in range(1000)]
    assert suggestion("x", names).count("'field") == 12
    assert suggestion("x", names).endswith(", …")
    assert suggestion("x", names[:12]).count("'field") == 12
    assert not suggestion("x", names[:12]).endswith("…")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres://localhost/db", "known: '"),
        ("memory:?socket_timeout=1", "unknown option 'socket_timeout' for 'memory'; known: 'codec'"),
        ("json:./x?socket_timeout=1", "'json'; known: 'codec', 'fsync', 'lock_timeout_s'"),
    ],
)
def test_a_scheme_or_option_that_is_not_near_any_gives_the_known_ones(url: str, message: str) -> None:
    assert message in told(lambda: connect(url), ConfigurationError)
