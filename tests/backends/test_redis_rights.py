"""The rights that docs/redis.md lists are enough, and none of them is too much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections import BackendError, PersistentList, Record, child
from persistent_collections.backends.base import Backend, Found
from persistent_collections.backends.changes import Delete, Replace, SetDeadline
from persistent_collections.backends.indexes import FIRST, LAST
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.shapes import MAPPING, MEMBERS
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.backends.base import put
from persistent_collections.testing.backends.calls import EMPTYINGS, ON_ABSENT, SINGLES, STARTS, WRITES
from persistent_collections.testing.backends.indexes import INDEXES, INDEXING, SIZE, saving
from tests.servers import RunningServer, run_cluster, run_server
from tests.test_docs import ROOT

pytestmark = pytest.mark.store("server")

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_on_a_cluster_they_are_enough_with_those_named_for_it() -> None:
    page = " ".join((ROOT / "docs" / "redis.md").read_text("utf-8").split())
    for_clusters = page.partition("On a cluster, add `")[2].partition("`")[0].split()
    assert for_clusters
    with run_cluster() as cluster:
        for node in cluster.nodes:
            grant(node, [*documented_rights(), *for_clusters])
        url = f"redis+cluster://app:made%20up@127.0.0.1:{cluster.nodes[0].port}?prefix={PREFIX}"
        with RedisBackend.from_url(StoreURL.parse(url)) as backend:
            use_everything(backend)
            assert list(backend.keys("Thing"))


def test_keys_without_the_prefix_are_out_of_reach(guarded: RunningServer) -> None:
    grant(guarded, documented_rights())
    with (
        RedisBackend.from_url(StoreURL.parse(f"redis://app:made%20up@127.0.0.1:{guarded.port}")) as backend,
        pytest.raises(BackendError, match="allow its user this command and key by ACL SETUSER"),
    ):
        backend.mapping(Key("Thing:x")).get("a")


def use_everything(backend: Backend) -> None:
    """Do whatever needs a command that nothing else needs."""

    class Owner(Record):
        name: str
        tags: PersistentList[str] = child()

    key, child_key, many = Key("Thing:x"), Key("Thing:x", "child"), [b"%d" % number for number in range(5000)]
    for call in (*ON_ABSENT, *WRITES, *EMPTYINGS):
        for owned in (key, child_key):
            backend.commit([], [Delete(child_key), Delete(key), Replace(key, {"f": b"1"}), SetDeadline(key, 1000)])
            if call in WRITES:
                put(backend, owned, STARTS[call.shape])
            elif call in EMPTYINGS:
                put(backend, owned, SINGLES[call.shape])
            elif owned == key:
                backend.commit([], [Delete(key)])
            call.run(backend, owned)
    put(backend, key, many)
    numbers = backend.sequence(key)
    numbers.insert(100, b"new")
    assert numbers.pop(2500) == b"2499"
    numbers.splice(10, 20, [b"other"])
    numbers.replace(many + many)
    put(backend, key, dict.fromkeys(map(str, range(5000)), b"x"))
    assert sum(map(len, backend.mapping(key).pages())) == 5000
    put(backend, key, set(map(str, range(5000))))
    members = backend.members(key)
    assert sum(map(len, members.pages())) == 5000
    members.combine("union", [child_key])
    members.combine("intersection", [child_key])
    members.combine("difference", [child_key])
    assert backend.snapshot([key, child_key])
    assert backend.look([key], sizes=True) == [Found(MEMBERS, size=5000)]
    owner = Owner("x", name="a", tags=["b"], backend=backend)
    owner.expire(100)
    owner.tags.append("c")
    owner.persist()
    assert owner.ttl() is None
    assert list(Owner.all(backend=backend).fetch("name")) == [{"name": "a"}]
    assert [found and found.shape for found in backend.look([Key("Owner:x")])] == [MAPPING]
    assert owner.delete()
    if backend.indexing == "indexes":
        use_indexes(backend)


def use_indexes(backend: Backend) -> None:
    """Use every command that only indexes need."""
    index = backend.index(INDEXING)
    index.mark([each.name for each in INDEXES], whole=True)
    for ident in ("x", "y"):
        for size in "12":
            backend.commit([], saving(ident, name=ident, size=size))
    if backend.several_roots:
        backend.commit([], [*saving("x", name="y"), *saving("y", name="x")])
    backend.commit([], saving("x", name="other"))
    backend.commit([], saving("z", name="x" if not backend.several_roots else "y"))
    for backwards in (False, True):
        assert index.find(SIZE.name, FIRST, LAST, 10, backwards=backwards)
    assert list(index.entries(SIZE.name))
