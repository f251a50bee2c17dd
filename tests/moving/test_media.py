from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    CorruptDataError,
    DecodeError,
    Password,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    WrongShapeError,
    classes,
    connect,
    get_codec,
    make_record,
    migrate,
)
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.codecs.base import Format
from persistent_collections.codecs.fit import fit
from persistent_collections.moving import Moved, copy
from persistent_collections.moving.media import unwrap, wrap
from tests.moving.models import Traveller

DICT = Key("PersistentDict:d")


@pytest.fixture
def json_store(tmp_path: Path) -> Backend:
    return connect(f"json:{tmp_path}/data?fsync=off")


def put(backend: Backend, key: Key, content: Content) -> None:
    backend.commit([], [Replace(key, content)])


@pytest.mark.parametrize("value", ["", "text", "1", '"', "é\u2028\x7f\n", "\U0001f600"])
@pytest.mark.parametrize("name", ["str", "json", "msgpack"])
def test_what_a_codec_writes_is_wrapped_as_the_fitted_codec_writes_it_and_unwrapped_again(
    name: str, value: str
) -> None:
    codec = get_codec(name)
    data = codec.encode(value)
    assert wrap(data, codec.format) == fit(codec, "json").encode(value)
    assert unwrap(wrap(data, codec.format), codec.format) == data


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"\xff", "text"),
        (b"\xff", "json"),
        (b"", "json"),
        (b"nonsense", "json"),
        (b"[1, 2]", "json"),
        (b'{"a":1,"a":2}', "json"),
        (b'"\\u0041"', "json"),
        (b'"\\ud800"', "json"),
        (b"NaN", "json"),
        (b"1 2", "json"),
        (b"1],[2", "json"),
        (b"[" * 100_000, "json"),
    ],
)
def test_bytes_that_would_not_come_back_from_a_json_store_are_refused_before_anything_is_written(
    memory: Backend, json_store: Backend, data: bytes, format: Format
) -> None:
    put(memory, DICT, {"good": b"1", "place": data})
    codec = {"text": "str", "json": "json"}[format]
    with pytest.raises(DecodeError, match=f"'PersistentDict:d': the value at 'place' .* format '{format}'") as caught:
        copy(memory, json_store, codec=codec)
    assert caught.value.__cause__ is None
    assert list(json_store.keys("")) == []


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"1", "str"),
        (b"null", "str"),
        (b'["x"]', "str"),
        (b'"!"', "msgpack"),
        (b'"gQ"', "msgpack"),
        (b'"gR=="', "msgpack"),
    ],
)
def test_json_that_no_fitted_codec_writes_is_refused_before_anything_is_written(
    json_store: Backend, memory: Backend, data: bytes, codec: str
) -> None:
    put(json_store, Key("PersistentList:l"), [b'"gQ=="', data])
    with pytest.raises(DecodeError, match=r"'PersistentList:l': the value at 1 "):
        copy(json_store, memory, codec=codec)
    assert list(memory.keys("")) == []


@pytest.mark.parametrize(
    "data", [b"1E400", b"-0", b"12345678901234567890123456789", b"0.10", b'{"\xc3\xa9":[null,true]}']
)
def test_numbers_go_as_they_are_spelt(memory: Backend, json_store: Backend, data: bytes) -> None:
    put(memory, DICT, {"n": data})
    assert copy(memory, json_store, codec="json") == Moved(copied=1)
    assert json_store.mapping(DICT).get("n") == data


def refused(source: Backend, target: Backend, codec: Any) -> str:
    """Return why a copy is refused, of which nothing is put but an object that comes first and needs no codec."""
    with pytest.raises(ConfigurationError) as caught:
        copy(source, target, codec=codec)
    assert list(target.keys("")) == [Key("Aaa:first")]
    return str(caught.value)


