from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal

import pytest

from persistent_collections import Backend, PersistentDict, PersistentList, Record, child, codec, connect
from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Landfalls, Sailor
from tests.records.test_plain import FractionCodec


@pytest.fixture
def store(url: str) -> Backend:
    return connect(url)


@pytest.fixture
def ann() -> Sailor:
    return Sailor("ann", backend="memory:changing", name="Ann", log={1: "out"}, crew=[], ports={"Oslo"})


@pytest.fixture(autouse=True)
def empty() -> None:
    store = connect("memory:changing")
    for key in store.keys(""):
        store.commit([], [Delete(key)])


SET = ("--url", "memory:changing", *MODELS, "set")


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("name", "Ann Bonny", "Ann Bonny"),
        ("name", "5", "5"),
        ("name", '"quoted"', "quoted"),
        ("name", "null", "null"),
        ("age", "41", 41),
        ("born", '{"$date": "1697-03-08"}', date(1697, 3, 8)),
        ("born", "null", None),
        ("captain", "Sailor:ann", Sailor.ref("ann", backend="memory:changing")),
        ("captain", "ann", Sailor.ref("ann", backend="memory:changing")),
        ("captain", "a%b", Sailor.ref("a%b", backend="memory:changing")),
        ("age", "-5", -5),
        ("captain", "null", None),
    ],
)
def test_set_takes_json_and_a_plain_word_where_a_text_is_declared(
    field: str, given: str, value: object, ann: Sailor, run: Run
) -> None:
    run(*SET, "Sailor:ann", field, given)
    assert ann[field] == value


def test_set_hashes_a_password_that_comes_from_standard_input(ann: Sailor, run: Run) -> None:
    assert run(*SET, "Sailor:ann", "password", given="Ahoy there\n") == ""
    assert ann.password.verify("Ahoy there")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Sailor:ann", "age", "old"), "field 'age' of 'Sailor:ann': value: expected int, not str"),
        (("Sailor:ann", "age", '"old"'), "age"),
        (("Sailor:ann", "age", "1.5"), "age"),
        (("Sailor:ann", "nmae", "x"), "did you mean 'name'"),
        (("Sailor:ann", "captain", "Nobody:x"), "Nobody"),
        (
            ("Sailor:ann", "crew", "[]"),
            "'crew' is a child of 'Sailor:ann'; set a place in it: set Sailor:ann:crew",
        ),
        (("Sailor:ann", "crew"), "'crew' is a child of 'Sailor:ann'; set a place in it: set Sailor:ann:crew"),
        (("Sailor:ann", "name", "Ann", "Bonny"), "set takes a place and a value, not 3 words; quote"),
        (("Sailor:ann", "log", "1", "back", "home"), "set takes a place and a value, not 3 words; quote"),
        (
            ("Sailor:ann:log", "one", "x"),
            "'Sailor:ann:log' has keys of type int, and this is not one; write it as show",
        ),
        (("Sailor:ann:log", "9" * 5000, "x"), "'Sailor:ann:log' has keys of type int, and this is not one"),
        (
            ("Sailor:ann", "age", "9" * 5000),
            'VALUE cannot be read: an integer has too many digits for this process; write it as \'{"$int":"0x…"}\', in '
            "hexadecimal digits\n",
        ),
        (("Sailor:ann:nothing", "0", "x"), "declares no child 'nothing'"),
        (("Sailor:ann:ports", "0", "x"), "set"),
        (("Sailor", "name", "x"), "is not a key"),
        (("Sailor:a%z", "name", "x"), "is not a key"),
        (("Stranger:x", "name", "x"), "--models"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], told: str, ann: Sailor, run: Run
) -> None:
    before = ann.to_dict(), ann.log.copy()
    failed = run(*SET, *arguments, status=2)
    assert told in failed
    assert failed.count("\n") == 1
    assert (ann.to_dict(), ann.log.copy()) == before


class Binnacle(Record):
    turns: PersistentDict[Literal["port", "starboard"], int] = child()


def test_a_key_of_another_type_is_refused_with_the_type_as_it_is_written(run: Run) -> None:
    Binnacle("a", backend="memory:changing").turns["port"] = 1
    said = run(*SET, "Binnacle:a:turns", "astern", "1", status=2)
    assert "'Binnacle:a:turns' has keys of type Literal['port', 'starboard'], and this is not one" in said


def test_a_record_whose_class_is_not_imported_is_not_written(run: Run) -> None:
    fields = connect("memory:changing").mapping(Key("Unimported:x"))
    fields.set_many({"a": b"1"})
    assert "--models" in run("--url", "memory:changing", "set", "Unimported:x", "a", "2", status=2)
    assert fields.get_all() == {"a": b"1"}


