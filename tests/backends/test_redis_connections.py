"""Every way to a real server, from a URL and from a configuration, and that no password shows on it."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest
import redis

from persistent_collections import (
    Backend,
    BackendError,
    BackendUnavailable,
    PersistentCollectionsError,
    PersistentDict,
    configure,
    connect,
    current_backend,
)
from persistent_collections.backends.keys import Key
from tests.certificates import Authority
from tests.conftest import Start
from tests.servers import TLS, RunningServer, run_server

pytestmark = pytest.mark.store("server")

SECRET: Final = "sword/fish@:%?#é&= ~"
NAME: Final = "under-test"
"""The name by which a connection made here is known among the server's."""

Options = Mapping[str, str | int]

PLACES: Final = {
    "redis": "redis://127.0.0.1:{port}",
    "valkey": "valkey://localhost:{port}/3",
    "socket": "unix://{socket}",
}
OPTIONS: Final[dict[str, Options]] = {
    "as the default user": {},
    "as another user": {"username": "app"},
    "RESP2": {"protocol": 2},
    "RESP2 as another user": {"username": "app", "protocol": 2},
    "RESP3": {"protocol": 3},
    "prefix": {"prefix": "app1:"},
    "database and prefix": {"prefix": "é *[", "username": "app", "protocol": 3},
}

Make = Callable[[str, Options, str], Backend]
"""Makes a backend of a place, options and a password."""


def from_url(place: str, options: Options, password: str) -> Backend:
    scheme, _, rest = place.partition("://")
    user = quote(str(options.get("username", "")), "")
    others = {name: value for name, value in options.items() if name != "username"}
    return connect(f"{scheme}://{user}:{quote(password, '')}@{rest}?{urlencode(others)}")


def from_options_of_a_url(place: str, options: Options, password: str) -> Backend:
    return connect(f"{place}?{urlencode({**options, 'password': password})}")


def from_mapping(place: str, options: Options, password: str) -> Backend:
    configure({"backends": {"default": {"url": place, **options, "password": password}}})
    return current_backend()


def from_toml(table: Options, folder: Path) -> Backend:
    lines = [f"{name} = {value if isinstance(value, int) else repr(value)}" for name, value in table.items()]
    (folder / "stores.toml").write_text("\n".join(["[backends.default]", *lines]), "utf-8")
    configure(folder / "stores.toml")
    return current_backend()


SOURCES: Final = ["URL", "options of a URL", "mapping", "TOML and variable", "TOML and file"]