@pytest.fixture
def first(memory: Backend) -> None:
    put(memory, Key("Aaa:first"), {"x"})


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("key", "content"), [(DICT, {"f": b"1"}), (Key("PersistentList:l"), [b"1"]), (Key("Notes:n"), {"f": b"1"})]
)
def test_a_value_of_a_collection_whose_codec_nothing_tells_is_refused_and_naming_it_is_the_remedy(
    memory: Backend, json_store: Backend, key: Key, content: dict[str, bytes] | list[bytes]
) -> None:
    put(memory, key, content)
    place = next(iter(content)) if isinstance(content, dict) else 0
    told = refused(memory, json_store, None)
    assert f"'{key}': neither a class nor an option names the codec of the value at {place!r}" in told
    assert f"codec={{'{key.root}': 'json'}}" in told
    assert copy(memory, json_store, codec={key.root: "json"}) == Moved(copied=1, equal=1)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("codec", [None, "json", {"Unheard:x": "json"}, {"Unheard:*": "str"}, {"*": "json"}])
@pytest.mark.parametrize(
    ("key", "content"),
    [
        (Key("Unheard:x"), {"f": b"1"}),
        (Key("Unheard:x"), {MARKER: MARKER_DATA}),
        (Key("Unheard:x"), [b"1"]),
        (Key("Unheard:x", "child"), {"f": b"1"}),
        (Key("Unheard:x", "child"), [b"1"]),
    ],
)
def test_of_a_type_that_is_not_known_no_codec_is_taken_for_what_its_class_would_say(
    memory: Backend, json_store: Backend, key: Key, content: dict[str, bytes] | list[bytes], codec: Any
) -> None:
    put(memory, key, content)
    told = refused(memory, json_store, codec)
    assert told.startswith(f"'{key}': neither a class nor an option names the codec of the value at ")
    assert told.endswith("; import the module that defines its class")


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("codec", [None, "json", {"Traveller:a": "json", "PersistentDict:d": "json"}])
@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        (Key("Traveller:a"), "Traveller does not declare it: declare it again, or let check repair .* a stray_field"),
        (Key("Traveller:a", "gone"), "Traveller does not declare it: .* a stray_child"),
        (Key("PersistentDict:d", "gone"), "PersistentDict does not declare it: .* a stray_child"),
    ],
)
def test_what_no_class_declares_any_more_is_refused_whatever_codec_is_named(
    memory: Backend, json_store: Backend, key: Key, remedy: str, codec: Any
) -> None:
    put(memory, key, {"gone": b"1"})
    expected = rf"^'{key}': neither a class nor an option names the codec of the value at 'gone', .*; {remedy}$"
    assert re.search(expected, refused(memory, json_store, codec))


@pytest.mark.parametrize("source_is_json", [False, True])
@pytest.mark.parametrize(
    ("stored", "declared", "what"),
    [(list[str], PersistentList[str], "child collection"), (PersistentList[str], list[str], "field")],
)
def test_what_has_become_a_child_or_a_field_is_copied_once_it_is_migrated(
    memory: Backend, json_store: Backend, stored: Any, declared: Any, what: str, *, source_is_json: bool
) -> None:
    source, target = (json_store, memory) if source_is_json else (memory, json_store)
    make_record("Satchel", {"items": stored}).create("a", items=["x"], backend=source)
    after = make_record("Satchel", {"items": declared})
    with pytest.raises(
        ConfigurationError, match=f"; Satchel declares it as a {what}: let migrate move it, where it is "
    ):
        copy(source, target)
    migrate(after, backend=source)
    assert copy(source, target) == Moved(copied=1)
    assert list(after.load("a", backend=target)["items"]) == ["x"]


def test_a_record_that_was_made_without_a_field_is_copied(memory: Backend, json_store: Backend) -> None:
    sketch = make_record("Sketch", {"text": str | None})
    for number in "ab":
        sketch.create(number, backend=memory)
    sketch.load("b", backend=memory)["text"] = "x"
    assert copy(memory, json_store) == Moved(copied=2)
    assert copy(memory, json_store) == Moved(equal=2)
    back = connect("memory:")
    assert copy(json_store, back) == Moved(copied=2)
    assert [sketch.load(number, backend=back)["text"] for number in "ab"] == [None, "x"]


