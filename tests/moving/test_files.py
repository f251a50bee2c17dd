from __future__ import annotations

import io
import json
import os
import resource
import stat
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    CorruptDataError,
    ObjectExists,
    Password,
    PersistentList,
    Record,
    connect,
    make_record,
)
from persistent_collections.backends.changes import Replace, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.codecs.bcrypt import PasswordHash
from persistent_collections.moving import Exported, Moved, export, import_
from persistent_collections.moving.objects import TOLERANCE_S
from persistent_collections.testing.backends.base import ttl
from tests.moving.models import NAMED, Traveller, files, pack, unpack
from tests.moving.test_copying import OBJECTS, Watched, named, tell_the_story

A = Key("Thing:a")


def exported(backend: Backend, **options: Any) -> bytes:
    out = io.BytesIO()
    export(backend, out, **options)
    return out.getvalue()


def imported(data: bytes, backend: Backend, **options: Any) -> Moved:
    return import_(io.BytesIO(data), backend, **options)


def sealed(body: str, number: int) -> bytes:
    """Return a line as this package seals it, by other means than its own."""
    digest = sha256(f"{number}{body[:-1]}".encode()).hexdigest()
    return f'{body[:-1]},"line":{number},"sha256":"{digest}"}}\n'.encode()


HEADER = '{"format":"persistent-collections","version":1,"medium":"bytes","codec":null}'


def test_the_form_of_a_file_is_pinned(memory: Backend) -> None:
    memory.commit([], [Replace(A, {"f": '"é"'.encode(), "g": b"\xff"}), Replace(Key("Thing:a", "c"), [b"x", b"\x80"])])
    memory.commit([], [Replace(Key("Thing:b%3A"), {"n", "m"})])
    assert exported(memory) == b"".join(
        [
            sealed(HEADER, 1),
            sealed(
                '{"key":"Thing:a","parts":[{"mapping":{"f":"\\"é\\"","g":{"base64":"/w=="}}},'
                '{"child":"c","sequence":["x",{"base64":"gA=="}]}]}',
                2,
            ),
            sealed('{"key":"Thing:b%3A","parts":[{"members":["m","n"]}]}', 3),
            sealed('{"objects":2}', 4),
        ]
    )


def test_a_json_store_is_exported_as_the_json_it_is(tmp_path: Path) -> None:
    store = connect(f"json:{tmp_path}/data?codec=json")
    Traveller("a", backend=store, name="Ann", age=4, luggage={"k": b"\xff"})
    header, line, end = exported(store).splitlines(keepends=True)
    assert header == sealed(HEADER.replace('"bytes"', '"json"').replace("null", '"json"'), 1)
    assert line == sealed('{"key":"Traveller:a","parts":[{"mapping":{"name":"Ann","age":4,"bags":"gaFrxAH/"}}]}', 2)
    assert json.loads(end)["objects"] == 1


def test_a_record_with_no_field_set_comes_back_from_the_file_of_a_json_store(tmp_path: Path, other: Backend) -> None:
    store = connect(f"json:{tmp_path}/data?fsync=off")
    empty = make_record("Leaflet7", {"text": str | None, "tags": PersistentList[str]})
    empty.create("a", backend=store)
    empty.create("b", backend=store)["tags"].append("x")
    data = exported(store)
    header, line, *_ = data.splitlines(keepends=True)
    assert line == sealed('{"key":"Leaflet7:a","parts":[{"mapping":{}}]}', 2)
    assert imported(data, other) == Moved(copied=2)
    assert imported(data, other) == Moved(equal=2)
    assert [(one.id, one["text"], one["tags"][:]) for one in sorted(empty.all(backend=other), key=str)] == [
        ("a", None, []),
        ("b", None, ["x"]),
    ]
    empty.load("a", backend=other).delete()
    before = sealed('{"key":"Leaflet7:a","parts":[{"mapping":{"":}}]}', 2)  # as version 0.2 writes it
    assert imported(header + before + sealed('{"objects":1}', 3), other) == Moved(copied=1)
    assert empty.load("a", backend=other)["text"] is None


def test_the_story_comes_back_from_a_file_as_the_very_same_files(tmp_path: Path) -> None:
    tell_the_story(tmp_path)
    assert export(f"json:{tmp_path}/told", tmp_path / "story.jsonl", secrets="keep") == Exported(2)
    assert import_(tmp_path / "story.jsonl", f"json:{tmp_path}/again?fsync=off") == Moved(copied=2)
    assert files(tmp_path / "again") == files(tmp_path / "told")


@pytest.mark.parametrize("target", ["json", "memory", "sqlite", "fakeredis"])
def test_a_file_is_read_the_same_by_any_other_store(backend: Backend, target: str, tmp_path: Path) -> None:
    pack(backend)
    there = connect(named(target, tmp_path))
    told: list[tuple[int, str]] = []
    data = exported(backend, secrets="keep", progress=lambda done, key: told.append((done, key)))
    assert [done for done, _ in told] == list(range(1, OBJECTS + 1))
    assert imported(data, there, codec=NAMED) == Moved(copied=OBJECTS)
    assert unpack(there) == unpack(backend)
    assert imported(data, there, codec=NAMED, progress=lambda done, key: told.remove((done, key))) == Moved(
        equal=OBJECTS
    )
    assert told == []


