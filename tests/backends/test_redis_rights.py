"""The rights that docs/redis.md lists are enough, and none of them is too much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections import BackendError, PersistentList, Record, child
from persistent_collections.backends.base import Backend, Delete, Key, Replace
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.backends.calls import EMPTYINGS, ON_ABSENT, SINGLES, STARTS, WRITES, put
from tests.servers import RunningServer, run_server
from tests.test_docs import ROOT

PASSWORD = "made up"
PREFIX = "app:"


def documented_rights() -> list[str]:
    """Return what docs/redis.md gives its user, from behind the name on."""
    page = (ROOT / "docs" / "redis.md").read_text("utf-8")
    rule = page[page.index("user app ") :].partition("\n```")[0].replace("\\\n", " ")
    return [word for word in rule.split()[2:] if not word.startswith(">")]


def commands() -> list[str]:
    return [word for word in documented_rights() if word.startswith("+")]


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    with run_server() as running:
        yield running


def grant(running: RunningServer, rights: list[str]) -> None:
    with running.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", f">{PASSWORD}", *rights)  # type: ignore[no-untyped-call]  # redis-py's


def connect(running: RunningServer) -> RedisBackend:
    url = StoreURL.parse(f"redis://app:made%20up@127.0.0.1:{running.port}?prefix={PREFIX}")
    return RedisBackend.from_url(url)


@pytest.fixture
def backend(guarded: RunningServer) -> Iterator[Backend]:
    guarded.flush()
    grant(guarded, documented_rights())
    with connect(guarded) as backend:
        yield backend


class TestLeastPrivilege(BackendSuite):
    """The whole suite, as a user of these rights."""


@pytest.mark.parametrize("command", commands())
def test_a_right_that_is_missing_is_named(guarded: RunningServer, command: str) -> None:
    guarded.flush()
    with guarded.client() as client:
        client.script_flush()
    name = command.removeprefix("+")
    rights = [f"-{name}" if word == command else word for word in [*documented_rights(), command]]
    grant(guarded, rights)
    with connect(guarded) as backend, pytest.raises(BackendError, match="ACL SETUSER"):
        use_everything(backend)


def test_keys_without_the_prefix_are_out_of_reach(guarded: RunningServer) -> None:
    grant(guarded, documented_rights())
    with (
        RedisBackend.from_url(StoreURL.parse(f"redis://app:made%20up@127.0.0.1:{guarded.port}")) as backend,
        pytest.raises(BackendError, match="let ACL SETUSER allow its user this command and key"),
    ):
        backend.mapping(Key("Thing:x")).get("a")


def use_everything(backend: Backend) -> None:
    """Do whatever needs a command that nothing else needs."""

    class Owner(Record, backend=backend):
        name: str
        tags: PersistentList[str] = child()

    key, child_key, many = Key("Thing:x"), Key("Thing:x", "child"), [b"%d" % number for number in range(5000)]
    for call in (*ON_ABSENT, *WRITES, *EMPTYINGS):
        for kin in ((), (key, child_key)):
            backend.apply([Delete(key), Delete(child_key)])
            if call in WRITES:
                put(backend, key, STARTS[call.shape])
            elif call in EMPTYINGS:
                put(backend, key, SINGLES[call.shape])
            call.run(backend, key, kin)
    backend.apply([Delete(key), Replace(key, many)])
    numbers = backend.sequence(key)
    numbers.insert(100, b"new")
    assert numbers.pop(2500) == b"2499"
    numbers.splice(10, 20, [b"other"])
    backend.apply([Delete(key), Replace(key, dict.fromkeys(map(str, range(5000)), b"x"))])
    assert sum(map(len, backend.mapping(key).pages())) == 5000
    backend.apply([Delete(key), Replace(key, set(map(str, range(5000))))])
    members = backend.members(key)
    assert sum(map(len, members.pages())) == 5000
    members.combine("union", [child_key])
    members.combine("intersection", [child_key])
    members.combine("difference", [child_key])
    assert backend.snapshot([key, child_key])
    assert backend.exists([key])
    owner = Owner("x", name="a", tags=["b"])
    owner.expire(100)
    owner.tags.append("c")
    owner.persist()
    assert owner.ttl() is None
    assert list(Owner.all().fetch("name")) == [{"name": "a"}]
    assert backend.shape(Key("Owner:x")) == "mapping"
    assert owner.delete()
