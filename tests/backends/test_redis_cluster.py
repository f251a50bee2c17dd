"""What a store on a Redis Cluster does beyond what every store does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, permutations
from typing import Final

import pytest
import redis

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Exists, Replace, SetDeadline, SetFields
from persistent_collections.backends.handles import SetOperation
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.names import SlotNames
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import BackendError, BackendUnavailable, ConfigurationError, OutcomeUnknown
from persistent_collections.moving import copy
from tests.backends.test_redis_outages import MAX_ITEMS, OPERATIONS, Operation, Trial
from tests.backends.writer import Writer
from tests.servers import RunningCluster, RunningServer, run_cluster, run_server, wait_until

pytestmark = pytest.mark.store("cluster")

KEY = Key("Thing:x")
CHILD = Key("Thing:x", "child")
NASTY = ["{", "}", "{}", "{a}b", "a{b}c", "}{", "%7B", ":", "a:b", "é", "\n"]


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningCluster]:
    with run_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: RunningCluster) -> RunningCluster:
    shared.flush()
    return shared


@pytest.fixture
def frail() -> Iterator[RunningCluster]:
    """Give a cluster of the test's own, each of whose masters has a replica."""
    with run_cluster(replicas=1) as cluster:
        yield cluster


@pytest.fixture
def backend(cluster: RunningCluster) -> Iterator[RedisBackend]:
    with connect(cluster) as backend:
        yield backend


def connect(cluster: RunningCluster, options: str = "") -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{cluster.url}?{options}"))


def slot_of(cluster: RunningCluster, name: bytes) -> int:
    with cluster.running()[0].client() as client:
        return int(client.cluster("KEYSLOT", name))


def another(cluster: RunningCluster, slot: int) -> RunningServer:
    """Return a master that does not serve ``slot``."""
    owner = cluster.owner(slot)
    return next(node for node in cluster.nodes if node is not owner)


def items(backend: Backend, key: Key) -> list[bytes]:
    return backend.sequence(key).get_slice(slice(None))


class TestNames:
    @pytest.mark.parametrize("prefix", ["", "app1:"])
    def test_an_object_its_children_and_what_is_staged_beside_them_share_a_slot(
        self, cluster: RunningCluster, prefix: str
    ) -> None:
        names = SlotNames(prefix)
        for root in ("User:x", "User:%7Ba%7Db", "User:é"):
            own, child = names.spell(Key(root)), names.spell(Key(root, "friends"))
            assert own.decode() == f"{prefix}{root}"
            assert child.decode() == f"{{{prefix}{root}}}:friends"
            together = (own, child, names.beside(own), names.beside(child))
            assert len({slot_of(cluster, name) for name in together}) == 1

    @pytest.mark.parametrize("prefix", ["", "app1:"])
    def test_what_is_no_key_is_not_read_as_one(self, prefix: str) -> None:
        names = SlotNames(prefix)
        for key in (KEY, CHILD):
            assert names.read(names.spell(key)) == key
            assert names.read(names.beside(names.spell(key))) is None
        for name in ("Thing:x:child", "{Thing:x:child}", "{Thing:}x:child", "{Thing:x}child", "{Thing:x}", "Thing:{x}"):
            assert names.read(f"{prefix}{name}".encode()) is None
            assert names.read(name.replace("{", f"{{{prefix}").encode()) is None

    def test_a_child_spelt_as_on_a_single_server_is_a_stranger(self, cluster: RunningCluster) -> None:
        with connect(cluster, "prefix=app1:") as backend:
            backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"a"])])
            client = cluster.client()
            client.rpush("app1:Thing:y:child", "a")
            client.rpush("{app1:Thing:y:child}", "a")
            client.close()
            found = {name for name, _ in backend.strangers(["Thing"])}
            assert found == {"app1:Thing:y:child", "{app1:Thing:y:child}"}
            assert set(backend.keys("Thing:")) == {KEY, CHILD}

    def test_keys_of_all_nodes_are_listed_whatever_their_prefix_is(self, cluster: RunningCluster) -> None:
        roots = [f"Thing:{number}" for number in range(50)]
        keys = {Key(root, child) for root in roots for child in (None, "child")}
        for prefix in ("", "a*:"):
            with connect(cluster, f"prefix={prefix}") as backend:
                for root in roots:
                    backend.commit([], [Replace(Key(root), {"f": b"1"}), Replace(Key(root, "child"), [b"a"])])
                backend.mapping(Key("Thingy:x")).set_many({"f": b"1"})
                assert set(backend.keys("Thing:")) == keys
        sizes = []
        for node in cluster.nodes:
            with node.client() as client:
                sizes.append(client.dbsize())
        assert all(sizes), "the test wants keys on every node"