def test_an_export_and_an_import_keep_to_a_prefix(memory: Backend, other: Backend) -> None:
    pack(memory)
    assert exported(memory, prefix="Traveller:", secrets="keep").count(b"\n") == 4
    assert imported(exported(memory, secrets="keep"), other, prefix="Log:") == Moved(copied=1)
    assert list(other.keys("")) == [Key("Log:1")]


def test_conflicts_are_those_of_a_copy(memory: Backend, other: Backend) -> None:
    Traveller("a", backend=memory, age=1)
    Traveller("a", backend=other, age=2)
    data = exported(memory)
    with pytest.raises(ObjectExists):
        imported(data, other)
    assert imported(data, other, on_conflict="skip") == Moved(skipped=1)
    assert imported(data, other, on_conflict="replace") == Moved(replaced=1)
    assert Traveller.load("a", backend=other).age == 1


def test_a_deadline_is_a_moment_in_a_file(memory: Backend, other: Backend) -> None:
    for name, left_s in (("a", 100.0), ("b", 0.2)):
        Traveller(name, backend=memory, age=1).expire(left_s)
    data = exported(memory)
    deadline = json.loads(data.splitlines()[1])["parts"][0]["deadline"]
    assert deadline == pytest.approx(time.time() + 100, abs=TOLERANCE_S)
    time.sleep(0.3)
    assert imported(data, other) == Moved(copied=1, expired=1)
    assert ttl(other, Key("Traveller:a")) == pytest.approx(100, abs=TOLERANCE_S)


def test_a_store_with_another_codec_in_its_url_is_refused(memory: Backend) -> None:
    with pytest.raises(ConfigurationError, match=r"\?codec=msgpack"):
        imported(exported(memory), connect("memory:?codec=msgpack"))


@pytest.fixture
def three(memory: Backend) -> bytes:
    """Give a file of three objects."""
    for number, name in enumerate("abc"):
        Traveller(name, backend=memory, age=number, name="Skywalker")
    return exported(memory)


@pytest.mark.parametrize("line", range(1, 6))
@pytest.mark.parametrize("where", [0, 2, 9, 20, 40, -3, -40, -66, -72])
def test_an_edited_line_is_named_and_its_object_is_not_written(
    three: bytes, other: Backend, line: int, where: int
) -> None:
    lines = three.splitlines(keepends=True)
    edited = bytearray(lines[line - 1])
    edited[where % len(edited)] ^= 1
    lines[line - 1] = bytes(edited)
    with pytest.raises(CorruptDataError, match=f"line {line} was .*edited") as caught:
        imported(b"".join(lines), other)
    assert Traveller.count(backend=other) == min(max(line - 2, 0), 3)
    assert "Skywalker" not in str(caught.value)


def test_a_file_that_ends_anywhere_too_early_is_an_error_naming_the_line(three: bytes) -> None:
    for end in range(len(three)):
        there = connect("memory:")
        whole = three[:end].count(b"\n")
        with pytest.raises(CorruptDataError, match=f"line {whole + 1} (was cut off|is missing)"):
            imported(three[:end], there)
        assert Traveller.count(backend=there) == min(max(whole - 1, 0), 3)


@pytest.mark.parametrize(
    ("order", "wrong"),
    [((0, 2, 3, 4), 2), ((0, 1, 3, 4), 3), ((0, 2, 1, 3, 4), 2), ((0, 1, 1, 2, 3, 4), 3), ((0, 1, 2, 3, 4, 4), 6)],
)
def test_a_line_that_is_lost_moved_or_repeated_is_found(
    three: bytes, other: Backend, order: tuple[int, ...], wrong: int
) -> None:
    lines = three.splitlines(keepends=True)
    with pytest.raises(CorruptDataError, match=f"line {wrong} was .*lost or moved"):
        imported(b"".join(lines[number] for number in order), other)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([HEADER.replace("1", "2")], "line 1 has a format that this version does not know; import it with the version"),
        (['{"objects":0}'], "line 1 has a form"),
        ([HEADER, '{"objects":1}'], "line 2 has a wrong count"),
        ([HEADER, '{"objects":0}'], "line 3 was .*lost or moved"),
        ([HEADER, '{"key":"Thing:a","parts":"x"}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"mapping":{"f":1}}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"sequence":[{"base64":"!"}]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"child":"c"}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"mapping":{}}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing","parts":[{"members":["m"]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:","parts":[{"members":["m"]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a:b","parts":[{"members":["m"]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:%41","parts":[{"members":["m"]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"child":"x:y","members":["m"]}]}'], "line 2 has a form"),
        ([HEADER, '{"key":"Thing:a","parts":[{"child":"","members":["m"]}]}'], "line 2 has a form"),
    ],
)
def test_a_line_that_another_program_sealed_is_held_to_the_form_too(
    other: Backend, lines: list[str], wrong: str
) -> None:
    data = b"".join(sealed(line, number) for number, line in enumerate(lines, 1))
    with pytest.raises(CorruptDataError, match=wrong):
        imported(data + sealed('{"objects":1}', len(lines) + 1), other)
    assert list(other.keys("")) == []


