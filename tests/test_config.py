from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from persistent_collections import (
    Backend,
    BackendUnavailable,
    ConfigurationError,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    Record,
    child,
    configure,
    connect,
    current_backend,
    register_backend,
    use_backend,
)
from persistent_collections.backends import registry
from persistent_collections.backends.urls import StoreURL
from persistent_collections.config import DEFAULT_URL, VARIABLE
from persistent_collections.testing.backends.base import exists

SECRET = "swordfish"


@pytest.fixture(autouse=True)
def schemes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the schemes that a test registers."""
    monkeypatch.setattr(registry, "_schemes", registry._schemes.copy())


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    configure({})
    yield
    configure({})


@pytest.fixture
def memories() -> list[Backend]:
    return [connect("memory:") for _ in range(3)]


class NamedSession(Record, backend="sessions"):
    user: str


class Note(Record):
    text: str
    tags: PersistentList[str] = child()


class Memo(Record):
    lines: list[str]


def test_the_default_is_a_folder_made_at_the_first_write(tmp_path: Path) -> None:
    notes = PersistentDict("notes")
    assert current_backend().url == f"json://{tmp_path}/persistent-data"
    assert (notes.get("a"), len(notes), list(notes), bool(notes), Note.count()) == (None, 0, [], False, 0)
    with pytest.raises(KeyError):
        notes["a"]
    assert list(tmp_path.iterdir()) == []
    notes["a"] = 1
    assert {path.name for path in tmp_path.iterdir()} == {"persistent-data"}
    assert (tmp_path / "persistent-data/PersistentDict/notes.json").exists()


@pytest.mark.parametrize("url", ["", "json:./data", "sqlite:./data.db"])
def test_the_default_stays_in_the_folder_of_its_first_use(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    notes = PersistentDict("notes", {"a": 1})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    notes["b"] = 2
    assert PersistentDict("notes") == {"a": 1, "b": 2}
    assert list(Path().iterdir()) == []
    configure({})
    assert PersistentDict("notes") == {}


def test_what_does_not_need_the_working_folder_works_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for url in (f"json:{tmp_path}/data", f"sqlite:{tmp_path}/data.db", "memory:", "fakeredis://"):
        monkeypatch.setenv(VARIABLE, url)
        assert PersistentDict("notes", {"a": 1}) == {"a": 1}
    for url in ("", "json:./data", "sqlite:./data.db"):
        monkeypatch.setenv(VARIABLE, url)
        with pytest.raises(ConfigurationError, match="relative to the working folder, which was removed"):
            PersistentDict("notes").get("a")
    with pytest.raises(ConfigurationError, match=r"'x' is relative to the working folder|'\./x' is relative"):
        connect("json:./x")


@pytest.mark.slow
def test_a_store_nobody_uses_is_freed_and_a_named_one_of_this_process_is_not(tmp_path: Path) -> None:
    made = [connect(f"json:{tmp_path}/data"), connect(f"sqlite:{tmp_path}/data.db"), connect("memory:")]
    freed = [weakref.ref(backend) for backend in made]
    PersistentDict("notes", {"a": 1}, backend=made[0])
    PersistentDict("notes", {"a": 1}, backend=connect("memory:named"))
    del made
    gc.collect()
    assert [backend() for backend in freed] == [None] * 3
    assert PersistentDict("notes", backend="memory:named") == {"a": 1}


def test_the_variable_is_read_at_each_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = PersistentDict("notes")
    monkeypatch.setenv(VARIABLE, "fakeredis://one")
    notes["a"] = 1
    monkeypatch.setenv(VARIABLE, "fakeredis://two")
    assert notes == {}
    monkeypatch.setenv(VARIABLE, "fakeredis://one")
    assert notes == {"a": 1}


def test_an_empty_variable_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert current_backend() is connect(DEFAULT_URL)


def test_a_bare_store_of_this_process_is_one_for_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "memory:")
    PersistentDict("notes")["a"] = 1
    assert PersistentDict("notes") == {"a": 1}


@pytest.mark.parametrize("url", ["memory:", "fakeredis://", "json:{}/absolute"])
def test_another_working_folder_is_no_other_store(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, url.format(tmp_path))
    notes = PersistentDict("notes", {"a": 1})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert notes == {"a": 1}


def test_a_wrong_variable_is_an_error_of_the_first_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "redis//localhost")
    notes = PersistentDict("notes")
    with pytest.raises(ConfigurationError, match=r"^PERSISTENT_COLLECTIONS_URL: a store's URL starts with its scheme"):
        notes["a"] = 1


LEVELS = ["object", "class", "use_backend", "configure", "variable"]


@pytest.mark.parametrize("first", range(len(LEVELS)))
def test_the_first_in_the_order_of_precedence_wins(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    backends = {level: connect("memory:") for level in LEVELS}
    spoken = LEVELS[first:]
    options: dict[str, Any] = {"backend": backends["class"]} if "class" in spoken else {}

    class Level(Record, **options):
        name: str

    register_backend("leveltest", f"{__name__}:Variable", replace=True)
    Variable.backend = backends["variable"]
    monkeypatch.setenv(VARIABLE, "leveltest:")
    if "configure" in spoken:
        configure({"backends": {"default": backends["configure"]}})
    given: dict[str, Any] = {"backend": backends["object"]} if "object" in spoken else {}
    if "use_backend" in spoken:
        with use_backend(backends["use_backend"]):
            Level("x", **given, name="here")
            assert Level.count(**given) == 1
    else:
        Level("x", **given, name="here")
        assert Level.count(**given) == 1
    assert {level for level, backend in backends.items() if list(backend.keys(""))} == {LEVELS[first]}


class Variable(Backend):
    """Stands in the registry for a backend that is there already."""

    in_process = True
    backend: Any

    @classmethod
    def from_url(cls, url: object) -> Any:
        return cls.backend


def test_the_innermost_use_backend_wins(memories: list[Backend]) -> None:
    outer, inner, _ = memories
    with use_backend(outer) as given:
        assert given is outer is current_backend()
        with use_backend(inner):
            assert current_backend() is inner
        assert current_backend() is outer
    assert current_backend() is connect(DEFAULT_URL)


def test_use_backend_ends_with_its_block_whatever_happens(memories: list[Backend]) -> None:
    with pytest.raises(RuntimeError), use_backend(memories[0]):
        raise RuntimeError
    with pytest.raises(ConfigurationError), use_backend("unknown"):
        pass
    assert current_backend() is connect(DEFAULT_URL)


def test_use_backend_takes_a_name_a_url_or_a_backend(memories: list[Backend]) -> None:
    configure({"backends": {"users": memories[0]}})
    with use_backend("users") as named, use_backend("fakeredis://x") as by_url, use_backend(memories[1]) as given:
        assert (named, by_url, given) == (memories[0], connect("fakeredis://x"), memories[1])


def test_use_backend_that_does_not_include_its_code_says_so(memories: list[Backend]) -> None:
    block = use_backend(memories[0])
    copy_context().run(block.__enter__)  # in a thread of its own, as FastAPI does with a dependency
    with pytest.raises(ConfigurationError, match="did not apply to the code in between"):
        copy_context().run(block.__exit__, None, None, None)


def test_use_backend_holds_in_its_own_thread_alone(memories: list[Backend]) -> None:
    configure({"backends": {"default": memories[0]}})
    with use_backend(memories[1]), ThreadPoolExecutor(1) as pool:
        assert pool.submit(current_backend).result() is memories[0]
        assert pool.submit(copy_context().run, current_backend).result() is memories[1]


def test_two_threads_use_two_backends_at_once(memories: list[Backend]) -> None:
    barrier = threading.Barrier(2)
    notes = PersistentDict("notes")

    def work(number: int) -> None:
        with use_backend(memories[number]):
            barrier.wait()
            for _ in range(20):
                notes.increment("n")
                notes["who"] = number

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    for number in range(2):
        with use_backend(memories[number]):
            assert notes == {"n": 20, "who": number}


def test_two_tasks_use_two_backends_at_once(memories: list[Backend]) -> None:
    notes = PersistentDict("notes")

    async def work(number: int) -> None:
        with use_backend(memories[number]):
            for _ in range(5):
                notes.increment("n", number + 1)
                await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(work(0), work(1))

    asyncio.run(both())
    for number, total in enumerate([5, 10]):
        with use_backend(memories[number]):
            assert notes == {"n": total}


def test_a_handle_made_before_follows_configure_and_use_backend(memories: list[Backend]) -> None:
    note, tags = Note("n"), Note("n").tags
    configure({"backends": {"default": memories[0]}})
    note.text = "configured"
    tags.append("configured")
    with use_backend(memories[1]):
        assert not note
        assert tags[:] == []
        note.update(text="used", tags=["used"])
    assert (note.text, tags[:]) == ("configured", ["configured"])
    configure({"backends": {"default": memories[1]}})
    assert (note.text, tags[:]) == ("used", ["used"])


@pytest.mark.parametrize("make", ["inside", "backend=", "class"])
def test_a_handle_bound_stays_so_and_so_does_all_reached_through_it(make: str, memories: list[Backend]) -> None:
    home, default, other = memories
    configure({"backends": {"default": default}})

    class Bound(Record, **({"backend": home} if make == "class" else {})):
        friend: Bound | None
        tags: PersistentList[Bound] = child()

    if make == "inside":
        with use_backend(home):
            bound: Any = Bound("b")
    else:
        bound = Bound("b", backend=home) if make == "backend=" else Bound("b")
    with use_backend(other):
        bound.friend = bound
        bound.tags.append(bound)
        bound["friend"].tags[0].friend.tags.append(bound)
        tags = bound.tags
    configure({"backends": {"default": other}})
    assert len(tags) == 2
    assert sorted(map(str, home.keys(""))) == ["Bound:b", "Bound:b:tags"]
    assert not list(default.keys(""))
    assert not list(other.keys(""))


def test_a_nested_value_is_written_back_to_the_store_it_was_read_from(memories: list[Backend]) -> None:
    configure({"backends": {"default": memories[0]}})
    notes = PersistentDict("notes", {"a": [1]})
    memo, found = Memo("m", lines=["x"]), notes["a"]
    lines = memo.lines
    configure({"backends": {"default": memories[1]}})
    PersistentDict("notes", {"a": [1]})
    Memo("m", lines=["x"])
    found.append(2)
    lines.append("y")
    assert (notes["a"], memo.lines) == ([1], ["x"])
    with use_backend(memories[0]):
        assert (notes["a"], memo.lines) == ([1, 2], ["x", "y"])


def test_a_backend_given_wins_inside_use_backend(memories: list[Backend]) -> None:
    with use_backend(memories[0]):
        PersistentDict("d", {"a": 1}, backend=memories[1])
    assert list(memories[0].keys("")) == []


def test_a_name_is_looked_up_at_each_operation(memories: list[Backend]) -> None:
    session, notes = NamedSession("s"), PersistentDict("notes", backend="sessions")
    with pytest.raises(ConfigurationError, match="no backend named 'sessions' is configured \\(known: none\\)"):
        session.user = "leia"
    configure({"backends": {"sessions": memories[0]}})
    session.user = "leia"
    notes["a"] = 1
    configure({"backends": {"sessions": memories[1], "other": memories[0]}})
    assert not session
    assert notes == {}
    with use_backend("sessions"):
        inside = PersistentDict("notes")
    configure({"backends": {"sessions": memories[0]}})
    assert (session.user, notes.copy(), inside.copy()) == ("leia", {"a": 1}, {"a": 1})
    configure({"backends": {"other": memories[0], "users": memories[1]}})
    with pytest.raises(ConfigurationError, match="known: 'other', 'users'"):
        session.user = "leia"


def test_the_name_default_is_the_default_configured_or_not(tmp_path: Path, memories: list[Backend]) -> None:
    notes = PersistentDict("notes", backend="default")
    with use_backend(memories[1]):
        assert notes == {}
    configure({"backends": {"default": memories[0]}})
    notes["a"] = 1
    assert exists(memories[0], notes.__pc__.key)


def test_configure_takes_the_place_of_all_set_before(memories: list[Backend]) -> None:
    configure({"backends": {"default": memories[0], "users": memories[1]}})
    configure({"backends": {"sessions": memories[2]}})
    assert current_backend() is connect(DEFAULT_URL)
    with pytest.raises(ConfigurationError, match="no backend named 'users'"):
        PersistentDict("d", backend="users").get("x")


@pytest.mark.parametrize(
    "wrong",
    [
        "sessions",
        "nosuch:thing",
        {"backend": {}},
        {"backends": {"default": {"url": "memory:", "prefx": "a"}}},
        {"backends": {"default": {"prefix": "a"}}},
        {"backends": {"default": 3}},
        {"backends": "memory:"},
        {"backends": ["memory:"]},
        {"backends": {"a:b": "memory:"}},
        {"backends": {"default": "memory:", "other": {"url": "redis://localhost", "password_env": "NOT_SET_ANYWHERE"}}},
        {"backends": {"other": {"url": "redis://localhost", "password_file": "no/such/file"}}},
        {"backends": {"other": {"url": "memory:", "codec": 3}}},
        {"backends": {"other": {"url": "memory:?codec=json", "codec": "json"}}},
        Path("no/such.toml"),
        Path(),
        3,
        None,
        ["memory:"],
    ],
)
def test_a_wrong_configuration_is_an_error_and_what_was_set_still_holds(wrong: Any, memories: list[Backend]) -> None:
    configure({"backends": {"default": memories[0]}})
    with pytest.raises(ConfigurationError):
        configure(wrong)
    assert current_backend() is memories[0]


def test_what_is_no_configuration_is_said_by_its_type_and_no_name_by_itself() -> None:
    wrong: Any = [SECRET]
    with pytest.raises(ConfigurationError, match=r"a pathlib\.Path to a TOML file, not list$"):
        configure(wrong)
    with pytest.raises(ConfigurationError, match=r"a pathlib\.Path to a TOML file, not 'sessions'$"):
        configure("sessions")


def test_a_wrong_toml_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "stores.toml"
    path.write_text("[backends.default\nurl = 'memory:'")
    with pytest.raises(ConfigurationError, match=r"stores\.toml"):
        configure(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"stores\.toml"):
        configure(path)


def test_a_url_a_mapping_and_a_toml_file_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stores.toml"
    path.write_text(
        """
        [backends.default]
        url = "json:./data"
        fsync = false

        [backends.sessions]
        url = "redis://localhost:1/2"
        prefix = "app1:"
        socket_timeout = 2
        codec = "msgpack"
        """
    )
    configure(path)
    assert current_backend() is connect("json:./data?fsync=off")
    assert current_backend().url == f"json://{tmp_path}/data?fsync=false"
    with use_backend("sessions") as sessions:
        assert sessions is connect("redis://localhost:1/2?prefix=app1:&socket_timeout=2&codec=msgpack")
        assert sessions.codec == "msgpack"
    configure({"backends": {"default": "json:./data?fsync=off"}})
    assert current_backend() is connect("json:./data", fsync=False)
    configure("json:./data?fsync=off")
    assert current_backend() is connect("json:./data?fsync=off")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = connect("json:./data")
    assert connect("json:data") is one is connect(f"json:{tmp_path}/data") is connect(f"json://{tmp_path}/data")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert connect("json:./data") is not one
    assert connect("json:../data") == one
    PersistentDict("d", {"a": 1}, backend=one)
    assert (tmp_path / "data/PersistentDict/d.json").exists()


@pytest.mark.parametrize(
    ("url", "nearest"),
    [
        ("json:./data?fsnc=off", "fsync"),
        ("redis://localhost?prefx=a", "prefix"),
        ("redis://localhost?sockettimeout=3", "socket_timeout"),
        ("fakeredis://?server_tipe=redis", "server_type"),
        ("memory:?codek=json", "codec"),
    ],
)
def test_an_unknown_option_is_an_error_that_names_the_nearest(url: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f"unknown option '[a-z_]+' .*did you mean '{nearest}'"):
        connect(url)


@pytest.mark.parametrize(
    "url",
    [
        "json:./data?fsync=maybe",
        "json:./data?fsync=",
        "redis://localhost?socket_timeout=soon",
        "redis://localhost?protocol=4",
        "redis://localhost?protocol=two",
        "fakeredis://?server_type=mysql",
        "memory:?codec=json&codec=json",
    ],
)
def test_an_option_of_another_type_is_an_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"option '[a-z_]+'"):
        connect(url)


def test_an_option_given_in_the_url_and_beside_it_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="option 'codec' is given twice"):
        connect("memory:?codec=json", codec="json")


def test_options_beside_a_url_are_typed_and_never_guessed(tmp_path: Path) -> None:
    assert connect("json:./data", fsync=False) is connect("json:./data?fsync=off")
    with pytest.raises(ConfigurationError, match="option 'fsync' takes a bool"):
        connect("json:./data", fsync=0)
    with pytest.raises(ConfigurationError, match="option 'prefix' takes a str"):
        connect("redis://localhost", prefix=1)


@pytest.mark.parametrize("name", ["data", "data/sub", "localhost/var/lib/app"])
@pytest.mark.parametrize("scheme", ["json", "sqlite"])
def test_a_host_in_the_url_of_files_is_an_error_that_shows_the_right_spelling(scheme: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{scheme}:\\./{name}'.*'{scheme}:///{name}'"):
        connect(f"{scheme}://{name}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("jsn:./data", r"did you mean 'json'\?$"),
        ("rediss3://x", r"did you mean 'rediss'\?$"),
        ("postgres://localhost/db", "known: .*'fakeredis', .*'redis', "),
        ("mysql://localhost/db", "known: .*'memory', .*'sqlite', "),
        ("C:/data", "known: "),
    ],
)
def test_an_unknown_scheme_is_an_error_that_names_the_nearest_or_lists_the_known(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no store is registered for .* URLs .*; {told}"):
        connect(url)


@pytest.mark.parametrize("wrong", ["", "data", "./data", ":", "://x", "json"])
def test_a_url_without_a_scheme_is_an_error(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"json:\./data"):
        connect(wrong)


@pytest.mark.parametrize("wrong", [3, b"memory:", Path("data"), {"url": "memory:"}, object()])
def test_what_is_no_backend_is_refused(wrong: Any) -> None:
    takes: list[Callable[[], object]] = [
        lambda: PersistentDict("d", backend=wrong),
        lambda: Note("n", backend=wrong),
        lambda: Note.load("n", backend=wrong),
        lambda: use_backend(wrong).__enter__(),
    ]
    for take in takes:
        with pytest.raises(ConfigurationError, match="backend= takes a configured name, a URL or a backend"):
            take()


def test_connect_gives_the_same_backend_for_the_same_full_url() -> None:
    assert connect("redis://localhost:1/2") is connect("redis://localhost:1/2")
    assert connect("REDIS://localhost:1/2") is connect("redis://localhost:1/2")
    assert connect("redis://localhost:1/2?prefix=a") is connect("redis://localhost:1/2", prefix="a")


@pytest.mark.parametrize(
    "other",
    [
        "redis://localhost:1/3",
        "redis://localhost:2/2",
        "redis://localhost:1/2?prefix=a",
        "redis://localhost:1/2?socket_timeout=3",
        "redis://:password@localhost:1/2",
        "redis://user:password@localhost:1/2",
        "redis://user:other@localhost:1/2",
        "redis://localhost:1/2?password=password",
    ],
)
def test_connect_tells_urls_apart_by_all_that_stands_in_them(other: str) -> None:
    urls = ["redis://localhost:1/2", "redis://:secret@localhost:1/2", "redis://user:secret@localhost:1/2"]
    assert all(connect(other) is not connect(url) for url in urls)
    assert connect(other) is connect(other)


def test_stores_are_equal_by_server_database_and_prefix(tmp_path: Path) -> None:
    base = connect("redis://localhost:1/2")
    assert base == connect("redis://user:password@localhost:1/2?socket_timeout=3")
    assert base != connect("redis://localhost:1/3")
    assert base != connect("redis://localhost:1/2?prefix=a")
    assert hash(base) == hash(connect("redis://user:password@localhost:1/2"))
    assert connect("json:./data") == connect("json:./data?fsync=off")
    assert connect("json:./data") != connect("json:./other")


def test_stores_of_this_process_are_equal_only_when_one(memories: list[Backend]) -> None:
    one, other, _ = memories
    assert one == one  # noqa: PLR0124 - a store's equality with itself is what is tested
    assert one != other
    assert connect("fakeredis://") is not connect("fakeredis://")
    assert connect("fakeredis://") != connect("fakeredis://")
    assert connect("fakeredis://name") is connect("fakeredis://name")
    assert connect("fakeredis://name") != connect("fakeredis://other")


def test_a_bare_store_of_this_process_is_one_for_each_configure() -> None:
    configure("fakeredis://")
    notes = PersistentDict("notes", {"a": 1})
    assert PersistentDict("notes") == {"a": 1}
    first = current_backend()
    configure("fakeredis://")
    assert current_backend() is not first
    assert notes == {}


def test_connect_is_a_context_manager_that_closes_and_the_next_operation_reopens(backend: Backend) -> None:
    with backend as given:
        assert given is backend
        notes = PersistentDict("notes", {"a": 1}, backend=backend)
    assert notes == {"a": 1}
    backend.close()
    notes["b"] = 2
    assert notes == {"a": 1, "b": 2}


PASSWORDS = [
    f"redis://user:{SECRET}@127.0.0.1:1/0",
    f"redis://:{SECRET}@127.0.0.1:1",
    f"redis://127.0.0.1:1?password={SECRET}",
    f"rediss://user:{SECRET}@127.0.0.1:1/0",
    f"valkey://user:{SECRET}@127.0.0.1:1/0",
    f"redis://user:{SECRET}%40x@127.0.0.1:1/0?socket_connect_timeout=1",
]


@pytest.mark.parametrize("url", PASSWORDS)
def test_a_password_is_in_no_repr_url_error_log_or_pickle(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with connect(url, retry_for_s=0) as backend:
        notes = PersistentDict("notes", backend=backend)
        with pytest.raises(BackendUnavailable) as caught:
            notes["a"] = 1
        errors: list[Exception] = [caught.value]
        for use in (
            lambda: pickle.dumps(notes),
            lambda: Note.load("n", backend=backend),
            lambda: Note("n", backend=backend).text,
        ):
            with pytest.raises(PersistentCollectionsError) as caught_too:
                use()
            errors.append(caught_too.value)
        shown = [backend.url, repr(backend), str(backend), repr(notes), repr(vars(notes).get("_choice")), caplog.text]
        shown += ["".join(traceback.format_exception(error)) for error in errors]
        assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    ("url", "missing"), [("memory:", "ends with this process"), (PASSWORDS[0], "lacks its password")]
)
def test_a_handle_that_cannot_be_pickled_names_the_cause(url: str, missing: str) -> None:
    with connect(url) as backend, pytest.raises(ConfigurationError, match=missing):
        pickle.dumps(PersistentDict("notes", backend=backend))


@pytest.mark.parametrize("wrong", ["prefx=a", "socket_timeout=soon", "protocol=7", "prefix={a}", "prefix=a&prefix=b"])
def test_a_password_is_not_in_the_error_of_a_wrong_url(wrong: str) -> None:
    for make in (
        connect,
        configure,
        lambda url: configure({"backends": {"x": url}}),
        lambda url: Note("n", backend=url),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make(f"redis://user:{SECRET}@127.0.0.1:1/0?{wrong}")
        assert SECRET not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize(
    "wrong",
    [
        f"user:{SECRET}@localhost",
        f"//user:{SECRET}@localhost:6379",
        f"{SECRET}@localhost:6379",
        f"redis:user:{SECRET}@localhost",
        f"redis:/user:{SECRET}@localhost",
        f"redis://user:{SECRET}@localhost:port",
        f"redis://user:{SECRET}@localhost:1/database",
        f"redis://user:{SECRET}@localhost:99999999",
        f"json://user:{SECRET}@localhost/data",
        f"reddis://user:{SECRET}@localhost",
        f"redis://user:a?{SECRET}@localhost",
        f"redis://user:a?{SECRET}=@localhost",
        f"redis://user:a/{SECRET}@localhost",
    ],
)
def test_a_password_is_not_in_the_error_of_what_is_hardly_a_url(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(wrong)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


SECRETS: Final = {
    "password": "redis://127.0.0.1:1/0",
    "sentinel_password": "redis+sentinel://127.0.0.1:1/main/0",
    "ssl_password": "rediss://127.0.0.1:1/0",
}
"""Options that are secret, and a URL that takes each."""


@pytest.mark.parametrize(("name", "url"), SECRETS.items())
def test_a_secret_stands_in_a_variable_or_a_file(
    name: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", f"0{SECRET} ")
    file = tmp_path / "secret"
    file.write_text(f"0{SECRET} \n")
    plain = connect(url, **{name: f"0{SECRET} "})
    for option, place in ((f"{name}_env", "STORE_SECRET"), (f"{name}_file", str(file)), (f"{name}_file", file)):
        configure({"backends": {"default": {"url": url, option: place}}})
        same = [current_backend(), connect(url, **{option: place}), connect(f"{url}?{urlencode({option: place})}")]
        monkeypatch.setenv("PERSISTENT_COLLECTIONS_URL", f"{url}?{urlencode({option: place})}")
        configure({})
        assert [one is plain for one in [*same, current_backend()]] == [True] * 4
    assert SECRET not in repr(plain)


def test_where_a_secret_stands_is_a_text(tmp_path: Path) -> None:
    for option in ("password_env", "password_file"):
        with pytest.raises(ConfigurationError, match=rf"option '{option}' takes a str, not 3$"):
            connect("redis://127.0.0.1:1", **{option: 3})
    (tmp_path / "secret").write_bytes(b"\xff")
    for place in (tmp_path / "secret", tmp_path):
        with pytest.raises(ConfigurationError, match=f"cannot read the password_file '{place}'"):
            connect("redis://127.0.0.1:1", password_file=place)


def test_where_a_secret_stands_that_the_store_has_none_of_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_SECRET", SECRET)
    for url, option in (("redis://127.0.0.1:1", "sentinel_password_env"), ("json:./data", "password_env")):
        with pytest.raises(ConfigurationError, match=f"unknown option '{option[:-4]}") as caught:
            connect(url, **{option: "STORE_SECRET"})
        assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"'sentinel_pasword_env'.*did you mean 'sentinel_password_env'\?"):
        connect("redis+sentinel://127.0.0.1:1/main", sentinel_pasword_env="STORE_SECRET")


@pytest.mark.parametrize("number", ["0123", "None", "true"])
def test_a_password_that_looks_like_something_else_stays_text(number: str) -> None:
    assert connect("redis://127.0.0.1:1", password=number) is connect(f"redis://127.0.0.1:1?password={number}")
    with pytest.raises(ConfigurationError, match=r"option 'password' takes a str$"):
        connect("redis://127.0.0.1:1", password=123)


@pytest.mark.parametrize(("name", "url"), SECRETS.items())
def test_two_places_for_one_secret_are_an_error(
    name: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", SECRET)
    (tmp_path / "secret").write_text(SECRET)
    variable, file = {f"{name}_env": "STORE_SECRET"}, {f"{name}_file": str(tmp_path / "secret")}
    for table in (variable | file, variable | {name: "other"}, file | {name: "other"}):
        with pytest.raises(ConfigurationError, match=r"are given; keep only one$") as caught:
            configure({"backends": {"x": {"url": url, **table}}})
        assert SECRET not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"option 'password' is given twice"):
        connect("redis://ann:other@127.0.0.1:1", password_env="STORE_SECRET")


def test_an_error_of_a_named_backend_names_it() -> None:
    with pytest.raises(ConfigurationError, match="backend 'users': unknown option 'prefx'"):
        configure({"backends": {"users": {"url": "redis://localhost", "prefx": "a"}}})
    with pytest.raises(ConfigurationError, match="backend 'users'"):
        configure({"backends": {"users": "redis://localhost?prefx=a"}})
    with pytest.raises(ConfigurationError, match=r"backend 'users': .*NOT_SET_ANYWHERE"):
        configure({"backends": {"users": {"url": "redis://localhost", "password_env": "NOT_SET_ANYWHERE"}}})


def test_register_backend_serves_a_scheme_of_its_own() -> None:
    register_backend("memory2", "persistent_collections.backends.memory:MemoryBackend")
    register_backend("memory2", "persistent_collections.backends.memory:MemoryBackend")
    notes = PersistentDict("notes", {"a": 1}, backend="memory2:")
    assert notes == {"a": 1}
    with pytest.raises(ConfigurationError, match=r"scheme 'memory2' is served by .*MemoryBackend"):
        register_backend("memory2", "somewhere:Else")
    with pytest.raises(ConfigurationError, match="scheme 'json' is served by"):
        register_backend("json", "somewhere:Else")


def test_only_a_class_of_a_store_serves_a_scheme() -> None:
    for target in ("os.path:join", "pathlib:Path"):
        register_backend("memory3", target, replace=True)
        with pytest.raises(
            ConfigurationError, match=f"'memory3' URLs, '{target}', is not a class derived from Backend"
        ):
            connect("memory3:")


def test_a_store_is_registered_by_the_name_of_its_class() -> None:
    wrong: Any
    for wrong in (Variable, "persistent_collections.backends.memory", None):
        with pytest.raises(ConfigurationError, match=r"'memory4' URLs is written 'package\.module:Class', not "):
            register_backend("memory4", wrong)


def test_the_environment_is_left_as_it_was() -> None:
    before = dict(os.environ)
    PersistentDict("notes", {"a": 1})
    configure("memory:")
    assert dict(os.environ) == before


def test_a_url_taken_apart_shows_no_password() -> None:
    url = StoreURL.parse("redis://app:s3cret@host/0?password=s3cret")
    assert "s3cret" not in repr(url)
