"""Indexes on a cluster: one record per unique value, and each is found, whatever stalls, dies or comes late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import Any, Final

import pytest
from redis.crc import key_slot

from persistent_collections.backends.changes import Delete, Exists, HeldBy, Make, SetEntries, SetFields
from persistent_collections.backends.indexes import LAST
from persistent_collections.backends.redis import RedisBackend, claims
from persistent_collections.backends.redis.scripts import CLAIM, COMMIT_CLAIMED, FORBID, Script
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import BackendError, NotUnique, OutcomeUnknown
from persistent_collections.testing.backends.indexes import (
    INDEXES,
    INDEXING,
    NAME,
    entries_of,
    entry,
    key,
    saving,
    text,
)
from tests.servers import RunningCluster, run_cluster

pytestmark = pytest.mark.store("cluster")

NAMES: Final = [each.name for each in INDEXES]
CONTESTANTS: Final = "wxyz"
FENCED: Final = "redis.call('SET', KEYS[2]"
OF_CLASS: Final = key_slot(b"Indexed::")


class Killed(BaseException):
    """A writer that dies."""


Between = Callable[[Script], None]
"""Called before each script that a writer sends."""


@pytest.fixture
def backend(cluster: RunningCluster) -> Iterator[RedisBackend]:
    with opened(cluster) as backend:
        backend.index(INDEXING).mark(NAMES, whole=True)
        yield backend


def opened(cluster: RunningCluster) -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{cluster.url}?retry_for_s=15"))


def disturbed(backend: RedisBackend, between: Between) -> RedisBackend:
    """Let ``backend`` call ``between`` before each script."""
    server: Any = backend._server
    run = server.run

    def sent(subject: object, script: Script, *arguments: Any, **options: Any) -> Any:
        between(script)
        return run(subject, script, *arguments, **options)

    server.run = sent
    return backend


def create(backend: RedisBackend, ident: str, name: str, size: str = "1") -> bool:
    fields = {"name": text(name), "size": text(size)}
    entries = SetEntries(key(ident), INDEXING, {}, entries_of(fields, fields))
    return backend.commit([Exists(key(ident), expected=False)], [Make(key(ident), fields), entries])


def rename(backend: RedisBackend, ident: str, name: str) -> bool:
    fields = {"name": text(name), "size": text("1")}
    entries = SetEntries(key(ident), INDEXING, entries_of(fields, fields), {})
    return backend.commit([Exists(key(ident))], [SetFields(key(ident), fields, is_record=True), entries])


def holders(backend: RedisBackend, name: str, idents: Sequence[str]) -> list[str]:
    """Return which records hold a name."""
    told = backend.get_many([(key(ident), ["name"]) for ident in idents])
    return [ident for ident, [data] in zip(idents, told, strict=True) if data == text(name)]


def found(backend: RedisBackend, name: str) -> list[str]:
    page = backend.index(INDEXING).find(NAME.name, entry(NAME, name), entry(NAME, name) + LAST, 100)
    assert page is not None
    return [hit.place.id for hit in page.hits]


def contest(backends: Sequence[RedisBackend], number: int) -> tuple[int, int]:
    """Let writers contend for one name; return how many have it, and how many of these are not found by it."""
    name, idents = f"n{number}", [f"{each}{number}" for each in CONTESTANTS]
    random = Random(number)
    for ident in random.sample(idents, 2):
        create(backends[-1], ident, f"{ident} before")

    def write(backend: RedisBackend, ident: str) -> None:
        with suppress(Killed, NotUnique, OutcomeUnknown):  # a node that failed may have written it
            create(backend, ident, name) or rename(backend, ident, name)
            if random.random() < 0.3:
                rename(backend, ident, f"{ident} after")
                rename(backend, ident, name)

    with ThreadPoolExecutor(len(idents)) as pool:
        list(pool.map(write, backends, idents))
    having = holders(backends[-1], name, idents)
    return len(having), len({*having} - {*found(backends[-1], name)})


def unruly(seed: int) -> Between:
    """Return what kills a writer in seven of a hundred steps, and stalls it in a third of those that follow a claim."""
    random = Random(seed)

    def between(script: Script) -> None:
        if script in (COMMIT_CLAIMED, CLAIM) and random.random() < 0.07:
            raise Killed
        if script is COMMIT_CLAIMED and random.random() < 0.35:
            time.sleep(random.uniform(0, 0.08))

    return between


def contests(cluster: RunningCluster, rounds: int, first: int = 0) -> tuple[int, int]:
    """Return in how many rounds a name had several records, and in how many a record was not found."""
    plain = opened(cluster)
    plain.index(INDEXING).mark(NAMES, whole=True)
    backends = [disturbed(opened(cluster), unruly(first + seed)) for seed in range(len(CONTESTANTS))]
    results = [contest([*backends, plain], number) for number in range(first, first + rounds)]
    for backend in [*backends, plain]:
        backend.close()
    return sum(having > 1 for having, _ in results), sum(missing > 0 for _, missing in results)


def without_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FORBID.source.replace("if stamp > tonumber(redis.call('GET', KEYS[2]) or 0) then", "if false then")
    assert source != FORBID.source
    monkeypatch.setattr(claims, "FORBID", Script(source))


@pytest.mark.parametrize("rounds", [25, pytest.param(400, marks=pytest.mark.slow)])
def test_a_name_has_one_record_whatever_stalls_and_dies(cluster: RunningCluster, rounds: int) -> None:
    assert contests(cluster, rounds) == (0, 0)


@pytest.mark.slow
def test_without_the_fence_it_has_several(cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    without_the_fence(monkeypatch)
    several, _ = contests(cluster, 60)
    assert several


@pytest.mark.slow
def test_a_name_has_one_record_while_masters_hand_over() -> None:
    with run_cluster(replicas=1) as cluster, ThreadPoolExecutor(1) as pool:
        ends = time.monotonic() + 20
        handed = pool.submit(hand_over, cluster, ends)
        rounds = several = missing = 0
        while time.monotonic() < ends:
            found = contests(cluster, 10, first=rounds)
            rounds, several, missing = rounds + 10, several + found[0], missing + found[1]
        assert handed.result() >= 5
        assert rounds >= 30
        assert (several, missing) == (0, 0)


def hand_over(cluster: RunningCluster, ends: float) -> int:
    """Let replicas take the place of their masters one after another; return how often one did."""
    random, count = Random(1), 0
    while time.monotonic() < ends:
        with random.choice(cluster.nodes).client() as client:
            if (
                client.info("replication")["role"] == "slave"
                and client.info("replication")["master_link_status"] == "up"
            ):
                client.execute_command("CLUSTER", "FAILOVER")  # type: ignore[no-untyped-call]  # redis-py's
                count += 1
                time.sleep(1)
    return count


@pytest.mark.parametrize("fenced", [True, False])
def test_a_writer_that_stalled_may_not_write_what_was_taken(
    backend: RedisBackend, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch, fenced: bool
) -> None:
    if not fenced:
        without_the_fence(monkeypatch)
    taken: list[str] = []

    def take(script: Script) -> None:
        if script is COMMIT_CLAIMED and not taken:
            taken.append("y")
            create(backend, "y", "a")

    with disturbed(opened(cluster), take) as stalled:
        if fenced:
            with pytest.raises(NotUnique, match=r"'Indexed:x': its name is that of 'Indexed:y'"):
                create(stalled, "x", "a")
        else:
            assert create(stalled, "x", "a")
    assert holders(backend, "a", "xy") == (["y"] if fenced else ["x", "y"])
    assert found(backend, "a") == ["y"], "without the fence, the other lacks its entry"


def test_a_claim_that_is_older_than_its_window_is_made_anew(
    backend: RedisBackend, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "WINDOW_US", 50_000)
    sent: list[Script] = []

    def stall(script: Script) -> None:
        sent.append(script)
        if sent.count(COMMIT_CLAIMED) == 1 and script is COMMIT_CLAIMED:
            time.sleep(0.3)

    with disturbed(opened(cluster), stall) as slow:
        assert create(slow, "x", "a")
    assert sent == [CLAIM, COMMIT_CLAIMED, CLAIM, COMMIT_CLAIMED]
    assert found(backend, "a") == ["x"]


def test_a_clock_that_is_behind_costs_two_more_trips(
    backend: RedisBackend, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour_ago = "time[1] * 1000000 + time[2] - 3600000000"
    source = CLAIM.source.replace("time[1] * 1000000 + time[2]", hour_ago)
    assert source != CLAIM.source
    behind = Script(source)
    monkeypatch.setattr(claims, "CLAIM", behind)
    sent: list[Script] = []
    with disturbed(opened(cluster), sent.append) as other:
        assert create(other, "x", "a")
        assert sent == [behind, COMMIT_CLAIMED] * 2
        with pytest.raises(NotUnique):
            create(other, "y", "a")
    assert found(backend, "a") == ["x"]


def test_a_write_whose_message_comes_twice_or_late_takes_nothing_back(
    backend: RedisBackend, cluster: RunningCluster
) -> None:
    messages: list[tuple[Any, ...]] = []
    with opened(cluster) as late:
        server: Any = late._server
        run_with = server.run_with

        def kept(*arguments: Any, **options: Any) -> Any:
            messages.append(arguments)
            raise Killed

        server.run_with = kept
        create(backend, "x", "before")
        with pytest.raises(Killed):
            rename(late, "x", "a")
        create(backend, "y", "a")
        assert isinstance(run_with(*messages[0]), list), "it is refused"
        assert (holders(backend, "a", "xy"), found(backend, "a")) == (["y"], ["y"])


def test_a_claim_that_is_sent_twice_is_one_claim(backend: RedisBackend) -> None:
    create(backend, "x", "a")
    backend.index(INDEXING)
    with pytest.raises(NotUnique):
        create(backend, "y", "a")
    for _ in range(3):
        assert rename(backend, "x", "a")
    assert [place.id for place in backend.index(INDEXING).entries(NAME.name)] == ["x"]


def test_values_of_records_that_are_gone_or_changed_are_free(backend: RedisBackend) -> None:
    create(backend, "x", "a")
    rename(backend, "x", "b")
    assert create(backend, "y", "a")
    backend.commit([], [Delete(key("x"), [], INDEXING)])
    assert rename(backend, "y", "b")
    assert create(backend, "z", "a")
    assert [found(backend, name) for name in "ab"] == [["z"], ["y"]]
    with pytest.raises(NotUnique):
        rename(backend, "z", "b")


def test_many_that_contend_for_one_value_come_to_an_end(cluster: RunningCluster, backend: RedisBackend) -> None:
    idents = [f"x{number}" for number in range(12)]

    def write(ident: str) -> bool:
        with opened(cluster) as own, suppress(NotUnique):
            return create(own, ident, "a")
        return False

    start = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(write, idents))
    assert made.count(True) == 1
    assert found(backend, "a") == holders(backend, "a", idents)
    assert time.monotonic() - start < claims.PATIENCE_S


def test_old_entries_are_swept_by_later_writes(backend: RedisBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WINDOW_US", 20_000)
    monkeypatch.setattr(claims, "MARGIN_US", 0)
    for number in range(30):
        create(backend, f"x{number}", f"n{number}")
        backend.commit([], [Delete(key(f"x{number}"), [], INDEXING)])
    create(backend, "y", "stays")
    rename(backend, "y", "b")
    time.sleep(0.05)
    index = backend.index(INDEXING)
    for number in range(400):
        rename(backend, "y", "bc"[number % 2])
        if len(list(index.entries(NAME.name))) < 8:
            break
    assert len(list(index.entries(NAME.name))) < 8
    assert found(backend, "bc"[number % 2]) == ["y"]


class Sent:
    """What the nodes of a cluster have received since this was made.

    Attributes:
        scripts: How many calls of scripts, by their digests and by their sources.
        received_bytes: How much in all.
    """

    def __init__(self, cluster: RunningCluster) -> None:
        self._nodes = cluster.nodes
        self._before = self._told()

    @property
    def scripts(self) -> tuple[int, int]:
        digests, sources, _ = self._since()
        return digests, sources

    @property
    def received_bytes(self) -> int:
        return self._since()[2]

    def _since(self) -> tuple[int, int, int]:
        now = self._told()
        return now[0] - self._before[0], now[1] - self._before[1], now[2] - self._before[2]

    def _told(self) -> tuple[int, int, int]:
        digests = sources = received_bytes = 0
        for node in self._nodes:
            with node.client() as client:
                calls = client.info("commandstats")
                digests += calls.get("cmdstat_evalsha", {"calls": 0})["calls"]
                sources += calls.get("cmdstat_eval", {"calls": 0})["calls"]
                received_bytes += client.info("stats")["total_net_input_bytes"]
        return digests, sources, received_bytes


def leave_entries(backend: RedisBackend, names: str) -> None:
    """Let a record have had each of some names."""
    for name in names:
        create(backend, name, name)
        rename(backend, name, f"{name} no more")


def meet(backend: RedisBackend, names: str) -> None:
    """Let a find pass over the entries that are left."""
    for name in names:
        assert found(backend, name) == []


def test_entries_that_are_too_young_to_be_deleted_are_not_asked_about(
    backend: RedisBackend, cluster: RunningCluster
) -> None:
    create(backend, "x", "y")
    leave_entries(backend, "abcd")
    meet(backend, "abcd")
    sent = Sent(cluster)
    rename(backend, "x", "z")
    assert sent.scripts == (2, 0), "it claims, and writes"


def test_old_entries_are_asked_about_by_the_digests_of_scripts(
    backend: RedisBackend, cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(backend, "x", "y")
    leave_entries(backend, "abcdefgh")
    monkeypatch.setattr(claims, "MARGIN_US", 1 - claims.WINDOW_US)
    with opened(cluster) as first, opened(cluster) as second:
        meet(first, "abcd")
        meet(second, "efgh")
        for node in cluster.nodes:
            with node.client() as client:
                client.script_flush()
        sent = Sent(cluster)
        rename(first, "x", "z")
        assert sent.scripts == (6, 6), "it claims, asks about four and writes; no node has the scripts"
        for node in cluster.nodes:
            with node.client() as client:
                client.script_load(FORBID.source)
        sent = Sent(cluster)
        rename(second, "x", "y")
        assert sent.scripts == (6, 0)
        assert sent.received_bytes < len(CLAIM.source)
        assert found(second, "y") == ["x"]


def test_a_step_of_several_records_is_refused_before_anything_is_done(backend: RedisBackend) -> None:
    with pytest.raises(BackendError, match=r"'Indexed:x', 'Indexed:y': the cluster at .* changes the indexes"):
        backend.commit([], [*saving("x", name="a"), *saving("y", name="b")])
    with pytest.raises(BackendError, match="has no conditions on them"):
        backend.commit([HeldBy(key(""), INDEXING, NAME.name, entry(NAME, "a"), (text("a"),))], [])
    assert list(backend.index(INDEXING).entries(NAME.name)) == []


def test_all_that_belongs_to_a_class_is_in_one_slot(backend: RedisBackend, cluster: RunningCluster) -> None:
    create(backend, "x", "a")
    names = [name for node in cluster.nodes for name in client_keys(node)]
    indexes = [b"{Indexed::}%b" % name.encode() for name in NAMES]
    assert sorted(names) == sorted([b"Indexed:x", b"{Indexed::}:", *indexes])
    assert list(backend.keys("")) == [key("x")]
    assert list(backend.strangers(["Indexed"])) == []
    assert {key_slot(name) for name in names if name != b"Indexed:x"} == {OF_CLASS}


def client_keys(node: Any) -> list[bytes]:
    with node.client() as client:
        return list(client.keys())


@pytest.mark.parametrize("what", ["class", "record"])
def test_writes_go_on_while_a_slot_moves(backend: RedisBackend, cluster: RunningCluster, what: str) -> None:
    slot = OF_CLASS if what == "class" else key_slot(b"Indexed:x")
    create(backend, "x", "a")
    target = next(node for node in cluster.nodes if node is not cluster.owner(slot))
    with ThreadPoolExecutor(1) as pool:
        cluster.begin_move(slot, target)
        renamed = pool.submit(rename, backend, "x", "b")
        time.sleep(0.1)
        while cluster.move_keys(slot, target):
            pass
        cluster.end_move(slot, target)
        assert renamed.result(20)
    with pytest.raises(NotUnique):
        create(backend, "y", "b")
    assert create(backend, "y", "a")
    assert [found(backend, name) for name in "ab"] == [["y"], ["x"]]