def test_what_is_no_export_is_an_error_that_names_the_file(tmp_path: Path, other: Backend) -> None:
    (tmp_path / "notes.txt").write_bytes(b"milk\neggs\n")
    with pytest.raises(CorruptDataError, match=r"notes\.txt, line 1 .*nothing from there on was imported"):
        import_(tmp_path / "notes.txt", other)


def test_a_file_takes_its_name_once_it_is_complete(tmp_path: Path, memory: Backend) -> None:
    path = tmp_path / "backup.jsonl"
    path.write_bytes(b"yesterday's")
    Traveller("a", backend=memory, age=1)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        export(memory, path, progress=fail, overwrite=True)
    assert [item.name for item in tmp_path.iterdir()] == ["backup.jsonl"]
    assert path.read_bytes() == b"yesterday's"
    assert export(memory, str(path), overwrite=True) == Exported(1)
    assert [item.name for item in tmp_path.iterdir()] == ["backup.jsonl"]
    assert path.read_bytes() == exported(memory)


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_file_that_exists_is_not_replaced_unasked(
    when: str, links: bool, tmp_path: Path, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backup.jsonl"
    Traveller("a", backend=memory, age=1)

    def put(*_: object) -> None:
        path.write_bytes(b"yesterday's")

    def refused(*_: object) -> None:
        raise OSError("no hard links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    if when == "before":
        put()
    with pytest.raises(FileExistsError, match="overwrite=True replaces it") as caught:
        export(memory, path, progress=put)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"yesterday's"
    path.unlink()
    assert export(memory, path) == Exported(1)
    assert [item.name for item in tmp_path.iterdir()] == ["backup.jsonl"]
    assert path.stat().st_nlink == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_file_can_be_read_by_its_owner_only(tmp_path: Path, memory: Backend) -> None:
    export(memory, tmp_path / "a.jsonl")
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600


def test_hashes_of_passwords_are_exported_as_they_are_stored(memory: Backend, other: Backend) -> None:
    Traveller("a", backend=memory, password="TheForce")
    data = exported(memory, secrets="keep")
    stored = memory.mapping(Key("Traveller:a")).get("password")
    assert stored is not None
    assert stored in data
    imported(data, other)
    assert other.mapping(Key("Traveller:a")).get("password") == stored


def test_no_object_is_read_from_a_file_before_the_one_before_it_is_there(three: bytes) -> None:
    there = Watched()
    lines = three.splitlines(keepends=True)
    counts: list[int] = []

    class Lines(io.BytesIO):
        def __next__(self) -> bytes:
            counts.append(Traveller.count(backend=there))
            return super().__next__()

    import_(Lines(b"".join(lines)), there)
    assert counts[:6] == [0, 0, 1, 2, 3, 3]


def test_a_file_and_deadline_of_each_key_are_read_back(memory: Backend, other: Backend) -> None:
    memory.commit([], [Replace(A, {"f": b"1"}), Replace(Key("Thing:a", "c"), [b"1"])])
    memory.commit([], [SetDeadline(Key("Thing:a", "c"), 50.0)])
    assert imported(exported(memory), other) == Moved(copied=1)
    assert ttl(other, A) is None
    assert ttl(other, Key("Thing:a", "c")) == pytest.approx(50, abs=TOLERANCE_S)


def test_the_hash_of_a_password_is_exported_only_where_it_is_asked_for(backend: Backend) -> None:
    class Member(Record):
        name: str
        password: Password

    class Secretive(Record):
        password: Password

    Member("ann", name="Ann", password="xyzzy", backend=backend)
    Secretive("bob", password="xyzzy", backend=backend)
    with pytest.raises(ConfigurationError, match=r"'(Member:ann|Secretive:bob)' holds the hash .* secrets='keep'"):
        exported(backend)
    assert exported(backend, secrets="keep").count(b"$2b$04$") == 2
    handed_on = exported(backend, secrets="omit")
    assert b"$2b$" not in handed_on
    elsewhere = connect("memory:")
    assert imported(handed_on, elsewhere, codec="json") == Moved(copied=1)
    assert Member("ann", backend=elsewhere).to_dict() == {"name": "Ann", "password": PasswordHash("")}
    Member("ann", backend=backend).delete()
    Secretive("bob", backend=backend).delete()
    assert json.loads(exported(backend).splitlines()[-1])["objects"] == 0


def test_a_file_that_takes_no_more_is_named_as_it_was_given_and_not_left(memory: Backend, tmp_path: Path) -> None:
    memory.commit([], [Replace(A, [b"x" * 100_000])])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            export(memory, tmp_path / "all.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path / "all.jsonl")
    assert not list(tmp_path.iterdir())