@pytest.fixture(params=SOURCES)
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Give each of the ways to say which store it is to be."""

    def from_toml_and_variable(place: str, options: Options, password: str) -> Backend:
        monkeypatch.setenv("STORE_PASSWORD", password)
        return from_toml({"url": place, **options, "password_env": "STORE_PASSWORD"}, tmp_path)

    def from_toml_and_file(place: str, options: Options, password: str) -> Backend:
        (tmp_path / "password").write_text(f"{password}\n", "utf-8")
        return from_toml({"url": place, **options, "password_file": str(tmp_path / "password")}, tmp_path)

    ways = [from_url, from_options_of_a_url, from_mapping, from_toml_and_variable, from_toml_and_file]
    return ways[SOURCES.index(request.param)]


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    configure({})


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    """Give a server that wants a password, of its default user and of ``app``."""
    with run_server(None, "--requirepass", SECRET) as server, client_of(server) as client:
        client.acl_setuser("app", enabled=True, passwords=[f"+{SECRET}"], categories=["+@all"], keys=["*"])
        yield server


def client_of(server: RunningServer, database: int = 0) -> redis.Redis:
    return redis.Redis(port=server.port, db=database, password=SECRET, protocol=2)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_is_asked_for_reaches_the_server(guarded: RunningServer, place: str, options: Options, make: Make) -> None:
    at = place.format(port=guarded.port, socket=guarded.unix_socket)
    database = 3 if at.endswith("/3") else 0
    with (
        make(at, {**options, "client_name": NAME}, SECRET) as backend,
        client_of(guarded, database) as client,
    ):
        client.flushdb()
        PersistentDict("x", backend=backend)["a"] = 1
        assert client.hgetall(f"{options.get('prefix', '')}PersistentDict:x") == {b"a": b"1"}
        [connection] = [one for one in client.client_list() if one["name"] == NAME]
        assert connection["user"] == options.get("username", "default")
        assert connection["db"] == str(database)
        assert connection.get("resp", "3") == str(options.get("protocol", 3)), "older servers do not tell"
        assert (":0" in connection["addr"] and "/" in connection["addr"]) == at.startswith("unix:")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_password_the_server_refuses_is_shown_nowhere(
    guarded: RunningServer, place: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = f"{SECRET}-wrong"
    at = place.format(port=guarded.port, socket=guarded.unix_socket)
    with make(at, {"username": "app"}, wrong) as backend:
        items = PersistentDict[str, int]("x", backend=backend)
        with pytest.raises(BackendError, match="correct the user or the password") as info:
            items["a"] = 1
        shown = [backend.url, repr(backend), str(backend), repr(items), caplog.text]
        shown += traceback.format_exception(info.value)
        try:
            shown.append(repr(pickle.dumps(items)))
        except PersistentCollectionsError as error:
            shown += traceback.format_exception(error)
        for spelling in (wrong, quote(wrong, ""), quote(wrong), urlencode({"p": wrong})[2:], repr(wrong)[1:-1]):
            assert not [text for text in shown if spelling in text]


@pytest.fixture(scope="module")
def secured(tls_server: str, authority: Authority) -> Iterator[RunningServer]:
    """Give a server certified as 127.0.0.1 that asks for no certificate."""
    with run_server(tls_server, "--requirepass", SECRET, tls=TLS(authority)) as server:
        yield server


@pytest.fixture(scope="module")
def suspicious(tls_server: str, authority: Authority) -> Iterator[RunningServer]:
    """Give a server that asks its clients for a certificate too."""
    with run_server(tls_server, "--requirepass", SECRET, tls=TLS(authority, asks_clients=True)) as server:
        yield server


class TestTLS:
    @pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
    def test_a_server_of_a_known_authority_is_spoken_to(
        self, secured: RunningServer, authority: Authority, scheme: str, make: Make
    ) -> None:
        options = {"ssl_ca_certs": str(authority.certificate)}
        with (
            make(f"{scheme}://127.0.0.1:{secured.tls_port}/2", options, SECRET) as backend,
            client_of(secured, 2) as client,
        ):
            PersistentDict("x", backend=backend)["a"] = 1
            assert client.hgetall("PersistentDict:x") == {b"a": b"1"}
            client.flushdb()

    def test_a_server_of_an_unknown_authority_is_refused(self, secured: RunningServer, tmp_path: Path) -> None:
        other = Authority(tmp_path, "other").certificate
        for options in ({}, {"ssl_ca_certs": str(other)}, {"ssl_ca_certs": str(other), "ssl_check_hostname": False}):
            at_once = {**options, "retry_for_s": 60}
            self.refused(
                secured, "127.0.0.1", at_once, "certificate verify failed.*set 'ssl_ca_certs' to the authority"
            )
        self.spoken_to(secured, "127.0.0.1", {"ssl_cert_reqs": "none", "ssl_check_hostname": False})

    def test_a_server_certified_by_another_name_is_refused(self, secured: RunningServer, authority: Authority) -> None:
        options = {"ssl_ca_certs": str(authority.certificate)}
        self.refused(secured, "localhost", options, "'localhost'.*the host of its certificate")
        self.spoken_to(secured, "localhost", {**options, "ssl_check_hostname": False})

    def test_a_server_that_asks_for_a_certificate_is_given_it(
        self, suspicious: RunningServer, authority: Authority
    ) -> None:
        options = {"ssl_ca_certs": str(authority.certificate)}
        signed = authority.sign("client", "key to the key")
        self.refused(suspicious, "127.0.0.1", options)
        shown = {"ssl_certfile": str(signed.certificate), "ssl_keyfile": str(signed.key)}
        self.spoken_to(suspicious, "127.0.0.1", {**options, **shown, "ssl_password": "key to the key"})

    @pytest.mark.parametrize("wrong", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
    def test_files_that_are_missing_or_wrong_are_told_at_once(
        self, suspicious: RunningServer, authority: Authority, tmp_path: Path, wrong: str
    ) -> None:
        signed = authority.sign("another client")
        files = {"ssl_ca_certs": authority.certificate, "ssl_certfile": signed.certificate, "ssl_keyfile": signed.key}
        (tmp_path / "garbage").write_text("garbage")
        for file in (tmp_path / "garbage", tmp_path / "missing"):
            options = {name: str(path) for name, path in {**files, wrong: file}.items()}
            self.refused(
                suspicious, "127.0.0.1", {**options, "retry_for_s": 60}, "the options 'ssl_…' to files that exist"
            )

    def test_a_key_whose_password_is_wrong_is_told_at_once(
        self, suspicious: RunningServer, authority: Authority
    ) -> None:
        signed = authority.sign("locked client", "key to the key")
        options = {
            "ssl_ca_certs": str(authority.certificate),
            "ssl_certfile": str(signed.certificate),
            "ssl_keyfile": str(signed.key),
            "ssl_password": "another key",
        }
        self.refused(suspicious, "127.0.0.1", {**options, "retry_for_s": 60}, "the options 'ssl_…' to files that exist")

    def test_a_server_without_tls_is_unavailable(self, secured: RunningServer) -> None:
        plain = replace(secured, tls_port=secured.port)
        self.refused(plain, "127.0.0.1", {"socket_connect_timeout": 0.2})

    def refused(self, at: RunningServer, host: str, options: Mapping[str, object], message: str | None = None) -> None:
        with (
            connect(f"rediss://{host}:{at.tls_port}", password=SECRET, **{"retry_for_s": 0, **options}) as backend,
            pytest.raises(BackendUnavailable, match=message),
        ):
            PersistentDict("x", backend=backend)["a"] = 1

    def spoken_to(self, at: RunningServer, host: str, options: Mapping[str, object]) -> None:
        with connect(f"rediss://{host}:{at.tls_port}", retry_for_s=0, password=SECRET, **options) as backend:
            items = PersistentDict[str, int]("x", backend=backend)
            items["a"] = 1
            assert items.pop("a") == 1


@pytest.mark.store("cluster", "sentinel")
@pytest.mark.parametrize("kind", ["server", "cluster", "sentinel"])
def test_a_connection_is_made_without_looking_for_the_version_of_redis_py(
    kind: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(start(kind).url) as store:
        read = store.mapping(Key("User:luke")).get_all
        read()
        store.close()
        looked: list[str] = []
        monkeypatch.setattr("importlib.metadata.version", looked.append)
        assert read() == {}
        assert not looked