def test_set_writes_the_places_of_children_and_collections(url: str, store: Backend, run: Run) -> None:
    ann = Sailor("ann", backend=store, name="Ann", log={1: "out"})
    ann.crew.append(ann)
    things = PersistentList[Any]("l", [1, 2], backend=store)
    settings = PersistentDict[str, Any]("d", {"a": 1}, backend=store)
    command = ("--url", url, *MODELS, "set")
    run(*command, "Sailor:ann:log", "2", "back home")
    run(*command, "Sailor:ann", "log", "3", "again")
    run(*command, "Sailor:ann", "crew", "0", "bob")
    run(*command, "PersistentList:l", "--", "-1", '{"a": [true]}')
    run(*command, "PersistentList:l", "-2", "-1.5", "--create")
    run(*command, "PersistentDict:d", "b", "word", "--text")
    assert ann.log == {1: "out", 2: "back home", 3: "again"}
    assert [sailor.id for sailor in ann.crew] == ["bob"]
    assert things == [-1.5, {"a": [True]}]
    run(*command, "Landfalls:f", "-3", "2001-01-01", "--create")
    run("--url", url, *MODELS, "delete", "PersistentList:l", "-1", "-y")
    assert things == [-1.5]
    assert Landfalls("f", backend=store) == {-3: date(2001, 1, 1)}
    assert settings == {"a": 1, "b": "word"}
    assert f"'PersistentList:l' in {store.url} has no index 2" in run(*command, "PersistentList:l", "2", "1", status=1)
    assert f"'Sailor:ann:crew' in {store.url} has no index 1" in run(
        *command, "Sailor:ann", "crew", "1", "bob", status=1
    )


def test_a_place_in_an_empty_child_is_told_by_the_key_of_the_child(url: str, store: Backend, run: Run) -> None:
    Sailor("ann", backend=store, name="Ann")
    command = ("--url", url, *MODELS, "set", "Sailor:ann")
    assert f"'Sailor:ann:crew' in {store.url} has no index 0" in run(*command, "crew", "0", "bob", status=1)
    assert f"'Sailor:ann:log' does not exist in {store.url}; --create makes it" in run(
        *command, "log", "1", "out", status=1
    )
    run(*command, "log", "1", "out", "--create")


class Stake(Record):
    share: Annotated[Fraction | None, codec(FractionCodec())]


def test_a_type_that_json_does_not_know_is_written_as_its_codec_does(url: str, store: Backend, run: Run) -> None:
    command = ("--url", url, "--models", __name__, "set", "Stake:x", "share")
    run(*command, "-1/2", "--create")
    assert Stake.load("x", backend=store).share == Fraction(-1, 2)
    assert "is refused by the codec 'fraction'" in run(*command, "half", status=2)
    run(*command, "null")
    assert Stake.load("x", backend=store).share is None


def test_a_plain_word_is_no_value_where_no_text_is_declared(run: Run) -> None:
    settings = PersistentDict("x", {"theme": "dark"}, backend="memory:changing")
    assert "--text" in run(*SET, "PersistentDict:x", "theme", "light", status=2)
    assert settings == {"theme": "dark"}


def test_set_makes_no_object_unless_told_to(run: Run) -> None:
    assert "--create" in run(*SET, "Sailor:ann", "name", "Ann", status=1)
    assert not Sailor.ref("ann", backend="memory:changing")
    run(*SET, "--create", "Sailor:ann", "name", "Ann")
    assert Sailor.load("ann", backend="memory:changing").name == "Ann"


def test_set_writes_with_the_codec_it_is_told_and_not_beside_what_another_wrote(run: Run) -> None:
    packed = PersistentDict("x", {"a": (1,)}, backend="memory:changing", codec="msgpack")
    assert "msgpack" in run(*SET, "PersistentDict:x", "b", "2", status=3)
    run("--url", "memory:changing", "--codec", "msgpack", "set", "PersistentDict:x", "b", "2")
    assert packed == {"a": (1,), "b": 2}


@pytest.mark.parametrize("models", [(), MODELS], ids=["unknown", "known"])
def test_delete_takes_the_children_along(url: str, store: Backend, models: tuple[str, ...], run: Run) -> None:
    ann = Sailor("ann", backend=store, name="Ann", log={1: "out"}, ports={"Oslo"})
    anna = Sailor("anna", backend=store, name="Anna", ports={"Rome"})
    told = run("--url", url, *models, "delete", "Sailor:ann", "--yes")
    assert "Sailor:ann:log" in told
    assert not ann
    assert anna.ports == {"Rome"}
    assert sorted(map(str, store.keys(""))) == ["Sailor:anna", "Sailor:anna:ports"]


def test_delete_of_a_child_leaves_its_record(ann: Sailor, run: Run) -> None:
    run("--url", "memory:changing", "delete", "Sailor:ann:ports", "--yes")
    assert (ann.name, ann.ports.copy(), ann.log.copy()) == ("Ann", set(), {1: "out"})


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 2)])
def test_delete_asks_first_and_nobody_there_is_no_yes(answer: str, status: int, ann: Sailor, run: Run) -> None:
    run("--url", "memory:changing", "delete", "Sailor:ann", given=answer, status=status)
    assert bool(ann) == bool(status)


def test_a_number_of_more_digits_than_python_reads_is_set_in_hexadecimal_digits(ann: Sailor, run: Run) -> None:
    run(*SET, "Sailor:ann", "age", f'{{"$int":"{10**5000:#x}"}}')
    assert ann.age == 10**5000