@pytest.mark.parametrize("entries", [{"": ""}, {"": "", "k": "v"}])
def test_an_empty_text_under_an_empty_key_is_copied(
    memory: Backend, json_store: Backend, entries: dict[str, str]
) -> None:
    page = make_record("Margin", {"notes": PersistentDict[str, str]})
    page.create("a", notes=entries, backend=memory)
    PersistentDict("d", entries, codec="str", backend=memory)
    assert copy(memory, json_store, codec="str") == Moved(copied=2)
    assert PersistentDict("d", codec="str", backend=json_store) == entries
    assert page.load("a", backend=json_store)["notes"] == entries
    back = connect("memory:")
    assert copy(json_store, back, codec="str") == Moved(copied=2)
    assert page.load("a", backend=back)["notes"] == entries


def test_a_dict_that_was_emptied_by_hand_is_not_copied(memory: Backend, json_store: Backend, tmp_path: Path) -> None:
    PersistentDict("d", {"k": 1}, backend=json_store)
    [file] = (tmp_path / "data/PersistentDict").glob("d.json")
    file.write_text("{}")
    copy(json_store, memory, codec="json")
    assert PersistentDict("d", backend=memory).copy() == {}


def test_a_record_is_not_taken_for_another_by_a_codec_that_is_named(
    json_store: Backend, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Jedi(Record):
        name: str
        password: Password
        master: Jedi | None

    Jedi(
        "luke", backend=json_store, name="Luke", password="TheForce", master=Jedi("yoda", backend=json_store, name="Y")
    )
    with monkeypatch.context() as unknown:
        unknown.delitem(classes._known, "Jedi")
        for codec in ("json", {"Jedi:luke": "json", "Jedi:yoda": "json"}, {"Jedi:*": "str"}):
            with pytest.raises(ConfigurationError, match=r"import the module that defines its class$"):
                copy(json_store, memory, codec=codec)
        assert list(memory.keys("")) == []
    assert copy(json_store, memory) == Moved(copied=2)
    luke = Jedi.load("luke", backend=memory)
    assert (luke.name, luke.password.verify("TheForce")) == ("Luke", True)
    assert luke.master is not None
    assert luke.master.name == "Y"


def test_a_handle_in_a_module_is_not_looked_for_and_the_codec_is_asked_for(
    memory: Backend, json_store: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "named", PersistentList("l", codec="msgpack"), raising=False)
    monkeypatch.setattr(sys.modules[__name__], "unwilling", Unwilling(), raising=False)
    monkeypatch.setitem(sys.modules, "no module", Unwilling())
    put(memory, Key("PersistentList:l"), [b"1"])
    with pytest.raises(ConfigurationError, match=r"; name its codec: codec=\{'PersistentList:l': 'json'\}$"):
        copy(memory, json_store)
    assert wrapped_as(memory, json_store, {"PersistentList:l": "json"}) == "json"


class Unwilling:
    """Answers no question except what its type is."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)


@pytest.mark.parametrize("key", [Key("Unheard:x"), Key("Traveller:a", "gone"), Key("PersistentDict:d", "child")])
@pytest.mark.parametrize("codec", ["json", None])
def test_a_json_array_that_may_be_a_list_or_a_set_is_refused(
    json_store: Backend, memory: Backend, key: Key, codec: str | None
) -> None:
    put(json_store, key, [b'"a"'])
    remedy = "import" if key.root == "Unheard:x" else "declare it again"
    with pytest.raises(ConfigurationError, match=f"'{key}' is a JSON array, .* list or a set; .*{remedy}"):
        copy(json_store, memory, codec=codec)
    assert list(memory.keys("")) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [([b'"a"', b'"a"'], CorruptDataError), ([b'"a"', b"1"], DecodeError), ({"a": b"1"}, WrongShapeError)],
)
def test_what_is_no_set_where_one_is_declared_is_refused(
    json_store: Backend, memory: Backend, content: Content, error: type[PersistentCollectionsError]
) -> None:
    put(json_store, Key("PersistentSet:s"), content)
    with pytest.raises(error, match="'PersistentSet:s'"):
        copy(json_store, memory)
    assert list(memory.keys("")) == []


@pytest.mark.parametrize(
    ("key", "content"),
    [(Key("Traveller:a"), [b"1"]), (Key("PersistentList:l"), {"f": b"1"}), (Key("Traveller:a", "visits"), {"x"})],
)
def test_another_shape_than_is_declared_is_refused(
    memory: Backend, json_store: Backend, key: Key, content: Content
) -> None:
    put(memory, key, content)
    with pytest.raises(WrongShapeError, match=f"'{key}' holds a .* declares a "):
        copy(memory, json_store, codec="json")
    assert list(json_store.keys("")) == []


def wrapped_as(store: Backend, target: Backend, codec: Any) -> str:
    """Say how a list of one value is written in a JSON store: as JSON, or as a string of base64 or text."""
    copy(store, target, codec=codec)
    [data] = next(iter(target.sequence(key).get_slice(slice(None)) for key in target.keys("")))
    return {b"1": "json", b'"MQ=="': "binary", b'"1"': "text"}[data]


@pytest.mark.parametrize(
    ("root", "codec", "format"),
    [
        ("PersistentList:l", "msgpack", "binary"),
        ("PersistentList:l", get_codec("str"), "text"),
        ("PersistentList:l", {"*": "str"}, "text"),
        ("PersistentList:l", {"PersistentList:l": "json", "PersistentList:*": "msgpack", "*": "str"}, "json"),
        ("PersistentList:l", {"PersistentList:m": "json", "PersistentList:*": "msgpack", "*": "str"}, "binary"),
        ("Log:l", None, "binary"),
        ("Log:l", "json", "binary"),
        ("Log:l", {"*": "json"}, "binary"),
        ("Log:l", {"Log:*": "json"}, "json"),
        ("Log:l", {"Log:l": "json"}, "json"),
    ],
)
def test_what_names_the_object_counts_before_its_class_and_what_names_all_after_it(
    memory: Backend, json_store: Backend, root: str, codec: Any, format: str
) -> None:
    put(memory, Key(root), [b"1"])
    assert wrapped_as(memory, json_store, codec) == format


@pytest.mark.parametrize(
    ("root", "codec", "format"),
    [
        ("PersistentList:l", None, "binary"),
        ("PersistentList:l", "json", "binary"),
        ("PersistentList:l", {"PersistentList:*": "json"}, "json"),
        ("Lines:l", None, "text"),
    ],
)
def test_the_codec_of_the_urls_counts_after_the_class_and_before_what_names_all(
    tmp_path: Path, root: str, codec: Any, format: str
) -> None:
    class Lines(PersistentList[str], codec="str"):
        pass

    memory, there = connect("memory:?codec=msgpack"), connect(f"json:{tmp_path}/data?codec=msgpack&fsync=off")
    put(memory, Key(root), [b"1"])
    assert wrapped_as(memory, there, codec) == format


def test_a_schema_counts_whatever_is_named(memory: Backend, json_store: Backend) -> None:
    Traveller("a", backend=memory, age=1, name="A", luggage={"b": b""}, tickets=[b""])
    copy(memory, json_store, codec={"Traveller:a": "str", "Traveller:*": "str"})
    assert Traveller.load("a", backend=json_store).to_dict() == Traveller.load("a", backend=memory).to_dict()


def test_a_class_that_is_not_registered_is_given(
    memory: Backend, json_store: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Guest(Record):
        name: str

    monkeypatch.delitem(classes._known, "Guest")
    Guest("g", backend=memory, name="G")
    with pytest.raises(ConfigurationError, match="'Guest:g'"):
        copy(memory, json_store)
    assert copy(memory, json_store, classes=[Guest]) == Moved(copied=1)
    assert json_store.mapping(Key("Guest:g")).get_all() == {"name": b'"G"'}


def test_an_unknown_codec_is_an_error_before_anything_is_read(memory: Backend, json_store: Backend) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'msgpack'"):
        copy(memory, json_store, codec={"PersistentDict:*": "msgpak"})


def test_sets_need_no_codec_nor_class(memory: Backend, json_store: Backend) -> None:
    put(memory, Key("Unheard:s"), {"b", "a"})
    PersistentSet[int]("s", {2, 1}, backend=memory)
    assert copy(memory, json_store) == Moved(copied=2)
    assert json_store.sequence(Key("Unheard:s")).get_slice(slice(None)) == [b'"a"', b'"b"']
    back = connect("memory:")
    assert copy(json_store, back, prefix="PersistentSet:") == Moved(copied=1)
    assert PersistentSet[int]("s", backend=back) == {1, 2}