class TestStepsOverSeveralRoots:
    def test_those_of_several_slots_are_refused_and_nothing_is_done(self, backend: RedisBackend) -> None:
        here, there = Key("Thing:x"), Key("Thing:y")
        assert not backend.several_roots
        for conditions, changes in (
            ([], [Replace(here, {"f": b"1"}), Replace(there, {"f": b"1"})]),
            ([Exists(there, expected=False)], [Replace(here, {"f": b"1"})]),
        ):
            with pytest.raises(BackendError, match=r"'Thing:[xy]' and 'Thing:[xy]' are not in the same slot"):
                backend.commit(conditions, changes)
        assert backend.look([here, there]) == [None, None]

    def test_a_single_server_takes_them(self) -> None:
        with run_server() as server, RedisBackend.from_url(StoreURL.parse(server.url)) as backend:
            assert backend.several_roots
            assert backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(Key("Thing:y"), {"f": b"1"})])
            assert set(backend.keys("")) == {KEY, Key("Thing:y")}


class TestSetsOfSeveralSlots:
    @pytest.mark.parametrize("operation", ["union", "intersection", "difference"])
    def test_they_are_combined_as_those_of_one_are(self, backend: RedisBackend, operation: SetOperation) -> None:
        contents = [{"a", "b", "c"}, {"b", "c", "d"}, {"c"}, set[str]()]
        scattered = [Key(f"Thing:{number}") for number in range(4)]
        together = [Key("Thing:x", f"child{number}") for number in range(4)]
        for keys in (scattered, together):
            for key, content in zip(keys, contents, strict=True):
                backend.commit([], [Replace(key, content)])
        for last in range(1, 5):
            results = [backend.members(keys[0]).combine(operation, keys[1:last]) for keys in (scattered, together)]
            assert results[0] == results[1]


class TestSlotsThatMove:
    def test_what_moved_is_found_at_once(self, cluster: RunningCluster) -> None:
        slot = slot_of(cluster, b"Thing:x")
        with connect(cluster, "retry_for_s=0") as backend:
            for number in range(3):
                backend.sequence(KEY).push_right([b"%d" % number])
                cluster.move(slot, another(cluster, slot))
            assert items(backend, KEY) == [b"0", b"1", b"2"]
            cluster.move(slot, another(cluster, slot))
            assert [found is not None for found in backend.look([KEY, Key("Thing:y")])] == [True, False]

    def test_what_has_moved_of_a_slot_and_what_has_not_is_found_at_once(
        self, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("persistent_collections.backends.redis.mapping.MAX_ITEMS", 2)
        monkeypatch.setattr("persistent_collections.backends.redis.executor.MAX_ITEMS", 2)
        slot = slot_of(cluster, b"Thing:x")
        target = another(cluster, slot)
        with connect(cluster, "retry_for_s=0") as backend:
            backend.mapping(KEY).set_many({"a": b"1"})
            cluster.begin_move(slot, target)
            for _ in range(2):
                backend.mapping(KEY).add("b", b"2")
                assert backend.mapping(KEY).get("a") == b"1"
                assert backend.mapping(KEY).get_many(["a", "b", "c", "d", "e"]) == [b"1", b"2", None, None, None]
                assert backend.get_many([(KEY, ["b"]), (Key("Thing:y"), ["b"])]) == [[b"2"], [None]]
                assert list(chain.from_iterable(backend.mapping(KEY).pages())) == [("a", b"1"), ("b", b"2")]
                assert set(backend.keys("Thing:")) == {KEY}
                cluster.move_keys(slot, target)
            cluster.end_move(slot, target)
            assert backend.mapping(KEY).get_all() == {"a": b"1", "b": b"2"}

    def test_what_needs_keys_on_both_sides_waits_or_says_so(self, cluster: RunningCluster) -> None:
        slot = slot_of(cluster, b"Thing:x")
        target = another(cluster, slot)
        with connect(cluster, "retry_for_s=0.1") as backend, connect(cluster, "retry_for_s=30") as patient:
            backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"a"])])
            cluster.begin_move(slot, target)
            cluster.move_keys(slot, target, 1)
            with pytest.raises(BackendUnavailable, match=r"'Thing:x'.*slots are moving"):
                backend.commit([], [Delete(KEY), Delete(CHILD)])
            assert set(backend.keys("Thing:")) == {KEY, CHILD}

            def finish() -> None:
                while cluster.move_keys(slot, target):
                    pass
                cluster.end_move(slot, target)

            timer = threading.Timer(0.3, finish)
            timer.start()
            assert patient.commit([Exists(KEY), Exists(CHILD)], [Delete(KEY), Delete(CHILD)])
            timer.join()
            assert backend.look([KEY, CHILD]) == [None, None]

    def test_nodes_that_name_others_for_too_long_are_unavailable_and_nothing_was_done(
        self, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("persistent_collections.backends.redis.executor.MOST_HOPS", 0)
        slot = slot_of(cluster, b"Thing:x")
        target = another(cluster, slot)
        with connect(cluster, "retry_for_s=0") as backend:
            backend.sequence(KEY).push_right([b"a"])
            cluster.begin_move(slot, target)
            cluster.move_keys(slot, target)
            told = rf"slot {slot} is said to be at .*:{target.port}; its slots are moving"
            with pytest.raises(BackendUnavailable, match=told):  # the node says ASK
                backend.sequence(KEY).push_right([b"b"])
            cluster.end_move(slot, target)
            with pytest.raises(BackendUnavailable, match=told):  # the node says MOVED
                backend.sequence(KEY).push_right([b"b"])
            assert items(backend, KEY) == [b"a"]

    @pytest.mark.slow
    def test_no_write_is_lost_or_done_twice_while_slots_move(self, cluster: RunningCluster) -> None:
        keys = [Key(f"Thing:{number}", "child") for number in range(4)]
        slots = [slot_of(cluster, key.root.encode()) for key in keys]
        with connect(cluster, "retry_for_s=5") as backend:
            with ExitStack() as stack:
                writers = [stack.enter_context(Writer(backend, key)) for key in keys]
                for slot in slots * 3:
                    for writer in writers:
                        writer.wait(1)
                    assert set(backend.keys("Thing:")) == {*keys, *(key.owner for key in keys)}
                    cluster.move(slot, another(cluster, slot))
            for writer in writers:
                assert not writer.unknown
                assert items(backend, writer.key) == writer.acknowledged

    def test_keys_that_stay_are_listed_exactly_once_while_slots_move(self, cluster: RunningCluster) -> None:
        with connect(cluster) as backend:
            keys = [Key(f"Thing:{number}") for number in range(300)]
            for key in keys:
                backend.mapping(key).set_many({"f": b"1"})
            slots = [slot_of(cluster, f"Thing:{number}".encode()) for number in range(10)]
            stop = threading.Event()

            def move() -> None:
                while not stop.is_set():
                    for slot in slots:
                        cluster.move(slot, another(cluster, slot))

            mover = threading.Thread(target=move)
            mover.start()
            try:
                for _ in range(20):
                    assert sorted(backend.keys("Thing:")) == sorted(keys)
            finally:
                stop.set()
                mover.join()

    def test_keys_that_go_to_a_node_already_walked_are_listed(self, cluster: RunningCluster) -> None:
        with connect(cluster) as backend:
            keys = [Key(f"Thing:{number}") for number in range(3000)]
            for key in keys:
                backend.mapping(key).set_many({"f": b"1"})
            listing = backend.keys("Thing:")
            seen = [next(listing)]
            slots = {slot_of(cluster, f"Thing:{number}".encode()) for number in range(40)}
            first = slot_of(cluster, seen[0].root.encode())
            walked = cluster.owner(first)
            moved = [slot for slot in slots if cluster.owner(slot) is not walked]
            assert moved
            for slot in moved[::2]:
                cluster.move(slot, walked)
            for slot in moved[1::2]:
                cluster.begin_move(slot, walked)
                cluster.move_keys(slot, walked)
            seen += listing
            for slot in moved[1::2]:
                cluster.end_move(slot, walked)
            assert sorted(seen) == sorted(keys)

    def test_keys_of_slots_that_were_already_on_the_move_are_listed(self, cluster: RunningCluster) -> None:
        with connect(cluster) as backend:
            keys = [Key(f"Thing:{number}") for number in range(60)]
            for key in keys:
                backend.mapping(key).set_many({"f": b"1"})
            slots = {slot_of(cluster, key.root.encode()) for key in keys}
            owned = [iter([slot for slot in slots if cluster.owner(slot) is node]) for node in cluster.nodes]
            moves = [(next(owned[source]), to) for source, to in permutations(range(3), 2)]
            for slot, to in moves:
                cluster.begin_move(slot, cluster.nodes[to])
            listing = backend.keys("Thing:")
            seen = [next(listing)]
            walked = cluster.nodes.index(cluster.owner(slot_of(cluster, seen[0].root.encode())))
            for slot, to in [move for move in moves if move[1] == walked]:
                cluster.move_keys(slot, cluster.nodes[to])
            seen += listing
            for slot, to in moves:
                cluster.move_keys(slot, cluster.nodes[to])
                cluster.end_move(slot, cluster.nodes[to])
            assert sorted(seen) == sorted(keys)


@pytest.mark.slow
class TestScriptsWhileASlotMoves:
    """A script is refused what it has itself deleted, and nothing undoes what it did before."""

    WAITING: Final = frozenset(
        {
            "Record.create",
            "list.extend, staged",
            "list[:] = ..., staged",
            "commit",
            "commit.Make",
            "commit, another shape",
            "child's first item",
        }
    )
    """What may wait, since it needs a key that is not there, or that of what is staged."""

    @pytest.mark.parametrize("deadline", [False, True], ids=["", "with a deadline"])
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_all_is_done_or_nothing_is(
        self, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch, name: str, *, deadline: bool
    ) -> None:
        monkeypatch.setattr("persistent_collections.backends.redis.executor.MAX_ITEMS", MAX_ITEMS)

        def prepare(backend: Backend) -> None:
            OPERATIONS[name].prepare(backend)
            if deadline:
                backend.commit([], [SetDeadline(key, 1000) for key in backend.keys("")])

        operation = Operation(prepare, OPERATIONS[name].run)
        with connect(cluster, "retry_for_s=0") as backend, connect(cluster, "retry_for_s=30") as observer:
            for already_moved in (False, True):
                tried = Trial(backend, observer)
                tried.run(operation, self.moving(cluster, observer, already_moved=already_moved))
                assert tried.outcomes["done"] or name in self.WAITING

    @contextmanager
    def moving(self, cluster: RunningCluster, observer: RedisBackend, *, already_moved: bool) -> Iterator[None]:
        """Move the slots of all keys from before the block to after it, and the keys before or after it."""
        slots = {slot_of(cluster, key.root.encode()) for key in observer.keys("")}
        targets = {slot: another(cluster, slot) for slot in slots}
        for slot, target in targets.items():
            cluster.begin_move(slot, target)
            if already_moved:
                cluster.move_keys(slot, target)
        yield
        for slot, target in targets.items():
            cluster.move_keys(slot, target)
            cluster.end_move(slot, target)

    def test_more_fields_than_one_command_deletes_go_with_the_rest_of_the_step(self, cluster: RunningCluster) -> None:
        fields = {f"{number:05}": b"x" for number in range(9000)}
        with connect(cluster, "retry_for_s=0") as backend, connect(cluster, "retry_for_s=30") as observer:
            backend.commit([], [Replace(KEY, {"00000": b"x"}), Replace(CHILD, [b"a"])])
            with self.moving(cluster, observer, already_moved=False):
                backend.commit([], [SetFields(KEY, dict.fromkeys(fields)), Delete(CHILD)])
                assert backend.look([KEY, CHILD]) == [None, None]
            backend.commit([], [Replace(KEY, fields), Replace(CHILD, [b"a"])])
            with self.moving(cluster, observer, already_moved=False):
                backend.commit([], [Replace(KEY, {"a": b"1"}), Replace(CHILD, [b"b"])])
                assert backend.mapping(KEY).get_all() == {"a": b"1"}
                assert items(backend, CHILD) == [b"b"]


class TestNodesThatFail:
    @pytest.mark.slow
    def test_a_replica_takes_over_and_nothing_a_surviving_node_acknowledged_is_lost(
        self, frail: RunningCluster
    ) -> None:
        keys = [Key(f"Thing:{number}") for number in range(6)]
        doomed = frail.nodes[0]
        struck = [key for key in keys if frail.owner(slot_of(frail, key.root.encode())) is doomed]
        assert 0 < len(struck) < len(keys)
        big = Key(struck[0].root, "big")
        fields = {f"{number:05}": b"x" for number in range(5000)}
        with connect(frail, "retry_for_s=30") as backend:
            backend.commit([], [Replace(big, fields)])
            with ExitStack() as stack:
                writers = [stack.enter_context(Writer(backend, key)) for key in keys]
                for writer in writers:
                    writer.wait(10)
                pages, listing = backend.mapping(big).pages(), backend.keys("Thing:")
                seen, listed = dict(next(pages)), [next(listing)]
                with doomed.client() as client:
                    client.hset(f"{{{big.root}}}:big", "00000", "x")
                    assert client.wait(1, 5000) == 1
                doomed.stop()
                backend.sequence(Key(big.root, "after")).push_right([b"after"])
                for page in pages:
                    assert not seen.keys() & dict(page).keys()
                    seen.update(page)
                listed += listing
                for writer in writers:
                    writer.wait(10)
            assert seen == fields
            assert sorted(key for key in listed if key.child is None) == keys
            assert big in listed
            assert items(backend, Key(big.root, "after")) == [b"after"]
            for writer in writers:
                writer.check(items(backend, writer.key))
                if writer.key not in struck:
                    assert items(backend, writer.key) == writer.acknowledged

    @pytest.mark.slow
    def test_a_cluster_that_is_incomplete_or_gone_is_unavailable_and_nothing_was_done(self) -> None:
        with run_cluster() as cluster, connect(cluster, "retry_for_s=0.2") as backend:
            backend.sequence(KEY).push_right([b"a"])
            owner = cluster.owner(slot_of(cluster, b"Thing:x"))
            other = next(node for node in cluster.nodes if node is not owner)
            other.stop()
            with owner.client() as client:
                wait_until(lambda: client.cluster("INFO")["cluster_state"] == "fail", "the cluster did not notice")
            with pytest.raises(BackendUnavailable, match="its cluster is incomplete"):
                backend.sequence(KEY).push_right([b"b"])
            other.start()
            with connect(cluster, "retry_for_s=30") as patient:
                patient.sequence(KEY).push_right([b"c"])
                assert set(patient.keys("")) == {KEY}
            assert items(backend, KEY) == [b"a", b"c"]
            for node in cluster.nodes:
                node.stop()
            for call in (
                lambda: backend.sequence(KEY).push_right([b"b"]),
                lambda: list(backend.keys("")),
                lambda: backend.look([KEY]),
                lambda: list(backend.mapping(KEY).pages()),
            ):
                with pytest.raises(BackendUnavailable, match="nothing was done"):
                    call()
        with connect(cluster, "retry_for_s=0") as fresh:
            ports = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
            with pytest.raises(BackendUnavailable, match=ports):
                fresh.look([KEY])


class TestMoving:
    def test_a_copy_from_a_single_server_and_back_is_the_same(self, cluster: RunningCluster) -> None:
        keys = [Key(f"Thing:{number}", child) for number in range(20) for child in (None, "child")]
        with run_server() as one, run_server() as other, connect(cluster, "prefix=a:") as there:
            here, back = (RedisBackend.from_url(StoreURL.parse(server.url)) for server in (one, other))
            for number, key in enumerate(keys):
                here.mapping(key).set_many({"f": b"%d" % number})
            assert copy(here, there).copied == 20
            assert copy(there, back).copied == 20
            for store in (there, back):
                assert set(store.keys("Thing:")) == set(keys)
                assert list(store.strangers(["Thing"])) == []
                assert [store.mapping(key).get("f") for key in keys] == [b"%d" % number for number in range(40)]
            here.close()
            back.close()


class TestMisunderstandings:
    def test_a_single_server_is_told_apart(self) -> None:
        with run_server() as server:
            url = f"redis+cluster://127.0.0.1:{server.port}"
            with RedisBackend.from_url(StoreURL.parse(url)) as backend, pytest.raises(BackendError, match="'redis:'"):
                backend.look([KEY])

    def test_one_node_of_a_cluster_is_told_apart(self, cluster: RunningCluster) -> None:
        for node in cluster.nodes:
            with RedisBackend.from_url(StoreURL.parse(node.url)) as backend:
                if cluster.owner(slot_of(cluster, b"Thing:x")) is node:
                    call: Callable[[], object] = lambda: backend.commit([Exists(KEY), Exists(CHILD)], [])  # noqa: E731
                else:
                    call = lambda: backend.look([KEY])  # noqa: E731
                with pytest.raises(BackendError, match=r"redis\+cluster:"):
                    call()


class TestGivenClients:
    def test_a_client_is_used_and_never_closed(self, cluster: RunningCluster) -> None:
        client = cluster.client()
        with RedisBackend(client, prefix="a:") as backend:
            backend.mapping(KEY).set_many({"f": b"1"})
            backend.sequence(CHILD).push_right([b"a"])
            assert client.hget("a:Thing:x", "f") == b"1"
            assert client.lrange("{a:Thing:x}:child", 0, -1) == [b"a"]
            assert backend.url == f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}?prefix=a:"
        pools = [node.redis_connection.connection_pool for node in client.nodes_manager.nodes_cache.values()]
        assert any(connection.is_connected for pool in pools for connection in pool._available_connections)
        client.close()

    def test_its_retries_are_not_used(self, cluster: RunningCluster) -> None:
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port, socket_timeout=0.1)
        backend = RedisBackend(client)
        backend.sequence(KEY).push_right([b"a"])
        with cluster.owner(slot_of(cluster, b"Thing:x")).stalled(), pytest.raises(OutcomeUnknown):
            backend.sequence(KEY).push_right([b"b"])
        assert items(backend, KEY) == [b"a", b"b"]
        client.close()

    def test_one_that_decodes_is_refused_with_what_to_change(self, cluster: RunningCluster) -> None:
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port, decode_responses=True)
        with pytest.raises(ConfigurationError, match="decode_responses=False"):
            RedisBackend(client)
        client.close()

    def test_a_node_it_does_not_know_is_reached_as_it_reaches_the_others(self, cluster: RunningCluster) -> None:
        client = redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port, client_name="mine")
        with RedisBackend(client) as backend:
            client.nodes_manager.nodes_cache.clear()
            for number in range(20):
                backend.sequence(Key(f"Thing:{number}")).push_right([b"a"])
            assert len(list(backend.keys("Thing:"))) == 20
            for node in cluster.nodes:
                with node.client() as other:
                    assert "mine" in {found["name"] for found in other.client_list()}
        client.close()

    def test_it_follows_slots_that_move(self, cluster: RunningCluster) -> None:
        client = cluster.client()
        backend = RedisBackend(client, retry_for_s=0)
        slot = slot_of(cluster, b"Thing:x")
        for number in range(3):
            backend.sequence(KEY).push_right([b"%d" % number])
            cluster.move(slot, another(cluster, slot))
        assert items(backend, KEY) == [b"0", b"1", b"2"]
        client.close()


def test_one_node_lists_no_part_of_the_keys_as_if_it_were_all(cluster: RunningCluster, backend: Backend) -> None:
    names = [Key(f"Thing:{number}") for number in range(30)]
    for name in names:
        backend.commit([], [Replace(name, [b"1"])])
    assert sorted(backend.keys("")) == sorted(names)
    for node in cluster.nodes:
        with RedisBackend.from_url(StoreURL.parse(node.url)) as one:
            for _ in range(2):  # the server tells it at the first step on a connection
                with pytest.raises(BackendError, match=r"some of the keys; .*begin the URL with 'redis\+cluster:'"):
                    list(one.keys("Thing"))
        with connect(cluster) as target, pytest.raises(BackendError, match="some of the keys"):
            copy(node.url, target)
